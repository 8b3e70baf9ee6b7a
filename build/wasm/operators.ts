// The encoding of operators: for each opcode the immediates that follow it, or the feature that it belongs to and
// that yaos does not support. The scan of a body finds those before anything is translated, and where its locals
// are assigned; the SSA builder reads the same encoding with meaning (ir/build.ts).

import type { Reader } from './reader.ts';
import { blockType, memArg, memoryIndex, refType, unsupported, valType } from './types.ts';

/** What follows an opcode. */
type Immediates =
  | 'none'
  | 'block' // a block type
  | 'u32' // one index
  | 'u32u32' // two indices
  | 'table' // br_table's vector and default
  | 'types' // select's vector of types
  | 'type' // ref.null's type
  | 'memory' // a memory index, always 0
  | 'u32memory' // an index and a memory index
  | 'memorymemory'
  | 'memarg' // alignment and offset
  | 'fence' // a zero byte
  | 'i32'
  | 'i64'
  | 'f32'
  | 'f64';

const PLAIN: (Immediates | undefined)[] = new Array(256).fill(undefined);
/** Opcodes behind the prefix 0xfc: saturating truncation, bulk memory, tables. */
const PREFIX_FC: (Immediates | undefined)[] = [];
/** Opcodes behind the prefix 0xfe: atomics. */
const PREFIX_FE: (Immediates | undefined)[] = [];

function range(table: (Immediates | undefined)[], from: number, to: number, imm: Immediates): void {
  for (let code = from; code <= to; code++) table[code] = imm;
}

range(PLAIN, 0x00, 0x01, 'none'); // unreachable, nop
range(PLAIN, 0x02, 0x04, 'block'); // block, loop, if
PLAIN[0x05] = 'none'; // else
PLAIN[0x0b] = 'none'; // end
range(PLAIN, 0x0c, 0x0d, 'u32'); // br, br_if
PLAIN[0x0e] = 'table';
PLAIN[0x0f] = 'none'; // return
PLAIN[0x10] = 'u32'; // call
PLAIN[0x11] = 'u32u32'; // call_indirect
PLAIN[0x12] = 'u32'; // return_call
PLAIN[0x13] = 'u32u32'; // return_call_indirect
range(PLAIN, 0x1a, 0x1b, 'none'); // drop, select
PLAIN[0x1c] = 'types'; // select t
range(PLAIN, 0x20, 0x26, 'u32'); // local.*, global.*, table.get, table.set
range(PLAIN, 0x28, 0x3e, 'memarg');
range(PLAIN, 0x3f, 0x40, 'memory'); // memory.size, memory.grow
PLAIN[0x41] = 'i32';
PLAIN[0x42] = 'i64';
PLAIN[0x43] = 'f32';
PLAIN[0x44] = 'f64';
range(PLAIN, 0x45, 0xc4, 'none'); // arithmetic
PLAIN[0xd0] = 'type'; // ref.null
PLAIN[0xd1] = 'none'; // ref.is_null
PLAIN[0xd2] = 'u32'; // ref.func

range(PREFIX_FC, 0, 7, 'none'); // trunc_sat
PREFIX_FC[8] = 'u32memory'; // memory.init
PREFIX_FC[9] = 'u32'; // data.drop
PREFIX_FC[10] = 'memorymemory'; // memory.copy
PREFIX_FC[11] = 'memory'; // memory.fill
PREFIX_FC[12] = 'u32u32'; // table.init
PREFIX_FC[13] = 'u32'; // elem.drop
PREFIX_FC[14] = 'u32u32'; // table.copy
range(PREFIX_FC, 15, 17, 'u32'); // table.grow, table.size, table.fill

range(PREFIX_FE, 0x00, 0x02, 'memarg'); // notify, wait32, wait64
PREFIX_FE[0x03] = 'fence';
range(PREFIX_FE, 0x10, 0x4e, 'memarg');

/** The feature that an opcode of a proposal outside yaos' set belongs to. */
function featureOf(opcode: number): string | undefined {
  if ((opcode >= 0x06 && opcode <= 0x0a) || opcode === 0x18 || opcode === 0x19 || opcode === 0x1f) {
    return 'exception handling';
  }
  if (opcode === 0x14 || opcode === 0x15 || (opcode >= 0xd4 && opcode <= 0xd6))
    return 'typed function references';
  if (opcode === 0xd3 || opcode === 0xfb) return 'garbage collection';
  if (opcode === 0xfd) return 'SIMD (v128)';
  if (opcode >= 0xe0 && opcode <= 0xe6) return 'stack switching';
  return undefined;
}

function hex(n: number): string {
  return `0x${n.toString(16).padStart(2, '0')}`;
}

/** Skips the immediates of `opcode` (already read), or fails where it is none that yaos supports. */
export function skipImmediates(r: Reader, opcode: number): void {
  const at = r.pos - 1;
  let imm = PLAIN[opcode];
  if (imm === undefined && (opcode === 0xfc || opcode === 0xfe)) {
    const sub = r.u32();
    imm = (opcode === 0xfc ? PREFIX_FC : PREFIX_FE)[sub];
    const name = `${hex(opcode)} ${hex(sub)}`;
    if (imm === undefined && opcode === 0xfc && sub >= 19 && sub <= 22)
      unsupported(`wide arithmetic (${name})`, at);
    if (imm === undefined) r.fail(`unknown operator ${name}`, at);
  }
  if (imm === undefined) {
    const feature = featureOf(opcode);
    if (feature) unsupported(feature, at);
    r.fail(`unknown operator ${hex(opcode)}`, at);
  }
  if (imm !== 'none') skip(r, imm);
}

function skip(r: Reader, imm: Immediates): void {
  switch (imm) {
    case 'u32':
      r.u32();
      break;
    case 'u32u32':
      r.u32();
      r.u32();
      break;
    case 'memarg':
      memArg(r);
      break;
    case 'i32':
      r.s32();
      break;
    case 'i64':
      while (r.u8() >= 0x80);
      break;
    case 'f32':
      r.skip(4);
      break;
    case 'f64':
      r.skip(8);
      break;
    case 'block':
      blockType(r);
      break;
    case 'table':
      for (let n = r.count() + 1; n > 0; n--) r.u32();
      break;
    case 'types':
      for (let n = r.count(); n > 0; n--) valType(r);
      break;
    case 'type':
      refType(r);
      break;
    case 'memory':
      memoryIndex(r);
      break;
    case 'u32memory':
      r.u32();
      memoryIndex(r);
      break;
    case 'memorymemory':
      memoryIndex(r);
      memoryIndex(r);
      break;
    case 'fence':
      r.u8();
      break;
  }
}
