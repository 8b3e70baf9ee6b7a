// Global value numbering: a value that an equal one dominates is replaced by it. Values are equal if they are the same
// operation on equal values and depend on nothing else. What may trap counts too: the first one has passed already.
//
// Constants all move to the entry block: the selector makes them anew where they are used. Addresses of the context
// and of symbols are left alone, as one instruction makes them anywhere; comparisons are shared only inside a block,
// where they still merge with their branches.

import { Dominators } from '../ir/dominators.ts';
import { type Block, COMPARISONS, effectsOf, type Func, type Inst, type Op } from '../ir/ir.ts';
import { Replacements } from '../ir/params.ts';

const LEFT_ALONE: ReadonlySet<Op> = new Set(['ctxaddr', 'symaddr', 'membase', 'param', 'result']);

export function numberValues(func: Func): void {
  const dom = new Dominators(func);
  const replaced = new Replacements(func.nextValue);
  const known = new Table();
  const constants: Inst[] = [];
  for (const block of dom.preOrder()) {
    block.insts = block.insts.filter((inst) => {
      for (let i = 0; i < inst.args.length; i++) inst.args[i] = replaced.get(inst.args[i]);
      if (!isShareable(inst)) return true;
      const same = known.find(inst, (earlier) => isAvailable(dom, earlier, block));
      if (same) {
        replaced.set(inst, same);
        return false;
      }
      known.add(inst);
      if (inst.op !== 'const') return true;
      inst.block = func.blocks[0];
      constants.push(inst);
      return false;
    });
  }
  func.blocks[0].insts = constants.concat(func.blocks[0].insts);
  if (replaced.count > 0) replaced.rewrite(func);
}

function isShareable(inst: Inst): boolean {
  if (inst.type === 'none' || LEFT_ALONE.has(inst.op)) return false;
  if (inst.op === 'nload') return !inst.mutable;
  const fx = effectsOf(inst);
  return !fx.reads && !fx.writes && !fx.pinned;
}

function isAvailable(dom: Dominators, earlier: Inst, block: Block): boolean {
  if (COMPARISONS.has(earlier.op)) return earlier.block === block;
  return dom.dominates(earlier.block!, block);
}

/** Values by what they compute. Blocks come in pre-order of the dominator tree: a value that is not available any more
 * will not be so again. */
class Table {
  private readonly buckets = new Map<number, Inst[]>();

  find(inst: Inst, available: (earlier: Inst) => boolean): Inst | undefined {
    const bucket = this.buckets.get(hash(inst));
    if (!bucket) return undefined;
    while (bucket.length > 0 && !available(bucket[bucket.length - 1])) bucket.pop();
    for (let i = bucket.length - 1; i >= 0; i--)
      if (equal(bucket[i], inst) && available(bucket[i])) return bucket[i];
    return undefined;
  }

  add(inst: Inst): void {
    const key = hash(inst);
    const bucket = this.buckets.get(key);
    if (bucket) bucket.push(inst);
    else this.buckets.set(key, [inst]);
  }
}

const opNumbers = new Map<Op, number>();

function opNumber(op: Op): number {
  let n = opNumbers.get(op);
  if (n === undefined) {
    n = opNumbers.size + 1;
    opNumbers.set(op, n);
  }
  return n;
}

function hash(inst: Inst): number {
  let h = Math.imul(opNumber(inst.op), 0x9e3779b1) ^ inst.offset ^ (inst.width << 24);
  for (const a of inst.args) h = Math.imul(h ^ a.id, 0x85ebca6b) ^ (h >>> 15);
  if (inst.op !== 'const') return h;
  const { imm } = inst;
  const low = typeof imm === 'number' ? imm : Number(BigInt.asIntN(32, imm ^ (imm >> 32n)));
  return Math.imul(h ^ low, 0x85ebca6b);
}

function equal(a: Inst, b: Inst): boolean {
  if (a.op !== b.op || a.type !== b.type || a.args.length !== b.args.length || a.imm !== b.imm) return false;
  if (a.offset !== b.offset || a.width !== b.width || a.signed !== b.signed || a.trap !== b.trap)
    return false;
  for (let i = 0; i < a.args.length; i++) if (a.args[i] !== b.args[i]) return false;
  return true;
}
