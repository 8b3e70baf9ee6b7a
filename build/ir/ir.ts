// The SSA intermediate form: functions of blocks with parameters, every instruction a value with at most one
// result. The builder makes it from WebAssembly, passes rewrite it, the selector turns it into machine code.
//
// Types are i32, i64, f32 and f64; a reference is an i64 (a native pointer, null = 0). Everything that
// depends on the instance (globals, tables, segments) is already explicit loads and stores relative to the
// context (see object/layout.ts), so that passes see it.

import { countMade } from '../heap.ts';
import type { Binding } from './bindings.ts';

export type Type = 'i32' | 'i64' | 'f32' | 'f64' | 'none';

/** Kinds of trap. The numbers are the ones in the trap table and in the runtime's header. */
export const TrapKind = {
  unreachable: 1,
  division: 2, // #DE at an idiv/div: by zero or overflow, told apart by the divisor
  integerOverflow: 3, // float to int
  invalidConversion: 4,
  memory: 5, // out of bounds memory access
  table: 6, // out of bounds table access
  undefinedElement: 7,
  uninitializedElement: 8,
  signature: 9, // indirect call type mismatch
  stack: 10,
  unaligned: 11, // unaligned atomic
  unshared: 12, // expected shared memory
} as const;
export type TrapName = keyof typeof TrapKind;

export type IntBinary =
  | 'add'
  | 'sub'
  | 'mul'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shrs'
  | 'shru'
  | 'rotl'
  | 'rotr';
export type IntDivision = 'divs' | 'divu' | 'rems' | 'remu';
export type IntUnary = 'clz' | 'ctz' | 'popcnt' | 'extend8s' | 'extend16s' | 'extend32s';
export type IntCompare = 'eq' | 'ne' | 'lts' | 'ltu' | 'gts' | 'gtu' | 'les' | 'leu' | 'ges' | 'geu';
export type FloatBinary = 'fadd' | 'fsub' | 'fmul' | 'fdiv' | 'fmin' | 'fmax' | 'fcopysign';
export type FloatUnary = 'fabs' | 'fneg' | 'fsqrt' | 'fceil' | 'ffloor' | 'ftrunc' | 'fnearest';
export type FloatCompare = 'feq' | 'fne' | 'flt' | 'fgt' | 'fle' | 'fge';
export type Convert =
  | 'wrap' // i64 -> i32
  | 'sext' // i32 -> i64
  | 'zext' // i32 -> i64
  | 'truncs'
  | 'truncu' // float -> int, traps
  | 'truncsats'
  | 'truncsatu' // float -> int, saturates
  | 'converts'
  | 'convertu' // int -> float
  | 'demote'
  | 'promote'
  | 'bitcast'; // reinterpret between int and float of the same width

export type Op =
  | 'param' // a block parameter (function parameters are those of the entry block); never in `insts`
  | 'const' // `imm`
  | IntBinary
  | IntDivision
  | 'mulhis'
  | 'mulhiu' // i64: the upper half of the 128-bit product
  | IntUnary
  | IntCompare
  | 'eqz'
  | FloatBinary
  | FloatUnary
  | FloatCompare
  | Convert
  | 'select' // args: condition (i32), value if non-zero, value if zero
  // Linear memory. args[0]: the i32 index; `offset` (0 … 2^32-1) is added without wrapping. May trap (memory).
  | 'load' // `width` bytes, `signed`; result `type`
  | 'store' // args: index, value; `width`
  | 'aload'
  | 'astore' // atomic, sequentially consistent; the builder has put the alignment check before it
  | 'armw' // args: index, operand; `rmw`: add sub and or xor xchg; result: the old value, zero-extended
  | 'acmpxchg' // args: index, expected, replacement; result: the old value, zero-extended
  | 'fence'
  // The context (module instance). `offset` is signed, relative to the context pointer.
  | 'ctxaddr' // i64: the native address context + offset
  | 'ctxload'
  | 'ctxstore' // a field of `width` bytes, never traps; `mutable` false: never changes after start
  // The function's own frame, which nothing else can reach: `index` of `Func.slots`; `width` is the type's.
  | 'slotload'
  | 'slotstore'
  // Native memory, 64-bit addresses: tables, descriptors, segments. args[0]: i64 address; `offset` signed.
  | 'nload' // with `trap` set, an address in the first page traps with that kind
  | 'nstore'
  | 'symaddr' // i64: the address of symbol `sym` + offset
  | 'membase' // i64: the native address of linear memory's byte 0
  | 'memcopy' // args: native dst, native src, i64 byte count: memmove, already checked
  | 'memfill' // args: native dst, i32 byte, i64 byte count: already checked
  // Calls. A call with exactly one result has its type; otherwise 'none', and a 'result' follows for each.
  | 'call' // `func`: function index; `sig`
  | 'callref' // args[0]: i64 descriptor (not null, type already checked), then the arguments; `sig`
  | 'libcall' // a C function of the runtime, `sym`; System V; at most six integer arguments, at most one result
  | 'result' // args: the call; `index`
  | 'x86' // a machine intrinsic, `intrinsic`; volatile: never moved, merged or dropped
  | 'trapif' // args: i32 condition; traps with `trap` if it is not zero
  // Terminators
  | 'jump' // targets[0]
  | 'br' // args: i32 condition; targets: [if not zero, if zero]
  | 'switch' // args: i32 index; targets: cases, the last one the default (index compared unsigned)
  | 'return' // args: the function's results
  | 'tailcall' // as call
  | 'tailcallref' // as callref
  | 'trap'; // `trap`

