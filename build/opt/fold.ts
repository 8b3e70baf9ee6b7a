// Constant folding and algebraic identities. Values are visited in layout order, so that operands are simplified before
// their users. The rules are in fold-integer.ts and fold-other.ts; this file applies them.
//
// A rule may change the instruction in place (the value stays the same) or name a value that replaces it. What may
// trap stays unless it is known not to. Floats fold only where the bits are certain: never to a NaN that arithmetic
// made, whose bits WebAssembly leaves open but the processor does not (core 4.3.3).

import { evaluate, isNaNBits, type Value } from '../ir/evaluate.ts';
import { effectsOf, type Func, type Inst, type Op, type Type } from '../ir/ir.ts';
import { Replacements } from '../ir/params.ts';
import { INTEGER_RULES } from './fold-integer.ts';
import { OTHER_RULES } from './fold-other.ts';

/** Returns what replaces `inst`: another value, `inst` itself if it was changed in place, or undefined for no change. */
export type Rule = (f: Folder, inst: Inst) => Inst | undefined;

/** No chain of rules is longer; the bound only guards against rules that undo each other. */
const ROUNDS_MAX = 16;

export function fold(func: Func): void {
  new Folder(func).run();
}

export class Folder {
  private readonly func: Func;
  private readonly replaced: Replacements;
  /** The new instructions of the block that is being visited. */
  private out: Inst[] = [];
  private at!: Inst;

  constructor(func: Func) {
    this.func = func;
    this.replaced = new Replacements(func.nextValue);
  }

  run(): void {
    for (const block of this.func.blocks) {
      this.out = [];
      for (const inst of block.insts) this.visit(inst);
      block.insts = this.out;
    }
    if (this.replaced.count > 0) this.replaced.rewrite(this.func);
  }

  private visit(inst: Inst): void {
    this.at = inst;
    for (let i = 0; i < inst.args.length; i++) inst.args[i] = this.replaced.get(inst.args[i]);
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const by =
        this.foldConstant(inst) ?? INTEGER_RULES[inst.op]?.(this, inst) ?? OTHER_RULES[inst.op]?.(this, inst);
      if (by === undefined) break;
      if (by === inst) continue;
      this.replaced.set(inst, by);
      return;
    }
    if (inst.op !== 'trapif' || !isConst(inst.args[0], 0)) this.out.push(inst);
  }

  private foldConstant(inst: Inst): Inst | undefined {
    if (inst.args.length === 0 || inst.type === 'none') return undefined;
    for (const a of inst.args) if (a.op !== 'const') return undefined;
    const fx = effectsOf(inst);
    if (fx.reads || fx.writes || fx.pinned) return undefined;
    const value = evaluate(
      inst,
      inst.args.map((a) => a.imm),
    );
    if (value === undefined || (!BIT_EXACT.has(inst.op) && isNaNBits(inst.type, value))) return undefined;
    return this.becomeConst(inst, value);
  }

  // What rules are made of.

  /** Changes the operation and its operands in place. */
  become(inst: Inst, op: Op, ...args: Inst[]): Inst {
    inst.op = op;
    inst.args = args;
    return inst;
  }

  becomeConst(inst: Inst, value: Value): Inst {
    inst.op = 'const';
    inst.args = [];
    inst.imm = value;
    return inst;
  }

  /** A new integer constant, before the instruction that is being visited. */
  constant(type: Type, value: bigint): Inst {
    const inst = this.func.newInst('const', type, []);
    inst.imm = type === 'i32' ? Number(BigInt.asIntN(32, value)) : BigInt.asIntN(64, value);
    inst.loc = this.at.loc;
    inst.block = this.at.block;
    this.out.push(inst);
    return inst;
  }
}

/** Operations that only move bits. */
const BIT_EXACT: ReadonlySet<Op> = new Set(['bitcast', 'fabs', 'fneg', 'fcopysign', 'select']);

/** The value of an integer constant. */
export function constOf(v: Inst): bigint | undefined {
  return v.op === 'const' && (v.type === 'i32' || v.type === 'i64') ? BigInt(v.imm) : undefined;
}

export function isConst(v: Inst, value: number): boolean {
  return (
    v.op === 'const' && (v.type === 'i32' ? v.imm === value : v.type === 'i64' && v.imm === BigInt(value))
  );
}
