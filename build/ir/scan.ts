// What the builder must know of a body before it translates it: where loops end and which ifs have an else, and where
// each local is assigned.

import { skipImmediates } from '../wasm/operators.ts';
import type { Reader } from '../wasm/reader.ts';

export interface BodyScan {
  /** Offset of the end of each loop and of each if with an else, by the construct's own offset. */
  ends: Map<number, number>;
  /** For each local that is assigned, the offsets of the assignments, ascending. */
  assignments: number[][];
}

const LOOP = 0x03,
  IF = 0x04,
  ELSE = 0x05,
  END = 0x0b,
  LOCAL_SET = 0x21,
  LOCAL_TEE = 0x22;

export function scanBody(r: Reader): BodyScan {
  const ends = new Map<number, number>();
  const assignments: number[][] = [];
  /** Offsets of the open constructs, -1 for those whose end is not wanted. */
  const open: number[] = [];
  const ifs: number[] = [];
  while (r.pos < r.end) {
    const at = r.pos;
    const opcode = r.u8();
    if (opcode === LOCAL_SET || opcode === LOCAL_TEE) {
      const local = r.u32();
      if (assignments[local]) assignments[local].push(at);
      else assignments[local] = [at];
      continue;
    }
    skipImmediates(r, opcode);
    if (opcode >= 0x02 && opcode <= IF) {
      open.push(opcode === LOOP ? at : -1);
      ifs.push(at);
    } else if (opcode === ELSE) {
      open[open.length - 1] = ifs[ifs.length - 1];
    } else if (opcode === END && open.length > 0) {
      const start = open.pop()!;
      ifs.pop();
      if (start >= 0) ends.set(start, at);
    }
  }
  return { ends, assignments };
}
