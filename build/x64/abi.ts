// The calling convention of translated code (docs/abi.md §2): which register or stack slot holds each parameter
// and each result of a signature. The selector and the trampolines both get their answer here.

import type { Sig, Type } from '../ir/ir.ts';
import { R8, R9, RAX, RCX, RDI, RDX, RSI, XMM0 } from './mir.ts';

/**
 * Where a value is passed. A parameter's `offset` counts from the first stack argument ([rsp+8] on entry), a
 * result's from the hidden results pointer; 8 bytes each.
 */
export type ArgLoc = { kind: 'reg'; reg: number } | { kind: 'stack'; offset: number };

export interface Assignment {
  params: ArgLoc[];
  results: ArgLoc[];
  /** Bytes of stack arguments, rounded up to 16: what the callee pops. */
  stackBytes: number;
  /** Whether rdi holds a pointer to `resultBytes` bytes for the results without a register. */
  hidden: boolean;
  resultBytes: number;
}

export const INT_PARAM_REGS: readonly number[] = [RDI, RSI, RDX, RCX, R8, R9];
export const FLOAT_PARAM_REGS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => XMM0 + i);
export const INT_RESULT_REGS: readonly number[] = [RAX, RDX];
export const FLOAT_RESULT_REGS: readonly number[] = [XMM0, XMM0 + 1];

export function isFloat(type: Type): boolean {
  return type === 'f32' || type === 'f64';
}

export function assign(sig: Sig): Assignment {
  const results = distribute(sig.results, INT_RESULT_REGS, FLOAT_RESULT_REGS);
  const hidden = results.bytes > 0;
  const params = distribute(sig.params, hidden ? INT_PARAM_REGS.slice(1) : INT_PARAM_REGS, FLOAT_PARAM_REGS);
  return {
    params: params.locs,
    results: results.locs,
    stackBytes: (params.bytes + 15) & ~15,
    hidden,
    resultBytes: results.bytes,
  };
}

/** Hands out registers of each class in order, then 8-byte slots. */
function distribute(types: Type[], ints: readonly number[], floats: readonly number[]) {
  let int = 0;
  let float = 0;
  let bytes = 0;
  const locs = types.map((type): ArgLoc => {
    const reg = isFloat(type) ? floats[float++] : ints[int++];
    if (reg !== undefined) return { kind: 'reg', reg };
    bytes += 8;
    return { kind: 'stack', offset: bytes - 8 };
  });
  return { locs, bytes };
}
