// A flat view of a machine function for the allocator: instructions in one numbered line, the control-flow graph
// as indices, and for each virtual register its uses in order. Requires MFunc as mir.ts describes it (SSA, critical
// edges split, terminators without defs). Guarantees: nothing in the function is changed.
//
// Each instruction i has four program points: 4i the gap before it, where moves can be inserted; 4i+1 early, where
// it reads its uses; 4i+2 late, where it writes its defs; 4i+3 after it. A value is live in [from, to).

import type { MBlock, MFunc, MInst, Operand, RegEnv, RegSet, VReg } from '../mir.ts';

export const EARLY = 1;
export const LATE = 2;
export const AFTER = 3;

/** What a use asks for. The order matters: everything from `Def` on is a definition. */
export const UseKind = {
  /** Read in the gap: a fixed use or the source of a reuse, which a move brings to its place. */
  Gap: 0,
  Reg: 1,
  Any: 2,
  LateReg: 3,
  LateAny: 4,
  /** Argument of an edge: read at the end of the block. */
  Edge: 5,
  Def: 6,
  EarlyDef: 7,
  AnyDef: 8,
  /** Appears in a fixed register, from which a move in the following gap may take it away. */
  FixedDef: 9,
  Param: 10,
  Temp: 11,
} as const;

const POINT_OF_KIND = [0, EARLY, EARLY, EARLY, EARLY, AFTER, LATE, EARLY, LATE, AFTER, 0, EARLY];
const END_OF_KIND = [1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 1, 3];
const NEEDS_REGISTER = [0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1];
/** What it costs to have the value in memory here, in loads and stores. */
const MEMORY_COST = [0.75, 1, 0.5, 1, 0.5, 0.6, 1, 1, 1, 0.75, 0.6, 1];

/** Added to each block's frequency: code that never runs still takes up room. */
const CODE_SIZE = 0.001;
/** An instruction that destroys as many registers as this counts as a call. */
const CALL_CLOBBERS_MIN = 6;
const NONE: readonly number[] = [];

export function isDef(kind: number): boolean {
  return kind >= UseKind.Def;
}

export class Program {
  readonly func: MFunc;
  readonly env: RegEnv;
  readonly insts: MInst[] = [];
  /** First instruction of each block, and one entry more for the end. */
  readonly blockFirst: Int32Array;
  readonly blockIndex = new Map<MBlock, number>();
  readonly preds: number[][] = [];
  readonly blockOfInst: Int32Array;
  readonly frequency: Float64Array;

  /** The uses of vreg v are those from useBegin[v] to useBegin[v + 1], in program order. */
  readonly useBegin: Int32Array;
  readonly usePoint: Int32Array;
  readonly useKind: Uint8Array;
  /** Instruction, and position of the operand in it (-1: a block parameter or an edge argument). */
  readonly useInst: Int32Array;
  readonly useOperand: Int16Array;
  /** The register that the operand is fixed to, -1 if none. */
  readonly useFixed: Int8Array;

  /** Of each vreg: block, and the point from which it is live. */
  readonly defBlock: Int32Array;
  readonly defPoint: Int32Array;

  /** Of each register, triples [from, to, owner] in order: times when only the owning vreg (-1: none) may be there. */
  readonly reserved: (readonly number[])[] = new Array(32).fill(NONE);
  /** What calls destroy, and the points where; not among the reservations, which would be many. */
  readonly callClobbers: RegSet;
  readonly calls: number[] = [];
  /** 1 for each instruction with a fixed or reused operand. */
  readonly special: Uint8Array;

