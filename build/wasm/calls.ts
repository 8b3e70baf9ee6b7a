// What a function's body calls, found without decoding it further: for call graphs.

import type { FuncType, WasmModule } from './module.ts';
import { skipImmediates } from './operators.ts';
import { Reader } from './reader.ts';

export interface BodyCalls {
  /** Of what, and the byte offset of the call. */
  direct: { callee: number; offset: number }[];
  indirect: { type: FuncType; offset: number }[];
  /** Functions whose reference it takes. */
  taken: number[];
}

const CALL = 0x10,
  CALL_INDIRECT = 0x11,
  RETURN_CALL = 0x12,
  RETURN_CALL_INDIRECT = 0x13,
  REF_FUNC = 0xd2;

/** Of the module's functions, by index; undefined for imported ones. */
export function scanModule(module: WasmModule): (BodyCalls | undefined)[] {
  return module.funcs.map(({ body }) => body && scanCalls(module, body.start, body.end));
}

function scanCalls(module: WasmModule, start: number, end: number): BodyCalls {
  const calls: BodyCalls = { direct: [], indirect: [], taken: [] };
  const reader = new Reader(module.bytes, start, end);
  while (reader.pos < end) {
    const opcode = reader.u8();
    const { pos } = reader;
    const offset = pos - 1;
    skipImmediates(reader, opcode);
    const index = () => new Reader(module.bytes, pos, end).u32();
    if (opcode === CALL || opcode === RETURN_CALL) calls.direct.push({ callee: index(), offset });
    else if (opcode === CALL_INDIRECT || opcode === RETURN_CALL_INDIRECT)
      calls.indirect.push({ type: module.types[index()], offset });
    else if (opcode === REF_FUNC) calls.taken.push(index());
  }
  return calls;
}
