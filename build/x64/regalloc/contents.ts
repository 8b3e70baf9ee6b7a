// Which values each location holds before each instruction of allocated code, along every path: abstract interpretation,
// independent of the allocator. Requires the function before (a deep copy) and after allocation. What is found there is true if
// the allocation is correct; check.ts finds out whether it is.

import { type Loc, MBlock, MFunc, MInst, NARROW, Operand, type VReg } from '../mir.ts';

/** The values in each location. A location that is absent holds none that is known; the lists are never changed. */
export type State = Map<Loc, readonly VReg[]>;

const NOTHING: readonly VReg[] = [];

/** Among the values of a location: one of those that it is the same as has nothing in the upper half, and may not be named any more. */
const A_NARROW_ONE: VReg = -1;

/** A copy of what allocation changes, to be compared with afterwards. */
export function copyForComparison(func: MFunc): MFunc {
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

/** Walks all blocks until nothing new is found, and tells whether it came to that; `walk` makes the walker of a block that begins in a
 * state, or gives up. Values are followed into the blocks that they are wanted in: a location may hold one for each loop around it. */
export function followContents(
  before: MFunc,
  walk: (block: number, state: State) => BlockWalk | undefined,
  isWanted?: (vreg: VReg, block: number) => boolean,
): boolean {
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
      const state = walk(b, new Map(entries[b]))?.run().state;
      if (!state) return false;
      for (const target of before.blocks[b].insts.at(-1)!.targets) {
        const to = index.get(target.block)!;
        const passed = passArguments(state, target.block.params, target.args);
        const wanted = isWanted ? only(passed, before.narrow, (vreg) => isWanted(vreg, to)) : passed;
        const merged = merge(entries[to], wanted);
        if (!merged) continue;
        entries[to] = merged;
        dirty[to] = 1;
        if (to <= b) again = true;
      }
    }
  }
  return true;
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

function only(state: State, narrow: readonly boolean[], isWanted: (vreg: VReg) => boolean): State {
  const out: State = new Map();
  for (const [loc, values] of state) {
    const wanted = values.filter((v) => v !== A_NARROW_ONE && isWanted(v));
    if (wanted.length === 0) continue;
    if (values.some((v) => v === A_NARROW_ONE || narrow[v])) wanted.push(A_NARROW_ONE);
    out.set(loc, wanted);
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
export class BlockWalk {
  readonly state: State;
  protected readonly before: MFunc;
  protected readonly original: MBlock;
  protected readonly allocated: MBlock;
  protected at: MInst | undefined;

  constructor(before: MFunc, original: MBlock, allocated: MBlock, state: State) {
    this.before = before;
    this.original = original;
    this.allocated = allocated;
    this.state = state;
  }

  run(): this {
    let k = 0;
    for (const inst of this.allocated.insts) {
      this.at = inst;
      if (inst.ops.length > 0 && inst.ops[0].vreg < 0) {
        this.visit(inst, undefined);
        this.inserted(inst);
        continue;
      }
      while (this.wasRemoved(this.original.insts[k], inst)) this.rename(this.original.insts[k++]);
      const source = this.original.insts[k++];
      if (!source || source.ops.length !== inst.ops.length) this.fail('is out of order');
      this.visit(inst, source);
      if (source.isMove) this.copy(source, inst);
      else this.instruction(inst);
    }
    for (; k < this.original.insts.length; k++) {
      if (!this.original.insts[k].isMove) this.fail(`lost ${this.original.insts[k].op}`);
      this.rename(this.original.insts[k]);
    }
    return this;
  }

  /** Before an instruction, which was `source`; undefined: the allocator inserted it. */
  protected visit(_inst: MInst, _source: MInst | undefined): void {}

  protected fail(what: string): never {
    const at = this.allocated.insts.indexOf(this.at!);
    throw new Error(
      `register allocation of ${this.before.name}: block ${this.original.id}, instruction ${at} (${this.at?.op}) ${what}`,
    );
  }

  private wasRemoved(source: MInst | undefined, inst: MInst): boolean {
    if (!source?.isMove) return false;
    return !inst.isMove || source.ops[0].vreg !== inst.ops[0].vreg;
  }

  protected holds(loc: Loc): readonly VReg[] {
    return this.state.get(loc) ?? NOTHING;
  }

  protected drop(loc: Loc): void {
    this.state.delete(loc);
  }

  protected put(loc: Loc, values: readonly VReg[]): void {
    this.state.set(loc, values);
  }

  /** A copy: whatever holds its source now holds its result as well. */
  private rename(move: MInst): void {
    const [to, from] = move.ops;
    for (const [loc, values] of this.state) {
      if (values.includes(from.vreg) && !values.includes(to.vreg)) this.put(loc, [...values, to.vreg]);
    }
  }

  private copy(source: MInst, inst: MInst): void {
    const [to, from] = inst.ops;
    this.put(to.loc, this.holds(from.loc));
    this.rename(source);
  }

  private inserted(inst: MInst): void {
    const [to, from] = inst.ops;
    const [a, b] = [this.holds(to.loc), this.holds(from.loc)];
    // Half a move is enough for what has nothing in the other half; all values in one place are the same.
    const whole = inst.data !== NARROW || b.some((v) => v === A_NARROW_ONE || this.before.narrow[v]);
    this.put(to.loc, whole ? b : NOTHING);
    if (inst.op === 'xchg') this.put(from.loc, a);
  }

  private instruction(inst: MInst): void {
    for (let r = 0; r < 32; r++) if ((inst.clobbers >>> r) & 1) this.drop(r);
    // Copies of an old value (from the last round of a loop) need not be looked for: the block's entry is also reached
    // before the first definition, so that none is known here.
    for (const op of inst.ops) if (writes(op)) this.put(op.loc, op.role === 'temp' ? NOTHING : [op.vreg]);
  }
}

export function writes({ role }: Operand): boolean {
  return role !== 'use' && role !== 'lateuse';
}
