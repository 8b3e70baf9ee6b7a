// A checker of register allocations, independent of the allocator: abstract interpretation of the allocated code
// over which values each location holds, along every path. Requires the function before (a deep copy) and after
// allocation. Guarantees: if it returns, every use reads its value, and every constraint of mir.ts holds.

import { type Loc, MBlock, MFunc, MInst, NARROW, Operand, SLOT0, type VReg } from '../mir.ts';

/** The values in each location. A location that is absent holds none that is known; the lists are never changed. */
type State = Map<Loc, readonly VReg[]>;

const NOTHING: readonly VReg[] = [];

/** A copy of what allocation changes, to be checked against afterwards. */
export function copyForCheck(func: MFunc): MFunc {
  const copy = new MFunc(func.name);
  copy.classes = func.classes.slice();
  copy.narrow = func.narrow.slice();
  const blocks = new Map(func.blocks.map((b) => [b, new MBlock(b.id)]));
  for (const [b, to] of blocks) {
    to.params = b.params.slice();
    to.insts = b.insts.map((inst) => {
      const ops = inst.ops.map((op) => new Operand(op.vreg, op.role, op.constraint, op.arg));
      const m = new MInst(inst.op, ops, inst.data, inst.loc);
      m.clobbers = inst.clobbers;
      m.isMove = inst.isMove;
      m.commutative = inst.commutative;
      m.targets = inst.targets.map((t) => ({ block: blocks.get(t.block)!, args: t.args.slice() }));
      return m;
    });
  }
  copy.blocks = [...blocks.values()];
  return copy;
}

/** Throws an Error that names the place if `after` is not a correct allocation of `before`. */
export function checkAllocation(before: MFunc, after: MFunc): void {
  const index = new Map(before.blocks.map((b, i) => [b, i]));
  const entries: (State | undefined)[] = before.blocks.map(() => undefined);
  const dirty = new Uint8Array(before.blocks.length);
  entries[0] = new Map();
  dirty[0] = 1;
  for (let again = true; again; ) {
    again = false;
    for (let b = 0; b < dirty.length; b++) {
      if (dirty[b] === 0) continue;
      dirty[b] = 0;
      const checker = new BlockChecker(before, before.blocks[b], after.blocks[b], new Map(entries[b]));
      checker.run();
      for (const target of before.blocks[b].insts.at(-1)!.targets) {
        const to = index.get(target.block)!;
        const merged = merge(entries[to], passArguments(checker.state, target.block.params, target.args));
        if (!merged) continue;
        entries[to] = merged;
        dirty[to] = 1;
        if (to <= b) again = true;
      }
    }
  }
}

/** The parameters take the places of their arguments; what they were before (in a loop) is gone. */
function passArguments(state: State, params: VReg[], args: VReg[]): State {
  if (params.length === 0) return state;
  const replaced = new Set(params);
  const paramsOf = new Map<VReg, VReg[]>();
  args.forEach((arg, i) => {
    paramsOf.set(arg, [...(paramsOf.get(arg) ?? []), params[i]]);
  });
  const out: State = new Map();
  for (const [loc, values] of state) {
    const next = values.filter((v) => !replaced.has(v));
    for (const v of values) next.push(...(paramsOf.get(v) ?? NOTHING));
    if (next.length > 0) out.set(loc, next);
  }
  return out;
}

/** What holds on both ways in, or undefined if that is nothing new. */
function merge(known: State | undefined, incoming: State): State | undefined {
  if (!known) return new Map(incoming);
  let changed = false;
  const out: State = new Map();
  for (const [loc, values] of known) {
    const other = incoming.get(loc) ?? NOTHING;
    const both = other === values ? values : values.filter((v) => other.includes(v));
    if (both.length !== values.length) changed = true;
    if (both.length > 0) out.set(loc, both.length === values.length ? values : both);
  }
  return changed ? out : undefined;
}

/** Walks one block's instructions before and after side by side. */
class BlockChecker {
  readonly state: State;
  private readonly before: MFunc;
  private readonly original: MBlock;
  private readonly allocated: MBlock;
  private at: MInst | undefined;

