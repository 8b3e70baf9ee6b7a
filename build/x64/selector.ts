// What the selection rules work with: virtual registers for values, uses and definitions, and the test whether a
// value may be folded into the instruction that is being lowered. The driver is select.ts, the rules are select-*.ts.

import { effectsOf, type Func, type Inst, type Type } from '../ir/ir.ts';
import { UpperBounds } from '../ir/upper-bounds.ts';
import type { ContextLayout } from '../object/layout.ts';
import {
  type Constraint,
  type MBlock,
  type MData,
  type MEdge,
  MFunc,
  MInst,
  NO_DATA,
  Operand,
  type RegClass,
  type VReg,
} from './mir.ts';

/** What selection needs to know about the module around a function. */
export interface Target {
  model: 'fixed' | 'register';
  layout: ContextLayout;
  /** The instance owns its memory 0, so that the context pointer is also the memory's base (register model). */
  ownsMemory: boolean;
  /** The symbol that a direct call to function `index` goes to; undefined: through its descriptor. */
  callSymbol(index: number): string | undefined;
  /** The symbol of a read-only constant of 4, 8 or 16 bytes. */
  constant(bits: bigint, bytes: 4 | 8 | 16): string;
  /** Told what is made for what, for listings. */
  trace?: (to: MInst, from: Inst) => void;
}

export function classOf(type: Type): RegClass {
  return type === 'f32' || type === 'f64' ? 'float' : 'int';
}

export function sizeOf(type: Type): 4 | 8 {
  return type === 'i32' || type === 'f32' ? 4 : 8;
}

export function isConst(v: Inst): boolean {
  return v.op === 'const';
}

/** The constant as a signed 32-bit immediate of an instruction of the value's size, or undefined. */
export function immediate(v: Inst): number | undefined {
  if (v.op !== 'const') return undefined;
  if (v.type === 'i32') return Number(v.imm) | 0;
  if (v.type !== 'i64') return undefined;
  const n = BigInt(v.imm);
  return n >= -0x80000000n && n <= 0x7fffffffn ? Number(n) : undefined;
}

/** x << 1…3 that can be an index with a scale; `free`: whoever else uses it has it as one too. */
export function scaledIndex(
  s: Selector,
  v: Inst,
  free = false,
): { index: Inst; scale: 2 | 4 | 8 } | undefined {
  if (v.op !== 'shl' || !(free || s.foldable(v))) return undefined;
  const n = immediate(v.args[1]);
  if (n === undefined || n < 1 || n > 3) return undefined;
  return { index: v.args[0], scale: (1 << n) as 2 | 4 | 8 };
}

/** Operators that read only the low 32 bits of an i32 operand's register. */
const LOW_HALF_USERS: ReadonlySet<string> = new Set([
  'add',
  'sub',
  'mul',
  'and',
  'or',
  'xor',
  'shl',
  'shrs',
  'shru',
  'rotl',
  'rotr',
  'divs',
  'divu',
  'rems',
  'remu',
  'clz',
  'ctz',
  'popcnt',
  'extend8s',
  'extend16s',
  'eq',
  'ne',
  'lts',
  'ltu',
  'gts',
  'gtu',
  'les',
  'leu',
  'ges',
  'geu',
  'eqz',
  'sext',
  'br',
  'trapif',
  'converts',
  'bitcast',
]);

/** Those that can be a memory operand of another instruction. */
const LOADS: ReadonlySet<string> = new Set(['load', 'ctxload', 'slotload', 'nload']);

/** Of each variable in the frame. */
export const SLOT_BYTES = 8;

export class Selector {
  readonly func: Func;
  readonly target: Target;
  readonly out: MFunc;
  readonly bounds: UpperBounds;
  /** Machine blocks by IR block id. */
  readonly blocks = new Map<number, MBlock>();
  /** The `result` instructions of each call that has several results (or none). */
  readonly results = new Map<Inst, Inst[]>();
  /** The IR instruction being lowered, and its machine code so far, in order. */
  root!: Inst;
  pending: MInst[] = [];
  /** The hidden results pointer, where the signature has one. */
  hidden: VReg = -1;
  /** Bytes of stack arguments and of memory results that this function's calls need at most. */
  outgoingBytes = 0;
  resultBytes = 0;

