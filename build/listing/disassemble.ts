// Machine code to text, in Intel's syntax as GNU objdump writes it: the instructions that the encoder makes
// (x64/encode-tables.ts) and no others. Intel SDM volume 2, chapter 2 and appendix A.

import { ALU, COND, MAP_0F, MAP_0F3A, SHIFT, SSE, SSE_SHIFT_IMM, SSE_STORE } from '../x64/encode-tables.ts';
import { type Decoded, Decoder, PTR } from './decoder.ts';

export interface Instruction {
  bytes: number;
  mnemonic: string;
  /** Without those of a branch to a place in the code. */
  operands: string;
  /** Where a branch goes, or the rip-relative operand: an offset in the code as it stands. */
  target?: number;
  /** Offset of the 32-bit field for `target`, that a relocation may be for. */
  field?: number;
}

/** The names of a table by code. */
function invert(table: Record<string, number>): Map<number, string> {
  // The first name of several wins.
  return new Map(
    Object.entries(table)
      .reverse()
      .map(([name, code]) => [code, name]),
  );
}

const ALU_NAMES = Object.keys(ALU);
const SHIFT_NAMES = invert(SHIFT);
const COND_NAMES = Object.keys(COND);
const GROUP3 = ['test', '', 'not', 'neg', 'mul', 'imul', 'div', 'idiv'];
const SSE_NAMES = invert(SSE);
const SSE_STORE_NAMES = invert(SSE_STORE);
const SSE_SHIFTS = new Map(
  Object.entries(SSE_SHIFT_IMM).map(([name, [code, group]]) => [
    (code & ~7) * 64 + (code & 7) * 8 + group,
    name,
  ]),
);
const COMPARE = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'];

/** Whole instructions without operands that the decoder sees, by opcode with its map. */
const PLAIN: Record<number, string> = {
  195: 'ret',
  204: 'int3',
  244: 'hlt',
  250: 'cli',
  251: 'sti',
  252: 'cld',
  156: 'pushf',
  157: 'popf',
  [MAP_0F | 0x0b]: 'ud2',
  [MAP_0F | 0xa2]: 'cpuid',
  [MAP_0F | 0x30]: 'wrmsr',
  [MAP_0F | 0x31]: 'rdtsc',
  [MAP_0F | 0x32]: 'rdmsr',
};

export function disassemble(code: Uint8Array, at: number): Instruction {
  const d = new Decoder(code, at);
  const text = decode(d);
  if (text === undefined)
    throw new Error(`listing: no instruction known at 0x${at.toString(16)}: ${d.hex(12)}`);
  d.finish();
  const [mnemonic, ...operands] = text;
  const lock = d.lock ? 'lock ' : '';
  return {
    bytes: d.pos - at,
    mnemonic: lock + mnemonic,
    operands: operands.join(','),
    target: d.target,
    field: d.field,
  };
}

/** Mnemonic and operands. */
function decode(d: Decoder): Decoded {
  const op = d.opcode;
  if (op >= MAP_0F) return decodeSse(d, op) ?? decode0F(d, op & ~0xff0000);
  if (op < 0x40) return decodeAlu(d, op);
  if (op >= 0x50 && op <= 0x5f) return [op < 0x58 ? 'push' : 'pop', d.registerName((op & 7) | d.rexB, 8)];
  if (op >= 0x70 && op <= 0x7f) return branch(d, `j${COND_NAMES[op & 15]}`, 1);
  if (op >= 0xb0 && op <= 0xbf) return decodeMovImm(d, op);
  if (op === 0x90 && d.repeat) return ['pause'];
  if (op >= 0x90 && op <= 0x97) return decodeXchgShort(d, op);
  return PLAIN[op] !== undefined ? [PLAIN[op]] : (decodeString(d, op) ?? decodeOther(d, op));
}

function branch(d: Decoder, mnemonic: string, bytes: 1 | 4): Decoded {
  if (bytes === 4) d.field = d.pos;
  const distance = Number(d.signed(bytes));
  d.target = d.pos + distance;
  return [mnemonic];
}

function decodeAlu(d: Decoder, op: number): Decoded {
  const name = ALU_NAMES[op >> 3];
  const form = op & 7;
  const size = form & 1 ? d.size : 1;
  if (form >= 6) return undefined;
  if (form >= 4) return [name, d.registerName(0, size), d.immediate(size, size)];
  const rm = d.rm(size);
  const reg = d.registerName(d.reg, size);
  return form < 2 ? [name, rm, reg] : [name, reg, rm];
}

