// Types and other immediates as the binary format encodes them (WebAssembly core 5.3), with the refusal of those
// that belong to proposals outside yaos' set.

import { type RefType, type ValType, WasmError } from './module.ts';
import type { Reader } from './reader.ts';

/** A valid file may still need a feature that yaos does not have; told apart from a malformed one. */
export class UnsupportedError extends WasmError {
  override name = 'UnsupportedError';
}

export function unsupported(feature: string, at: number): never {
  throw new UnsupportedError(`${feature} is not supported`, at);
}

const VAL_TYPES: Record<number, ValType | undefined> = {
  127: 'i32',
  126: 'i64',
  125: 'f32',
  124: 'f64',
  112: 'funcref',
  111: 'externref',
};

export function valType(r: Reader): ValType {
  const at = r.pos;
  const byte = r.u8();
  return VAL_TYPES[byte] ?? refuseType(r, byte, at);
}

function refuseType(r: Reader, byte: number, at: number): never {
  if (byte === 0x7b) unsupported('SIMD (v128)', at);
  if (byte === 0x69 || byte === 0x74) unsupported('exception handling', at);
  if (byte === 0x63 || byte === 0x64) unsupported('a typed reference', at);
  if (byte === 0x65 || byte === 0x66) unsupported('shared-everything threads', at);
  if (byte === 0x68 || byte === 0x75) unsupported('stack switching', at);
  if (byte >= 0x6a && byte <= 0x73) unsupported('garbage collection', at);
  r.fail(`unknown type 0x${byte.toString(16).padStart(2, '0')}`, at);
}

export function refType(r: Reader): RefType {
  const at = r.pos;
  const type = valType(r);
  if (type !== 'funcref' && type !== 'externref') r.fail(`${type} is not a reference type`, at);
  return type;
}

/** A block type: undefined for none, a single result type, or the index of a function type. */
export function blockType(r: Reader): ValType | number | undefined {
  const byte = r.peek();
  if (byte === 0x40) {
    r.pos++;
    return undefined;
  }
  // Value types are negative numbers of one byte: bit 6 is the sign.
  if (byte >= 0x40 && byte < 0x80) return valType(r);
  const at = r.pos;
  const index = r.s33();
  return index >= 0 ? index : r.fail('bad block type', at);
}

export interface MemArg {
  /** Logarithm of the alignment that the code promises. */
  align: number;
  offset: number;
}

export function memArg(r: Reader): MemArg {
  const at = r.pos;
  const align = r.u32();
  if (align & 0x40) unsupported('more than one memory', at);
  return { align, offset: r.u32() };
}

export function memoryIndex(r: Reader): void {
  const at = r.pos;
  if (r.u32() !== 0) unsupported('more than one memory', at);
}