  constructor(func: MFunc, env: RegEnv) {
    this.func = func;
    this.env = env;
    const vregs = func.classes.length;
    this.blockFirst = new Int32Array(func.blocks.length + 1);
    let uses = 0;
    for (let i = 0; i < func.blocks.length; i++) {
      const b = func.blocks[i];
      this.blockFirst[i] = this.insts.length;
      this.blockIndex.set(b, i);
      this.preds.push([]);
      uses += b.params.length;
      for (let k = 0; k < b.insts.length; k++) {
        this.insts.push(b.insts[k]);
        uses += b.insts[k].ops.length;
      }
      for (const t of terminatorOf(b).targets) uses += t.args.length;
    }
    this.blockFirst[func.blocks.length] = this.insts.length;
    this.blockOfInst = new Int32Array(this.insts.length);
    this.useBegin = new Int32Array(vregs + 1);
    this.usePoint = new Int32Array(uses);
    this.useKind = new Uint8Array(uses);
    this.useInst = new Int32Array(uses);
    this.useOperand = new Int16Array(uses);
    this.useFixed = new Int8Array(uses).fill(-1);
    this.defBlock = new Int32Array(vregs).fill(-1);
    this.defPoint = new Int32Array(vregs).fill(-1);
    this.special = new Uint8Array(this.insts.length);
    this.frequency = new Float64Array(func.blocks.length);
    for (let i = 0; i < func.blocks.length; i++) this.frequency[i] = func.blocks[i].frequency + CODE_SIZE;
    this.callClobbers = commonClobbers(this.insts);
    this.collect();
  }

  /** First point of block b. */
  blockStart(b: number): number {
    return this.blockFirst[b] * 4;
  }

  /** The point behind the last one of block b. */
  blockEnd(b: number): number {
    return this.blockFirst[b + 1] * 4;
  }

  blockAt(point: number): number {
    return this.blockOfInst[point >> 2];
  }

  /** End of the stretch around a use in which it needs its register. */
  useEnd(use: number): number {
    return this.useInst[use] * 4 + END_OF_KIND[this.useKind[use]];
  }

  needsRegister(use: number): boolean {
    return NEEDS_REGISTER[this.useKind[use]] === 1;
  }

  /** Executions of the use times what it costs there when the value is in memory. */
  useWeight(use: number): number {
    return this.frequency[this.blockOfInst[this.useInst[use]]] * MEMORY_COST[this.useKind[use]];
  }

  operandOf(use: number): Operand {
    return this.insts[this.useInst[use]].ops[this.useOperand[use]];
  }