  constructor(before: MFunc, original: MBlock, allocated: MBlock, state: State) {
    this.before = before;
    this.original = original;
    this.allocated = allocated;
    this.state = state;
  }

  run(): void {
    let k = 0;
    for (const inst of this.allocated.insts) {
      this.at = inst;
      if (inst.ops.length > 0 && inst.ops[0].vreg < 0) {
        this.inserted(inst);
        continue;
      }
      while (this.wasRemoved(this.original.insts[k], inst)) this.rename(this.original.insts[k++]);
      const source = this.original.insts[k++];
      if (!source || source.ops.length !== inst.ops.length) this.fail('is out of order');
      if (source.isMove) this.copy(source, inst);
      else this.instruction(source, inst);
    }
    for (; k < this.original.insts.length; k++) {
      if (!this.original.insts[k].isMove) this.fail(`lost ${this.original.insts[k].op}`);
      this.rename(this.original.insts[k]);
    }
    if (this.allocated.params.length > 0) this.fail('has block parameters left');
    if (this.at?.targets.some((t) => t.args.length > 0)) this.fail('has edge arguments left');
  }

  private fail(what: string): never {
    const at = this.allocated.insts.indexOf(this.at!);
    throw new Error(
      `register allocation of ${this.before.name}: block ${this.original.id}, instruction ${at} (${this.at?.op}) ${what}`,
    );
  }

  private wasRemoved(source: MInst | undefined, inst: MInst): boolean {
    if (!source?.isMove) return false;
    return !inst.isMove || source.ops[0].vreg !== inst.ops[0].vreg;
  }

  private holds(loc: Loc): readonly VReg[] {
    return this.state.get(loc) ?? NOTHING;
  }

  /** A copy: whatever holds its source now holds its result as well. */
  private rename(move: MInst): void {
    const [to, from] = move.ops;
    for (const [loc, values] of this.state) {
      if (values.includes(from.vreg) && !values.includes(to.vreg)) this.state.set(loc, [...values, to.vreg]);
    }
  }

  private copy(source: MInst, inst: MInst): void {
    const [to, from] = inst.ops;
    this.use(from);
    this.classOf(to);
    this.state.set(to.loc, this.holds(from.loc));
    this.rename(source);
  }

  private inserted(inst: MInst): void {
    const [to, from] = inst.ops;
    if (inst.ops.length !== 2 || (inst.op !== 'mov' && inst.op !== 'xchg')) this.fail('is no move');
    const [a, b] = [this.holds(to.loc), this.holds(from.loc)];
    // Half a move is enough for what has nothing in the other half; all values in one place are the same.
    const whole = inst.data !== NARROW || b.some((v) => this.before.narrow[v]);
    this.state.set(to.loc, whole ? b : NOTHING);
    if (inst.op === 'xchg') this.state.set(from.loc, a);
  }

  private instruction(source: MInst, inst: MInst): void {
    const uses = inst.ops.filter((op) => op.role === 'use' || op.role === 'lateuse');
    const writes = inst.ops.filter((op) => op.role !== 'use' && op.role !== 'lateuse');
    const exchanged = source.commutative && inst.ops[1].vreg !== source.ops[1].vreg;
    for (const op of uses) this.use(op);
    inst.ops.forEach((op, i) => {
      if (op.vreg !== source.ops[exchanged && (i === 1 || i === 2) ? 3 - i : i].vreg)
        this.fail(`changed operand ${i}`);
      this.constraint(inst, op);
    });
    this.overlaps(inst, uses, writes);
    for (let r = 0; r < 32; r++) if ((inst.clobbers >>> r) & 1) this.state.delete(r);
    // Copies of an old value (from the last round of a loop) need not be looked for: the block's entry is also reached
    // before the first definition, so that none is known here.
    for (const op of writes) this.state.set(op.loc, op.role === 'temp' ? NOTHING : [op.vreg]);
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