export interface Sig {
  params: Type[];
  results: Type[];
}

/** An edge of the control-flow graph with the arguments for the target's parameters. */
export interface Edge {
  block: Block;
  args: Inst[];
}

export type Rmw = 'add' | 'sub' | 'and' | 'or' | 'xor' | 'xchg';

/** An instruction, and the value that it makes. All fields exist on every instance (one hidden class). */
export class Inst {
  id: number;
  op: Op;
  type: Type;
  args: Inst[];
  block: Block | undefined = undefined;
  /** const: i32 as a signed number, f32 as its bits (unsigned number), i64 signed and f64 bits as bigint. */
  imm: number | bigint = 0;
  offset = 0;
  /** Bytes accessed: 1, 2, 4 or 8. */
  width = 0;
  signed = false;
  mutable = true;
  trap: TrapName | undefined = undefined;
  /** call, tailcall: function index; result: which; param: position; slotload, slotstore: slot. */
  index = 0;
  sig: Sig | undefined = undefined;
  sym = '';
  rmw: Rmw | undefined = undefined;
  intrinsic = '';
  targets: Edge[] = [];
  /** Where it came from: ir/locations.ts. */
  loc = -1;

  constructor(id: number, op: Op, type: Type, args: Inst[]) {
    this.id = id;
    this.op = op;
    this.type = type;
    this.args = args;
  }

  /** The same operation on other operands, in no block, and without targets. */
  copy(id: number, args: Inst[]): Inst {
    const copy = new Inst(id, this.op, this.type, args);
    copy.imm = this.imm;
    copy.offset = this.offset;
    copy.width = this.width;
    copy.signed = this.signed;
    copy.mutable = this.mutable;
    copy.trap = this.trap;
    copy.index = this.index;
    copy.sig = this.sig;
    copy.sym = this.sym;
    copy.rmw = this.rmw;
    copy.intrinsic = this.intrinsic;
    copy.loc = this.loc;
    return copy;
  }
}

export class Block {
  id: number;
  params: Inst[] = [];
  /** In order; the last one is the terminator. */
  insts: Inst[] = [];
  /** Number of loops around it. */
  loopDepth = 0;
  /** Predecessors, one entry an edge; made by `computePreds`. */
  preds: Block[] = [];
  constructor(id: number) {
    this.id = id;
  }
  get terminator(): Inst {
    return this.insts[this.insts.length - 1];
  }
}

export class Func {
  name: string;
  /** Index in the module's function index space; -1 for functions that the translator makes itself. */
  index: number;
  sig: Sig;
  /** blocks[0] is the entry; its params are the function's. The order is the layout order. */
  blocks: Block[] = [];
  nextValue = 0;
  nextBlock = 0;
  /** Types of the variables that are kept in the frame. */
  slots: Type[] = [];
  /** Names of parameters and locals that the source gave to values, for debug information. */
  valueNames: Map<Inst, string> = new Map();
  /** What its variables are where, if debug information is wanted. */
  bindings: Binding[] = [];

  constructor(name: string, index: number, sig: Sig) {
    this.name = name;
    this.index = index;
    this.sig = sig;
  }

  newBlock(): Block {
    const b = new Block(this.nextBlock++);
    return b;
  }

  newInst(op: Op, type: Type, args: Inst[]): Inst {
    countMade();
    return new Inst(this.nextValue++, op, type, args);
  }

