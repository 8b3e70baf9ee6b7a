// Numbers for function types that mean the same in every module of a program, so that call_indirect can compare those
// of a function that another module made (docs/abi.md §3).

import { createHash } from 'node:crypto';
import { type FuncType, WasmError, type WasmModule } from '../wasm/module.ts';

const DIGIT = { i32: 0, i64: 1, f32: 2, f64: 3, funcref: 4, externref: 5 } as const;
const SEPARATOR = 6;
/** So many values and the separator, in base 7 behind a leading 1, stay below 2^31. */
const EXACT_VALUES_MAX = 9;

/** By type index. Up to nine values are spelled out; longer types have a hash with the top bit set, which the runtime
 * compares with what it stands for in other modules (yaos_module_register). */
export function typeIds(module: WasmModule): number[] {
  const seen = new Map<number, number>();
  return module.types.map((type, i) => {
    const id = typeId(type);
    const first = seen.get(id) ?? i;
    if (module.canonicalTypes[i] !== module.canonicalTypes[first])
      throw new WasmError(`types ${first} and ${i} have the same hash; change the order of one's values`);
    seen.set(id, first);
    return id;
  });
}

function typeId({ params, results }: FuncType): number {
  const digits = [...params.map((t) => DIGIT[t]), SEPARATOR, ...results.map((t) => DIGIT[t])];
  if (digits.length <= EXACT_VALUES_MAX + 1) return digits.reduce((id: number, digit) => id * 7 + digit, 1);
  const hash = createHash('sha256').update(digits.join('')).digest();
  return (hash.readUInt32LE(0) | 0x80000000) >>> 0;
}