function decodeMovImm(d: Decoder, op: number): Decoded {
  const size = op < 0xb8 ? 1 : d.size;
  const name = size === 8 ? 'movabs' : 'mov';
  return [name, d.registerName((op & 7) | d.rexB, size), d.hexImmediate(size)];
}

function decodeXchgShort(d: Decoder, op: number): Decoded {
  const reg = (op & 7) | d.rexB;
  if (reg === 0 && d.size === 4) return ['nop'];
  const other = d.registerName(reg, d.size);
  return ['xchg', other, d.registerName(0, d.size)];
}

function decodeString(d: Decoder, op: number): Decoded {
  if (op !== 0xa4 && op !== 0xa5 && op !== 0xaa && op !== 0xab) return undefined;
  const size = op & 1 ? d.size : 1;
  const to = `${PTR[size]} PTR es:[rdi]`;
  const rep = d.repeat ? 'rep ' : '';
  if (op < 0xa8) return [`${rep}movs`, to, `${PTR[size]} PTR ds:[rsi]`];
  return [`${rep}stos`, to, d.registerName(0, size)];
}

function decodeOther(d: Decoder, op: number): Decoded {
  const size = op & 1 ? d.size : 1;
  switch (op) {
    case 0x63:
      d.modrm();
      return ['movsxd', d.registerName(d.reg, d.size), d.rm(4)];
    case 0x69:
    case 0x6b:
      d.modrm();
      return [
        'imul',
        d.registerName(d.reg, d.size),
        d.rm(d.size),
        d.immediate(op === 0x6b ? 1 : d.size, d.size),
      ];
    case 0x80:
    case 0x81:
    case 0x83: {
      const rm = d.rm(size);
      return [ALU_NAMES[d.reg & 7], rm, d.immediate(op === 0x81 ? size : 1, size)];
    }
    case 0x84:
    case 0x85:
    case 0x86:
    case 0x87:
    case 0x88:
    case 0x89: {
      const rm = d.rm(size);
      return [['test', 'xchg', 'mov'][(op - 0x84) >> 1], rm, d.registerName(d.reg, size)];
    }
    case 0x8a:
    case 0x8b:
      d.modrm();
      return ['mov', d.registerName(d.reg, size), d.rm(size)];
    case 0x8d:
      d.modrm();
      return ['lea', d.registerName(d.reg, d.size), d.rm(0)];
    case 0x8f:
      return ['pop', d.rm(8)];
    case 0x99:
      return [d.size === 8 ? 'cqo' : d.size === 2 ? 'cwd' : 'cdq'];
    case 0xa8:
    case 0xa9:
      return ['test', d.registerName(0, size), d.immediate(size, size)];
    case 0xc2:
      return ['ret', d.hexImmediate(2)];
    case 0xc6:
    case 0xc7: {
      const rm = d.rm(size);
      return ['mov', rm, d.immediate(size, size)];
    }
    case 0xc0:
    case 0xc1:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: {
      const rm = d.rm(size);
      const count = op < 0xd0 ? d.hexImmediate(1) : op < 0xd2 ? '1' : 'cl';
      return [SHIFT_NAMES.get(d.reg & 7)!, rm, count];
    }
    case 0xcf:
      return [d.size === 8 ? 'iretq' : 'iret'];
    case 0xe8:
    case 0xe9:
      return branch(d, op === 0xe8 ? 'call' : 'jmp', 4);
    case 0xeb:
      return branch(d, 'jmp', 1);
    case 0xec:
    case 0xed:
      return ['in', d.registerName(0, size), 'dx'];
    case 0xee:
    case 0xef:
      return ['out', 'dx', d.registerName(0, size)];
    case 0xf6:
    case 0xf7: {
      const rm = d.rm(size);
      const name = GROUP3[d.reg & 7];
      return name === 'test' ? [name, rm, d.immediate(size, size)] : [name, rm];
    }
    case 0xfe:
    case 0xff:
      return decodeGroup5(d, op, size);
    default:
      return undefined;
  }
}

function decodeGroup5(d: Decoder, op: number, size: number): Decoded {
  d.modrm();
  const which = d.reg & 7;
  if (which < 2) return [which === 0 ? 'inc' : 'dec', d.rm(size)];
  const names: Record<number, string> = { 2: 'call', 4: 'jmp', 6: 'push' };
  return op === 0xff && names[which] ? [names[which], d.rm(8)] : undefined;
}