  /** Virtual register of each value, -1 while nobody has asked for it. */
  private readonly vregs: Int32Array;
  private readonly uses: Int32Array;
  /** Of them, those as the index of a load or store. */
  private readonly addressUses: Int32Array;
  /** A number for each stretch of a block between instructions with effects. */
  private readonly colours: Int32Array;
  /** Loads that became part of their user. */
  private readonly sunk: Uint8Array;
  /** Some user reads all 64 bits of the register: a `wrap` must clear the upper half. */
  private readonly wideUse: Uint8Array;
  /** Set while a value with several uses is recomputed at one of them: nothing below it may be folded. */
  private duplicating = false;

  constructor(func: Func, target: Target) {
    this.func = func;
    this.target = target;
    this.out = new MFunc(func.name);
    this.bounds = new UpperBounds(func);
    this.vregs = new Int32Array(func.nextValue).fill(-1);
    this.uses = new Int32Array(func.nextValue);
    this.addressUses = new Int32Array(func.nextValue);
    this.colours = new Int32Array(func.nextValue);
    this.sunk = new Uint8Array(func.nextValue);
    this.wideUse = new Uint8Array(func.nextValue);
    this.scan();
  }

  /** Counts uses and colours the instructions. */
  private scan(): void {
    let colour = 0;
    let call: Inst | undefined;
    for (const block of this.func.blocks) {
      colour++;
      let behindSpecial = false;
      for (const inst of block.insts) {
        const fx = effectsOf(inst);
        // A load with a trap of its own keeps its place among those whose trap is `memory`.
        const special = inst.op === 'nload' && fx.traps === true;
        if (special || (behindSpecial && inst.op === 'load')) {
          colour++;
          behindSpecial = special;
        }
        this.colours[inst.id] = colour;
        if (!LOADS.has(inst.op) && (fx.writes || fx.traps || fx.pinned)) colour++;
        this.countUses(inst);
        if (inst.op === 'result') this.results.get(call!)!.push(inst);
        else if (inst.sig && inst.type === 'none') {
          call = inst;
          this.results.set(call, []);
        }
      }
    }
  }

  private countUses(inst: Inst): void {
    const narrow = LOW_HALF_USERS.has(inst.op);
    if (inst.op === 'load' || inst.op === 'store') this.addressUses[inst.args[0].id]++;
    for (let i = 0; i < inst.args.length; i++) {
      const a = inst.args[i];
      this.uses[a.id]++;
      const lowOnly = narrow || (inst.op === 'select' && i === 0) || (inst.op === 'store' && i === 1);
      if (!lowOnly) this.wideUse[a.id] = 1;
    }
    for (const t of inst.targets) {
      for (const a of t.args) {
        this.uses[a.id]++;
        this.wideUse[a.id] = 1;
      }
    }
  }

  /** Whether `inst` needs code of its own, now that all its users have been lowered. */
  mustEmit(inst: Inst): boolean {
    if (this.sunk[inst.id] || inst.op === 'result') return false;
    if (this.vregs[inst.id] >= 0) return true;
    const fx = effectsOf(inst);
    return fx.pinned === true || fx.traps === true;
  }

  // --- machine instructions and operands ---

  emit(op: string, ops: Operand[], data: MData = NO_DATA): MInst {
    const inst = new MInst(op, ops, data, this.root.loc);
    this.pending.push(inst);
    this.target.trace?.(inst, this.root);
    return inst;
  }

  newVReg(cls: RegClass): VReg {
    return this.out.newVReg(cls);
  }

  temp(cls: RegClass = 'int'): Operand {
    return new Operand(this.newVReg(cls), 'temp');
  }

