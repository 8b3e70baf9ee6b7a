// Conditions that a branch has decided: where only one way leads to a block, the comparison that chose this way is
// known there and in all that the block dominates, and so are equal and opposite ones; on the edge itself it is known
// even if other ways lead to the same block. Code that makes `a || b` a number and then tests the number becomes two
// branches by this and jump threading (cfg.ts). A trapif that has passed tells as much.
//
// Requires: nothing. Guarantees: only comparisons and their uses become constants; no block and no effect changes.

import { Dominators } from '../ir/dominators.ts';
import {
  type Block,
  COMPARISONS,
  computePreds,
  type Edge,
  type Func,
  INVERSE,
  type Inst,
  type Op,
} from '../ir/ir.ts';

type Truth = 0 | 1;

export function decideConditions(func: Func): void {
  if (func.blocks.length < 3) return;
  computePreds(func);
  const dom = new Dominators(func);
  const facts = new Facts(func, dom);
  for (const block of dom.preOrder()) {
    if (block.preds.length === 1) {
      const { op, args, targets } = block.preds[0].terminator;
      if (op === 'br') facts.learn(args[0], targets[0].block === block ? 1 : 0, block);
    }
    for (const inst of block.insts) {
      facts.apply(inst, block);
      if (inst.op === 'trapif') facts.learn(inst.args[0], 0, block);
    }
    const { op, args, targets } = block.terminator;
    if (op !== 'br') continue;
    facts.applyToEdge(targets[0], args[0], 1);
    facts.applyToEdge(targets[1], args[0], 0);
  }
  facts.addConstants();
}

/** What is known, by comparison. Blocks come in pre-order of the dominator tree: what does not hold any more will not
 * hold again. */
class Facts {
  private readonly func: Func;
  private readonly dom: Dominators;
  private readonly known = new Map<string, { truth: Truth; where: Block }>();
  private readonly constants: (Inst | undefined)[] = [undefined, undefined];

  constructor(func: Func, dom: Dominators) {
    this.func = func;
    this.dom = dom;
  }

  learn(condition: Inst, truth: Truth, where: Block): void {
    if (!COMPARISONS.has(condition.op)) return;
    this.known.set(key(condition.op, condition), { truth, where });
    const opposite = INVERSE[condition.op];
    if (opposite) this.known.set(key(opposite, condition), { truth: truth === 0 ? 1 : 0, where });
  }

  /** Puts what is known in `block` in place of an instruction's operands, its own edges' included. */
  apply(inst: Inst, block: Block): void {
    if (this.known.size === 0) return;
    this.replace(inst.args, (v) => this.find(v, block));
    for (const { args } of inst.targets) this.replace(args, (v) => this.find(v, block));
  }

  applyToEdge({ args }: Edge, condition: Inst, truth: Truth): void {
    if (COMPARISONS.has(condition.op)) this.replace(args, (v) => (v === condition ? truth : undefined));
  }

  private find(value: Inst, block: Block): Truth | undefined {
    if (!COMPARISONS.has(value.op)) return undefined;
    const fact = this.known.get(key(value.op, value));
    return fact && this.dom.dominates(fact.where, block) ? fact.truth : undefined;
  }

  private replace(values: Inst[], truthOf: (value: Inst) => Truth | undefined): void {
    for (let i = 0; i < values.length; i++) {
      const truth = truthOf(values[i]);
      if (truth !== undefined) values[i] = this.constant(truth);
    }
  }

  private constant(truth: Truth): Inst {
    let inst = this.constants[truth];
    if (!inst) {
      inst = this.func.newInst('const', 'i32', []);
      inst.imm = truth;
      inst.block = this.func.blocks[0];
      this.constants[truth] = inst;
    }
    return inst;
  }

  addConstants(): void {
    this.func.blocks[0].insts.unshift(...this.constants.filter((c) => c !== undefined));
  }
}

/** The same for comparisons that compare the same, whose operation may be given for another one. */
function key(op: Op, { args }: Inst): string {
  return `${op} ${args.map((a) => (a.op === 'const' ? `${a.type} ${a.imm}` : a.id)).join()}`;
}
