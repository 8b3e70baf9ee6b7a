// Checks that a function is well-formed: what every pass may rely on and must leave. Structure first, then that each
// value is defined before its uses, then types. The layout invariant: all blocks can be reached, and an edge to the
// same or an earlier block leads to one that dominates its source: a loop's header. So a pass that visits the blocks
// in layout order sees definitions before uses.

import { Dominators } from './dominators.ts';
import { type Block, type Func, type Inst, isTerminator, type Type } from './ir.ts';
import { layoutPositions } from './loops.ts';
import { printInst } from './print.ts';
import { typeError } from './types.ts';

/** Throws an Error that names the function, the instruction and what is wrong; `where` says after which pass. */
export function verify(func: Func, where: string): void {
  const v = new Verifier(func, where);
  v.structure();
  v.dominance();
  v.types();
}

class Verifier {
  private readonly func: Func;
  private readonly where: string;

  constructor(func: Func, where: string) {
    this.func = func;
    this.where = where;
  }

  private fail(message: string, inst?: Inst): never {
    const at = inst ? `: ${inst.op === 'param' ? `v${inst.id}` : printInst(this.func, inst)}` : '';
    throw new Error(`${this.func.name} ${this.where}: ${message}${at}`);
  }

  structure(): void {
    const { blocks } = this.func;
    if (blocks.length === 0) this.fail('no blocks');
    const known = new Set(blocks);
    const seen = new Set<Inst>();
    const ids = new Set<number>();
    if (known.size !== blocks.length) this.fail('a block stands twice in the layout');
    for (const block of blocks) {
      if (block.id >= this.func.nextBlock || ids.has(block.id))
        this.fail(`block number ${block.id} is not unique`);
      ids.add(block.id);
      block.params.forEach((p, i) => {
        if (p.op !== 'param' || p.index !== i) this.fail('a parameter with a wrong position', p);
      });
      for (const inst of [...block.params, ...block.insts]) {
        if (inst.block !== block) this.fail('wrong block', inst);
        if (seen.has(inst)) this.fail('stands twice', inst);
        seen.add(inst);
      }
      this.terminator(block, known);
    }
    this.numbers(seen);
  }

  private numbers(insts: Set<Inst>): void {
    const ids = new Set<number>();
    for (const inst of insts) {
      if (inst.id >= this.func.nextValue || ids.has(inst.id)) this.fail('its number is not unique', inst);
      ids.add(inst.id);
    }
  }

  private terminator(block: Block, known: Set<Block>): void {
    if (block.insts.length === 0) this.fail(`b${block.id} is empty`);
    block.insts.forEach((inst, i) => {
      const last = i === block.insts.length - 1;
      if (isTerminator(inst.op) !== last)
        this.fail(last ? 'not a terminator' : 'a terminator inside a block', inst);
      if (!last && inst.targets.length > 0) this.fail('targets', inst);
    });
    const { targets, op } = block.terminator;
    const wanted = op === 'jump' ? 1 : op === 'br' ? 2 : op === 'switch' ? Math.max(1, targets.length) : 0;
    if (targets.length !== wanted) this.fail('wrong number of targets', block.terminator);
    for (const edge of targets) {
      if (!known.has(edge.block))
        this.fail(`target b${edge.block.id} is not in the layout`, block.terminator);
      if (edge.block === this.func.blocks[0]) this.fail('a jump to the entry block', block.terminator);
      this.edgeTypes(edge.block.params, edge.args, block.terminator);
    }
  }

  private edgeTypes(params: Inst[], args: Inst[], at: Inst): void {
    if (params.length !== args.length) this.fail('wrong number of arguments', at);
    for (let i = 0; i < params.length; i++) {
      if (params[i].type !== args[i].type) this.fail(`argument ${i} has type ${args[i].type}`, at);
    }
  }

  dominance(): void {
    const dom = new Dominators(this.func);
    const position = new Map<Inst, number>();
    for (const b of this.func.blocks) {
      for (const p of b.params) position.set(p, -1);
      b.insts.forEach((inst, i) => {
        position.set(inst, i);
      });
    }
    this.layout(dom);
    for (const b of this.func.blocks) {
      b.insts.forEach((inst, i) => {
        for (const arg of [...inst.args, ...inst.targets.flatMap((e) => e.args)]) {
          const at = position.get(arg);
          if (at === undefined) this.fail(`v${arg.id} (${arg.op}) is not in the function`, inst);
          const from = arg.block!;
          const ok = from === b ? at < i : dom.dominates(from, b);
          if (!ok) this.fail(`v${arg.id} does not dominate its use`, inst);
        }
      });
    }
  }

  private layout(dom: Dominators): void {
    const { blocks } = this.func;
    const position = layoutPositions(this.func);
    blocks.forEach((b, i) => {
      if (!dom.reachable(b)) this.fail(`b${b.id} cannot be reached`);
      for (const { block: to } of b.terminator.targets) {
        if (position[to.id] <= i && !dom.dominates(to, b)) this.fail(`leads back to b${to.id}`, b.terminator);
      }
    });
  }

  types(): void {
    const { sig, blocks } = this.func;
    this.signature(
      sig.params,
      blocks[0].params.map((p) => p.type),
      'parameters',
    );
    for (const b of blocks) {
      let call: Inst | undefined;
      for (const inst of b.insts) {
        const error = typeError(inst, this.func);
        if (error) this.fail(error, inst);
        if (inst.op === 'result') {
          if (inst.args[0] !== call) this.fail('not directly behind its call', inst);
        } else call = inst;
      }
    }
  }

  private signature(want: Type[], have: Type[], what: string): void {
    if (want.join() !== have.join()) this.fail(`${what} (${have}) instead of (${want})`);
  }
}
