// From the bytes of a file to a module that is known to be valid. Validation (WebAssembly core 3) is the host's, whose
// messages carry a byte offset; what yaos does not support is refused first, by name, whatever the host thinks.

import { enableFeatures } from '../engine.ts';
import { oneLine } from '../error.ts';
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
  const text = oneLine(message.replace(/^WebAssembly\.Module\(\): /, ''));
  const at = text.match(/^(.*) @\+(\d+)$/);
  return at ? new InvalidError(at[1], Number(at[2])) : new InvalidError(text);
}