  /** First use of [begin, end) at or behind `point`. */
  firstUseFrom(begin: number, end: number, point: number): number {
    let lo = begin;
    let hi = end;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.usePoint[mid] < point) lo = mid + 1;
      else hi = mid;
    }
    return lo;
  }

  /** Fills the use lists by a counting sort over the virtual registers: count, then place in program order. */
  private collect(): void {
    const begin = this.useBegin;
    for (const b of this.func.blocks) {
      for (const p of b.params) begin[p + 1]++;
      for (const { ops } of b.insts) for (let k = 0; k < ops.length; k++) begin[ops[k].vreg + 1]++;
      for (const t of terminatorOf(b).targets) for (const a of t.args) begin[a + 1]++;
    }
    for (let v = 0; v + 1 < begin.length; v++) begin[v + 1] += begin[v];
    const next = begin.slice();
    const { blocks } = this.func;
    for (let b = 0; b < blocks.length; b++) {
      const first = this.blockFirst[b];
      const { params, insts } = blocks[b];
      this.blockOfInst.fill(b, first, first + insts.length);
      for (const p of params) this.addUse(next, p, first, -1, UseKind.Param, -1);
      for (let k = 0; k < insts.length; k++) this.collectInst(next, first + k, insts[k]);
      const last = first + insts.length - 1;
      for (const t of insts[insts.length - 1].targets) {
        for (const a of t.args) this.addUse(next, a, last, -1, UseKind.Edge, -1);
        this.preds[this.blockIndex.get(t.block)!].push(b);
      }
    }
  }

  private collectInst(next: Int32Array, i: number, inst: MInst): void {
    const { ops } = inst;
    let reused = -1;
    let special = 0;
    for (let k = 0; k < ops.length; k++) {
      const { constraint } = ops[k];
      if (constraint === 'fixed') special = 1;
      else if (constraint === 'reuse') {
        special = 1;
        reused = ops[ops[k].arg].vreg;
      }
    }
    this.special[i] = special;
    // Uses in the gap come before those of the instruction itself, so that each list is in order.
    if (special === 1) this.collectGapUses(next, i, ops, reused);
    for (let k = 0; k < ops.length; k++) {
      const op = ops[k];
      const fixed = op.constraint === 'fixed';
      const isUse = op.role === 'use' || op.role === 'lateuse';
      if (isUse && (fixed || (op.vreg === reused && op.role === 'use'))) continue;
      if (fixed) this.reserve(op.arg, i * 4 + (op.role === 'def' ? LATE : EARLY), i * 4 + AFTER, op.vreg);
      this.addUse(next, op.vreg, i, k, kindOf(op), fixed ? op.arg : -1);
    }
    if (inst.clobbers !== 0) this.collectClobbers(i, inst.clobbers);
  }

  private collectGapUses(next: Int32Array, i: number, ops: Operand[], reused: VReg): void {
    for (let k = 0; k < ops.length; k++) {
      const op = ops[k];
      if (op.role !== 'use' && op.role !== 'lateuse') continue;
      if (op.constraint === 'fixed') {
        this.reserve(op.arg, i * 4 + EARLY, i * 4 + (op.role === 'use' ? LATE : AFTER), op.vreg);
        this.addUse(next, op.vreg, i, k, UseKind.Gap, op.arg);
      } else if (op.vreg === reused && op.role === 'use') {
        this.addUse(next, op.vreg, i, k, UseKind.Gap, -1);
      }
    }
  }

  private collectClobbers(i: number, clobbers: RegSet): void {
    const isCall = this.callClobbers !== 0 && (clobbers & this.callClobbers) >>> 0 === this.callClobbers;
    if (isCall) this.calls.push(i * 4 + LATE);
    for (let left = isCall ? clobbers & ~this.callClobbers : clobbers; left !== 0; left &= left - 1) {
      this.reserve(31 - Math.clz32(left & -left), i * 4 + LATE, i * 4 + AFTER, -1);
    }
  }

  private addUse(
    next: Int32Array,
    v: VReg,
    inst: number,
    operand: number,
    kind: number,
    fixed: number,
  ): void {
    const u = next[v]++;
    this.usePoint[u] = inst * 4 + POINT_OF_KIND[kind];
    this.useKind[u] = kind;
    this.useInst[u] = inst;
    this.useOperand[u] = operand;
    this.useFixed[u] = fixed;
    if (isDef(kind)) {
      this.defPoint[v] = this.usePoint[u];
      this.defBlock[v] = this.blockOfInst[inst];
    }
  }

  private reserve(reg: number, from: number, to: number, owner: VReg): void {
    if (this.reserved[reg] === NONE) this.reserved[reg] = [];
    const list = this.reserved[reg] as number[];
    const last = list.length - 3;
    // Two operands may name one vreg in one register: the list must stay in order by both ends.
    if (last >= 0 && list[last] === from && list[last + 2] === owner)
      list[last + 1] = Math.max(list[last + 1], to);
    else list.push(from, to, owner);
  }
}

function kindOf(op: Operand): number {
  const any = op.constraint === 'any';
  switch (op.role) {
    case 'use':
      return any ? UseKind.Any : UseKind.Reg;
    case 'lateuse':
      return any ? UseKind.LateAny : UseKind.LateReg;
    case 'temp':
      return op.constraint === 'fixed' ? UseKind.FixedDef : UseKind.Temp;
    default:
      if (op.constraint === 'fixed') return UseKind.FixedDef;
      if (op.role === 'earlydef' || op.constraint === 'reuse') return UseKind.EarlyDef;
      return any ? UseKind.AnyDef : UseKind.Def;
  }
}

/** What all instructions that destroy many registers destroy. */
function commonClobbers(insts: MInst[]): RegSet {
  let common = -1;
  let found = false;
  for (const { clobbers } of insts) {
    if (clobbers === 0 || bitCount(clobbers) < CALL_CLOBBERS_MIN) continue;
    common &= clobbers;
    found = true;
  }
  return found ? common >>> 0 : 0;
}

function bitCount(set: RegSet): number {
  let n = 0;
  for (let left = set; left !== 0; left &= left - 1) n++;
  return n;
}

/** The vreg whose location the instruction's result takes over, -1 if none. */
export function reusedVReg(inst: MInst): VReg {
  for (const op of inst.ops) if (op.constraint === 'reuse') return inst.ops[op.arg].vreg;
  return -1;
}

export function terminatorOf(block: MBlock): MInst {
  return block.insts[block.insts.length - 1];
}
