// From the bytes of a file to a module that is known to be valid. Validation (WebAssembly core 3) is the host's, whose
// messages carry a byte offset; what yaos does not support is refused first, by name, whatever the host thinks.

import v8 from 'node:v8';
import { decode } from './decode.ts';
import { WasmError, type WasmModule } from './module.ts';
import { UnsupportedError } from './types.ts';

/** Decodes and validates; throws WasmError. */
export function readModule(bytes: Uint8Array): WasmModule {
  let malformed: WasmError;
  try {
    const module = decode(bytes);
    validate(bytes);
    return module;
  } catch (e) {
    if (!(e instanceof WasmError) || e instanceof UnsupportedError || e instanceof InvalidError) throw e;
    malformed = e;
  }
  // The host's message is the better one for a malformed file, but it has no place for an empty one.
  if (bytes.length > 0) validate(bytes);
  throw malformed;
}

/** The host's own implementation; TypeScript declares it only for browsers. */
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => object;
};

class InvalidError extends WasmError {}

export function validate(bytes: Uint8Array): void {
  enableFeatures();
  if (WebAssembly.validate(bytes)) return;
  try {
    new WebAssembly.Module(bytes);
  } catch (e) {
    throw hostError(e instanceof Error ? e.message : String(e));
  }
  throw new InvalidError('not a valid WebAssembly module');
}

/** V8's "WebAssembly.Module(): Compiling function #1:"f" failed: i32.add[0] expected …  @+42". */
function hostError(message: string): InvalidError {
  const text = message.replace(/^WebAssembly\.Module\(\): /, '').replace(/[\s\p{Cc}]+/gu, ' ');
  const at = text.match(/^(.*) @\+(\d+)$/);
  return at ? new InvalidError(at[1], Number(at[2])) : new InvalidError(text);
}

/** A module that needs extended constant expressions: (global i32 (i32.add (i32.const 1) (i32.const 2))). */
const EXTENDED_CONST = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 6, 9, 1, 0x7f, 0, 0x41, 1, 0x41, 2, 0x6a, 0x0b,
]);

/** Node 20's V8 has extended constant expressions behind a flag. Later ones would complain about the flag. */
function enableFeatures(): void {
  if (!WebAssembly.validate(EXTENDED_CONST)) v8.setFlagsFromString('--experimental-wasm-extended-const');
}