  addParam(block: Block, type: Type): Inst {
    const p = this.newInst('param', type, []);
    p.block = block;
    p.index = block.params.length;
    block.params.push(p);
    return p;
  }
}

const TERMINATORS: ReadonlySet<Op> = new Set([
  'jump',
  'br',
  'switch',
  'return',
  'tailcall',
  'tailcallref',
  'trap',
]);

export function isTerminator(op: Op): boolean {
  return TERMINATORS.has(op);
}

/** Operations whose result is 0 or 1. */
export const COMPARISONS: ReadonlySet<Op> = new Set<Op>(
  'eq ne lts ltu gts gtu les leu ges geu eqz feq fne flt fgt fle fge'.split(' ') as Op[],
);

/** The comparison that holds where this one does not. Of integers only: of two floats that are not numbers, neither does. */
export const INVERSE: Partial<Record<Op, Op>> = {
  eq: 'ne',
  ne: 'eq',
  lts: 'ges',
  ges: 'lts',
  gts: 'les',
  les: 'gts',
  ltu: 'geu',
  geu: 'ltu',
  gtu: 'leu',
  leu: 'gtu',
};

/** Bits of an integer type. */
export function bitsOf(type: Type): 32 | 64 {
  return type === 'i32' ? 32 : 64;
}

/** Bytes of a value in memory. */
export function bytesOf(type: Type): 4 | 8 {
  return type === 'i32' || type === 'f32' ? 4 : 8;
}

/** The count of a shift by a constant, which wraps (WebAssembly core 4.3.2). */
export function shiftCount({ type, args: [, count] }: Inst): number {
  return Number(BigInt(count.imm) & BigInt(bitsOf(type) - 1));
}

/** Low bits that an `extendNs` extends. */
export function extendedBits(op: Op): number {
  return Number(op.slice('extend'.length, -1));
}

/** `all` is all that others than the function can reach: everything but its slots. */
export type Memory = 'linear' | 'context' | 'native' | 'slots' | 'all';

/** What an instruction may do besides computing its result. */
export interface Effects {
  /** Reads memory that something may write. */
  reads?: Memory;
  writes?: Memory;
  /** May end the function abnormally. */
  traps?: boolean;
  /** Must stay, in order, exactly once. */
  pinned?: boolean;
}

const PURE: Effects = {};
const DIVISION: Effects = { traps: true };
const EFFECTS: Partial<Record<Op, Effects>> = {
  divs: DIVISION,
  divu: DIVISION,
  rems: DIVISION,
  remu: DIVISION,
  truncs: { traps: true },
  truncu: { traps: true },
  load: { reads: 'linear', traps: true },
  store: { writes: 'linear', traps: true, pinned: true },
  aload: { reads: 'all', writes: 'all', traps: true, pinned: true },
  astore: { reads: 'all', writes: 'all', traps: true, pinned: true },
  armw: { reads: 'all', writes: 'all', traps: true, pinned: true },
  acmpxchg: { reads: 'all', writes: 'all', traps: true, pinned: true },
  fence: { reads: 'all', writes: 'all', pinned: true },
  ctxload: { reads: 'context' },
  ctxstore: { writes: 'context', pinned: true },
  slotload: { reads: 'slots' },
  slotstore: { writes: 'slots', pinned: true },
  nload: { reads: 'native', traps: true },
  nstore: { writes: 'native', pinned: true },
  memcopy: { reads: 'all', writes: 'all', traps: true, pinned: true },
  memfill: { writes: 'all', traps: true, pinned: true },
  call: { reads: 'all', writes: 'all', traps: true, pinned: true },
  callref: { reads: 'all', writes: 'all', traps: true, pinned: true },
  libcall: { reads: 'all', writes: 'all', traps: true, pinned: true },
  result: { pinned: true },
  x86: { reads: 'all', writes: 'all', traps: true, pinned: true },
  trapif: { traps: true, pinned: true },
};

export function effectsOf(inst: Inst): Effects {
  if (isTerminator(inst.op)) return { reads: 'all', traps: true, pinned: true };
  if (inst.op === 'ctxload' && !inst.mutable) return PURE;
  if (inst.op === 'nload' && inst.trap === undefined) return inst.mutable ? { reads: 'native' } : PURE;
  return EFFECTS[inst.op] ?? PURE;
}

/** Fills in every block's `preds`. */
export function computePreds(func: Func): void {
  for (const b of func.blocks) b.preds = [];
  for (const b of func.blocks) for (const e of b.terminator.targets) e.block.preds.push(b);
}