  /** The register of value `v` itself. */
  vregOf(v: Inst): VReg {
    let r = this.vregs[v.id];
    if (r < 0) {
      r = this.out.newVReg(classOf(v.type), v.type === 'i32');
      this.vregs[v.id] = r;
    }
    return r;
  }

  /** The register that has value `v` once it is defined, if any needs one. */
  knownVReg(v: Inst): VReg | undefined {
    const r = this.vregs[this.aliased(v).id];
    return r >= 0 ? r : undefined;
  }

  /** A virtual register that holds `v` here; constants are made anew at each use. */
  value(v: Inst): VReg {
    const x = this.aliased(v);
    if (x.op !== 'const') return this.vregOf(x);
    const r = this.out.newVReg(classOf(x.type), x.type === 'i32');
    const def = new Operand(r, 'def');
    const data = { imm: BigInt(x.imm), size: sizeOf(x.type) };
    this.emit(classOf(x.type) === 'int' ? 'movimm' : 'fconst', [def], data);
    return r;
  }

  /** Sees through conversions that cost nothing: zext of an i32, and wrap where only the low half is read. */
  private aliased(v: Inst): Inst {
    let x = v;
    for (;;) {
      const free = x.op === 'zext' || (x.op === 'wrap' && !this.wideUse[x.id]);
      if (!free || x.args[0].op === 'const') return x;
      x = x.args[0];
    }
  }

  use(v: Inst, constraint: Constraint = 'reg', arg = 0): Operand {
    return new Operand(this.value(v), 'use', constraint, arg);
  }

  lateUse(v: Inst): Operand {
    return new Operand(this.value(v), 'lateuse');
  }

  def(v: Inst, constraint: Constraint = 'reg', arg = 0): Operand {
    return new Operand(this.vregOf(v), 'def', constraint, arg);
  }

  edge(target: { block: { id: number }; args: Inst[] }): MEdge {
    return { block: this.blocks.get(target.block.id)!, args: target.args.map((a) => this.value(a)) };
  }

  // --- folding ---

  usesOf(v: Inst): number {
    return this.uses[v.id];
  }

  /** Whether the value is only used as the index of loads and stores, and so needs no register if they can compute it. */
  isAddress(v: Inst): boolean {
    return this.addressUses[v.id] === this.uses[v.id];
  }

  /** Nothing else needs the value in a register. A comparison that is done twice has asked for its operands' already. */
  private usedOnlyHere(v: Inst): boolean {
    return !this.duplicating && this.uses[v.id] === 1 && this.vregs[v.id] < 0;
  }

  /** A pure value that only this instruction uses and that may as well be computed here. */
  foldable(v: Inst): boolean {
    if (!this.usedOnlyHere(v) || v.op === 'param' || v.op === 'const') return false;
    const fx = effectsOf(v);
    if (fx.reads || fx.writes || fx.traps || fx.pinned) return false;
    return v.block === this.root.block || v.block!.loopDepth >= this.root.block!.loopDepth;
  }

  /** As foldable, but a comparison may be done twice: at each branch or select of its own block. */
  foldableCompare(v: Inst): boolean {
    return this.foldable(v) || (v.block === this.root.block && this.uses[v.id] > 1);
  }

  /** Runs `f`; below a value that is computed more than once, nothing is folded. */
  below<T>(v: Inst, f: () => T): T {
    const was = this.duplicating;
    if (this.uses[v.id] > 1) this.duplicating = true;
    const result = f();
    this.duplicating = was;
    return result;
  }

  /** A load whose access can be a memory operand of the instruction being lowered. */
  foldableLoad(v: Inst, width: number): boolean {
    if (!this.usedOnlyHere(v) || v.width !== width) return false;
    if (!LOADS.has(v.op)) return false;
    return v.block === this.root.block && this.colours[v.id] === this.colours[this.root.id];
  }

  /** The load is now part of its user. */
  sink(v: Inst): void {
    this.sunk[v.id] = 1;
  }
}
