// Machine IR: x86-64 instructions over virtual registers, what the selector makes, the register allocator
// fills in and the emitter encodes. Flags never live from one MInst to the next, so moves may stand anywhere.

import { countMade } from '../heap.ts';

/** Register numbers: 0–15 the integer registers in hardware order, 16–31 xmm0–xmm15. */
export const RAX = 0,
  RCX = 1,
  RDX = 2,
  RBX = 3,
  RSP = 4,
  RBP = 5,
  RSI = 6,
  RDI = 7;
export const R8 = 8,
  R9 = 9,
  R10 = 10,
  R11 = 11,
  R12 = 12,
  R13 = 13,
  R14 = 14,
  R15 = 15;
export const XMM0 = 16;

/** A set of registers, bit i for register i. Always kept unsigned (`>>> 0`). */
export type RegSet = number;

function regSet(...regs: number[]): RegSet {
  let set = 0;
  for (const r of regs) set |= 1 << r;
  return set >>> 0;
}

/** What callees preserve (docs/abi.md §2). */
export const CALLEE_SAVED: RegSet = regSet(RBX, RBP, R12, R13, R14, R15);

export type VReg = number;
export type RegClass = 'int' | 'float';

/** Where an operand lives after allocation: 0–31 a register, 32+n spill slot n (8 bytes each). */
export type Loc = number;
export const SLOT0 = 32;

/**
 * use: read before any def is written. lateuse: read until after the defs are written (never shares a register
 * with a def). def: written after the uses are read. earlydef: written while uses are still read.
 * temp: a scratch register for this instruction only (an earlydef that nothing reads; `vreg` is fresh).
 */
export type Role = 'use' | 'lateuse' | 'def' | 'earlydef' | 'temp';

/**
 * reg: any register of the vreg's class. any: a register or a spill slot. fixed: exactly register `arg`.
 * reuse: (def only) the same location as operand number `arg` of this instruction, a use with constraint reg
 * (the allocator copies first if that value lives on).
 */
export type Constraint = 'reg' | 'any' | 'fixed' | 'reuse';

export class Operand {
  vreg: VReg;
  role: Role;
  constraint: Constraint;
  arg: number;
  /** Filled in by the allocator. */
  loc: Loc = -1;
  constructor(vreg: VReg, role: Role, constraint: Constraint = 'reg', arg = 0) {
    this.vreg = vreg;
    this.role = role;
    this.constraint = constraint;
    this.arg = arg;
  }
}

export interface MEdge {
  block: MBlock;
  /** One for each of the target's params. */
  args: VReg[];
  /** Estimated uses per call of the function, set by estimateFrequencies. */
  frequency?: number;
}

/** One machine instruction (or a short fixed sequence). The emitter knows what `op` means. */
export class MInst {
  op: string;
  ops: Operand[];
  /** Registers destroyed besides the defs; written at the def point (after uses are read). */
  clobbers: RegSet = 0;
  /** A copy: ops = [def, use], both 'any'. The allocator tries to give both the same location. */
  isMove = false;
  /**
   * ops = [def reuse 1, use, use, …]: operands 1 and 2 may be exchanged without changing the result. The allocator
   * does so (their vregs only) where that saves a copy.
   */
  commutative = false;
  /** Terminators only. */
  targets: MEdge[] = [];
  /** Payload for the emitter; the allocator does not look at it. */
  data: MData;
  /** Byte offset in the Wasm file, -1 if none. */
  loc: number;
  constructor(op: string, ops: Operand[], data: MData = NO_DATA, loc = -1) {
    countMade();
    this.op = op;
    this.ops = ops;
    this.data = data;
    this.loc = loc;
  }
}

/** A memory operand: [base + index*scale + disp], registers given as positions in `ops`, -1 for none. */
export interface MMem {
  base: number;
  index: number;
  scale: 1 | 2 | 4 | 8;
  disp: number;
  /** The base is linear memory's pinned base register (register model). */
  pinned?: boolean;
  /** Relative to the context pointer, whatever holds it. */
  context?: boolean;
  /** Relative to the function's slots in its frame. */
  frame?: boolean;
  /** Relative to this symbol (rip-relative); base and index are -1. */
  sym?: string;
  /** An access to linear memory: a fault here is the trap `memory`. */
  linear?: boolean;
  /** A fault here is this trap. */
  trap?: string;
}

export interface MData {
  /** Operand size in bytes. */
  size?: number;
  imm?: number | bigint;
  cond?: string;
  mem?: MMem;
  sym?: string;
  trap?: string;
  [key: string]: unknown;
}
export const NO_DATA: MData = {};
/** Of moves: whole registers, or the lower 32 bits of those whose upper ones are zero. */
export const WIDE: MData = { size: 8 };
export const NARROW: MData = { size: 4 };

export class MBlock {
  id: number;
  params: VReg[] = [];
  /** The last one is the terminator (`targets` may be empty: return, trap). */
  insts: MInst[] = [];
  preds: MBlock[] = [];
  loopDepth = 0;
  /** Estimated executions per call of the function (entry: 1); cold blocks below 0.01. */
  frequency = 1;
  /** The code begins where a window of instructions does: align.ts. */
  aligned = false;
  constructor(id: number) {
    this.id = id;
  }
}

export class MFunc {
  name: string;
  /** In layout order, blocks[0] is the entry (no params, no preds). Critical edges are split: a block with
   * several successors has only successors with one predecessor. */
  blocks: MBlock[] = [];
  /** Class of each virtual register. */
  classes: RegClass[] = [];
  /** Which of them have zero upper 32 bits (i32 values), so that moving the lower ones is enough. */
  narrow: boolean[] = [];
  /** Number of 8-byte spill slots, set by the allocator. */
  spillSlots = 0;
  /** Registers that the allocator used, set by the allocator (the prologue saves the callee-saved ones). */
  usedRegs: RegSet = 0;
  /** Some block is aligned. */
  aligned = false;
  constructor(name: string) {
    this.name = name;
  }
  newVReg(cls: RegClass, narrow = false): VReg {
    this.classes.push(cls);
    this.narrow.push(narrow);
    return this.classes.length - 1;
  }
}

/** What the allocator may use. */
export interface RegEnv {
  /** Allocatable registers. */
  allocatable: RegSet;
  /** Those that calls preserve; using one costs a save and a restore in the prologue and epilogue. */
  calleeSaved: RegSet;
}