/** Two-byte opcodes of integer instructions. */
function decode0F(d: Decoder, op: number): Decoded {
  const low = op & 0xff;
  if ((op & 0x300) !== MAP_0F) return undefined;
  if (PLAIN[op] !== undefined) return [PLAIN[op]];
  if (low >= 0x80 && low <= 0x8f) return branch(d, `j${COND_NAMES[low & 15]}`, 4);
  if (low >= 0xc8 && low <= 0xcf) return ['bswap', d.registerName((low & 7) | d.rexB, d.size)];
  if (low === 0xae) return ({ 232: ['lfence'], 240: ['mfence'], 248: ['sfence'] } as const)[d.u8()]?.slice();
  d.modrm();
  const reg = d.registerName(d.reg, d.size);
  if (low >= 0x90 && low <= 0x9f) return [`set${COND_NAMES[low & 15]}`, d.rm(1)];
  if (low >= 0x40 && low <= 0x4f) return [`cmov${COND_NAMES[low & 15]}`, reg, d.rm(d.size)];
  switch (low) {
    case 0x1f:
      return ['nop', d.rm(d.size)];
    case 0x20:
      return ['mov', d.registerName(d.rmRegister, 8), `cr${d.reg}`];
    case 0x22:
      return ['mov', `cr${d.reg}`, d.registerName(d.rmRegister, 8)];
    case 0xaf:
      return ['imul', reg, d.rm(d.size)];
    case 0xb6:
    case 0xb7:
      return ['movzx', reg, d.rm(low === 0xb6 ? 1 : 2)];
    case 0xbe:
    case 0xbf:
      return ['movsx', reg, d.rm(low === 0xbe ? 1 : 2)];
    case 0xb8:
      return d.repeat ? ['popcnt', reg, d.rm(d.size)] : undefined;
    case 0xba:
      return ['bt', d.rm(d.size), d.hexImmediate(1)];
    case 0xbc:
      return [d.repeat ? 'tzcnt' : 'bsf', reg, d.rm(d.size)];
    case 0xbd:
      return [d.repeat ? 'lzcnt' : 'bsr', reg, d.rm(d.size)];
    case 0xb0:
    case 0xb1:
    case 0xc0:
    case 0xc1: {
      const size = low & 1 ? d.size : 1;
      return [low < 0xc0 ? 'cmpxchg' : 'xadd', d.rm(size), d.registerName(d.reg, size)];
    }
    default:
      return undefined;
  }
}

const DWORD_OPERAND = /^(.*ss|movd|cvtss2sd)$/;
const QWORD_OPERAND = /^(.*sd|movq|cvtsd2ss)$/;
const IMMEDIATE = /^(cmp[sp][sd]|shufps|pshufd|round..)$/;

function operandSize(name: string): number {
  if (name === 'cvtss2sd') return 4;
  if (QWORD_OPERAND.test(name)) return 8;
  return DWORD_OPERAND.test(name) ? 4 : 16;
}

function decodeSse(d: Decoder, op: number): Decoded {
  const store = SSE_STORE_NAMES.get(op);
  const group = (op & ~7) * 64 + (op & 7) * 8;
  const low = op & 0xff;
  if ((low & 0xfc) === 0x70 && low !== 0x70 && op >= MAP_0F) {
    d.modrm();
    const shift = SSE_SHIFTS.get(group + (d.reg & 7));
    return shift ? [shift, d.xmm(d.rmRegister), d.hexImmediate(1)] : undefined;
  }
  if (low === 0x2a || low === 0x2c) {
    d.modrm();
    const single = op >>> 16 === 0xf3;
    if (low === 0x2a) return [single ? 'cvtsi2ss' : 'cvtsi2sd', d.xmm(d.reg), d.rm(d.size)];
    return [single ? 'cvttss2si' : 'cvttsd2si', d.registerName(d.reg, d.size), d.xmmRm(single ? 4 : 8)];
  }
  if (low === 0x6e || (low === 0x7e && op >>> 16 === 0x66)) {
    d.modrm();
    const size = d.rexW ? 8 : 4;
    const name = size === 8 ? 'movq' : 'movd';
    return low === 0x6e ? [name, d.xmm(d.reg), d.rm(size)] : [name, d.rm(size), d.xmm(d.reg)];
  }
  if (store !== undefined) {
    d.modrm();
    return [store, d.xmmRm(operandSize(store)), d.xmm(d.reg)];
  }
  const name = SSE_NAMES.get(op);
  if (name === undefined || (op & MAP_0F3A) === 0) return undefined;
  d.modrm();
  if (name.startsWith('movmskp')) return [name, d.registerName(d.reg, 4), d.xmm(d.rmRegister)];
  const operands = [d.xmm(d.reg), d.xmmRm(operandSize(name))];
  if (!IMMEDIATE.test(name)) return [name, ...operands];
  if (!name.startsWith('cmp')) return [name, ...operands, d.hexImmediate(1)];
  return [`cmp${COMPARE[d.u8()]}${name.slice(3)}`, ...operands];
}
