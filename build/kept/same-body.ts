// Whether the body of a function in one module becomes the same code as one in another: the same operators, which mean the same
// things, be it by other indexes.

import type { WasmFunc, WasmModule } from '../wasm/module.ts';
import { skipImmediates } from '../wasm/operators.ts';
import { Reader } from '../wasm/reader.ts';
import { blockType } from '../wasm/types.ts';
import { type Moves, signature } from './moves.ts';

const BLOCK = 0x02,
  IF = 0x04,
  CALL = 0x10,
  CALL_INDIRECT = 0x11,
  RETURN_CALL = 0x12,
  RETURN_CALL_INDIRECT = 0x13,
  GLOBAL_GET = 0x23,
  GLOBAL_SET = 0x24,
  REF_FUNC = 0xd2,
  PREFIX_FC = 0xfc;

/** Behind the prefix: memory.init, data.drop, table.init, elem.drop. Like ref.func they are rare, and not looked into. */
const OF_SEGMENTS = [8, 9, 12, 13];

export function isSameBody(
  before: WasmModule,
  from: WasmFunc,
  now: WasmModule,
  to: WasmFunc,
  moves: Moves,
): boolean {
  if (!from.body || !to.body || String(from.body.locals) !== String(to.body.locals)) return false;
  const old = new Reader(before.bytes, from.body.start, from.body.end);
  const reader = new Reader(now.bytes, to.body.start, to.body.end);
  while (old.pos < old.end && reader.pos < reader.end) {
    const opcode = reader.u8();
    if (opcode !== old.u8()) return false;
    const [oldImmediates, immediates] = [old, reader].map((r) => immediatesOf(r, opcode));
    // What follows would be at another distance from the body's start: locations are in kept code.
    if (oldImmediates.end - oldImmediates.pos !== immediates.end - immediates.pos) return false;
    if (!isSame(opcode, before, oldImmediates, now, immediates, moves)) return false;
  }
  return old.pos === old.end && reader.pos === reader.end;
}

/** They are skipped in `r`. */
function immediatesOf(r: Reader, opcode: number): Reader {
  const { pos } = r;
  skipImmediates(r, opcode);
  return new Reader(r.bytes, pos, r.pos);
}

function isSame(
  opcode: number,
  before: WasmModule,
  a: Reader,
  now: WasmModule,
  b: Reader,
  moves: Moves,
): boolean {
  switch (opcode) {
    case CALL:
    case RETURN_CALL:
      return moves.functionNow(a.u32()) === b.u32();
    case GLOBAL_GET:
    case GLOBAL_SET:
      return moves.globalNow(a.u32()) === b.u32();
    case CALL_INDIRECT:
    case RETURN_CALL_INDIRECT: {
      const [x, y] = [a.u32(), b.u32()];
      // The number of the type is in the code.
      if (before.canonicalTypes[x] !== now.canonicalTypes[y]) return false;
      return signature(before.types[x]) === signature(now.types[y]) && isSameBytes(a, b);
    }
    case REF_FUNC:
      return false;
    case PREFIX_FC:
      return !OF_SEGMENTS.includes(a.peek()) && isSameBytes(a, b);
    default:
      return opcode >= BLOCK && opcode <= IF ? isSameBlock(before, a, now, b) : isSameBytes(a, b);
  }
}

function isSameBlock(before: WasmModule, a: Reader, now: WasmModule, b: Reader): boolean {
  const [x, y] = [blockType(a), blockType(b)];
  if (typeof x !== 'number' || typeof y !== 'number') return x === y;
  return signature(before.types[x]) === signature(now.types[y]);
}

/** Of what has not been read. */
function isSameBytes(a: Reader, b: Reader): boolean {
  while (a.pos < a.end) if (a.u8() !== b.u8()) return false;
  return true;
}
