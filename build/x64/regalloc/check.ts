// A checker of register allocations, independent of the allocator, by what each location holds (contents.ts). Requires the
// function before (a deep copy) and after allocation. Guarantees: if it returns, every use reads its value, and every
// constraint of mir.ts holds.

import { type MFunc, type MInst, type Operand, SLOT0 } from '../mir.ts';
import { BlockWalk, followContents, writes } from './contents.ts';
import { Spans } from './spans.ts';

/** Throws an Error that names the place if `after` is not a correct allocation of `before`. */
export function checkAllocation(before: MFunc, after: MFunc): void {
  const spans = new Spans(before);
  followContents(
    before,
    (b, state) => new BlockChecker(before, before.blocks[b], after.blocks[b], state),
    (vreg, block) => spans.reaches(vreg, block),
  );
}

class BlockChecker extends BlockWalk {
  override run(): this {
    super.run();
    if (this.allocated.params.length > 0) this.fail('has block parameters left');
    if (this.at?.targets.some((t) => t.args.length > 0)) this.fail('has edge arguments left');
    return this;
  }

  protected override visit(inst: MInst, source: MInst | undefined): void {
    if (!source) {
      if (inst.ops.length !== 2 || (inst.op !== 'mov' && inst.op !== 'xchg')) this.fail('is no move');
    } else if (source.isMove) {
      const [to, from] = inst.ops;
      this.use(from);
      this.classOf(to);
    } else this.instructionOf(source, inst);
  }

  private instructionOf(source: MInst, inst: MInst): void {
    const uses = inst.ops.filter((op) => !writes(op));
    const exchanged = source.commutative && inst.ops[1].vreg !== source.ops[1].vreg;
    for (const op of uses) this.use(op);
    inst.ops.forEach((op, i) => {
      if (op.vreg !== source.ops[exchanged && (i === 1 || i === 2) ? 3 - i : i].vreg)
        this.fail(`changed operand ${i}`);
      this.constraint(inst, op);
    });
    this.overlaps(inst, uses, inst.ops.filter(writes));
  }

  private use(op: Operand): void {
    if (!this.holds(op.loc).includes(op.vreg)) {
      this.fail(`reads v${op.vreg} in location ${op.loc}, which holds ${this.holds(op.loc)}`);
    }
    this.classOf(op);
  }

  private classOf(op: Operand): void {
    if (op.loc < 0) this.fail(`has no location for v${op.vreg}`);
    const cls = op.loc < 16 ? 'int' : 'float';
    if (op.loc < SLOT0 && cls !== this.before.classes[op.vreg])
      this.fail(`has v${op.vreg} in the wrong class`);
  }

  private constraint(inst: MInst, op: Operand): void {
    this.classOf(op);
    if (op.constraint === 'reg' && op.loc >= SLOT0) this.fail(`needs v${op.vreg} in a register`);
    if (op.constraint === 'fixed' && op.loc !== op.arg) this.fail(`needs v${op.vreg} in register ${op.arg}`);
    if (op.constraint !== 'reuse') return;
    if (op.loc !== inst.ops[op.arg].loc) this.fail(`does not reuse operand ${op.arg}`);
    if (op.loc >= SLOT0) this.fail(`needs v${op.vreg} in a register`);
  }

  /** Whatever is written while a value is still to be read must not lie where that value is. */
  private overlaps(inst: MInst, uses: Operand[], writes: Operand[]): void {
    for (const w of writes) {
      for (const other of writes)
        if (other !== w && other.loc === w.loc) this.fail('writes one location twice');
      const early = w.role === 'earlydef' || w.role === 'temp';
      for (const u of uses) {
        if ((early || u.role === 'lateuse') && u.loc === w.loc) this.fail(`overwrites v${u.vreg} too early`);
      }
    }
    for (const u of uses) {
      if (u.role === 'lateuse' && u.loc < 32 && (inst.clobbers >>> u.loc) & 1)
        this.fail(`destroys v${u.vreg}`);
    }
    for (const w of writes) {
      if (w.role !== 'temp' && w.loc < 32 && (inst.clobbers >>> w.loc) & 1)
        this.fail(`destroys its own v${w.vreg}`);
    }
  }
}
