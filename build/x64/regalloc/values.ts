// Where chosen values are before each instruction of allocated code, for debugging information: in every location that
// holds them there on all paths (contents.ts), also behind their last use, for as long as nothing else gets into it.

import type { Loc, MFunc, MInst, Operand, VReg } from '../mir.ts';
import { BlockWalk, followContents, type State, writes } from './contents.ts';
import { SCRATCH_FLOAT } from './parallel-move.ts';

export type Places = ReadonlyMap<VReg, readonly Loc[]>;

/** By the operands of the instruction, which copies of it share. */
export type PlacesOfValues = ReadonlyMap<readonly Operand[], Places>;

/** Locations times instructions beyond which nothing is looked for: the work on a block grows with both. */
const WORK_MAX = 4_000_000;
/** Values times instructions, of all blocks each time that they are walked: a location may hold as many values as there are loops around it. */
const VALUES_MAX = 50_000_000;

export function placesOfValues(before: MFunc, after: MFunc, wanted: ReadonlySet<VReg>): PlacesOfValues {
  const found = new Map<readonly Operand[], Places>();
  const instructions = after.blocks.reduce((n, b) => n + b.insts.length, 0);
  if (instructions * (32 + after.spillSlots) > WORK_MAX) return found;
  let values = 0;
  const done = followContents(before, (b, state) => {
    for (const held of state.values()) values += held.length * after.blocks[b].insts.length;
    return values > VALUES_MAX ? undefined : new ValueWalk(before, b, after, state, { wanted, found });
  });
  return done ? found : new Map();
}

class ValueWalk extends BlockWalk {
  private readonly wanted: ReadonlySet<VReg>;
  private readonly found: Map<readonly Operand[], Places>;
  /** Of the values that are wanted, as long as none of them has moved. */
  private places: Map<VReg, Loc[]> | undefined;

  constructor(
    before: MFunc,
    block: number,
    after: MFunc,
    state: State,
    search: { wanted: ReadonlySet<VReg>; found: Map<readonly Operand[], Places> },
  ) {
    super(before, before.blocks[block], after.blocks[block], state);
    this.wanted = search.wanted;
    this.found = search.found;
  }

  /** A block is walked again until its beginning is known, so that the last time counts. */
  protected override visit({ op, ops }: MInst): void {
    this.places ??= this.placesNow();
    const { places } = this;
    this.found.set(ops, op === 'entry' ? withParameters(places, ops, this.wanted) : places);
  }

  protected override drop(loc: Loc): void {
    this.moved(this.holds(loc));
    super.drop(loc);
  }

  protected override put(loc: Loc, values: readonly VReg[]): void {
    this.moved(this.holds(loc));
    this.moved(values);
    super.put(loc, values);
  }

  /** These come to a location, or leave it. */
  private moved(values: readonly VReg[]): void {
    for (const vreg of values) if (this.wanted.has(vreg)) this.places = undefined;
  }

  private placesNow(): Map<VReg, Loc[]> {
    const places = new Map<VReg, Loc[]>();
    for (const [loc, values] of this.state)
      for (const vreg of values) if (this.wanted.has(vreg) && loc !== SCRATCH_FLOAT) add(places, vreg, loc);
    return places;
  }
}

/** The function's parameters are where they are from its first instruction on. */
function withParameters(
  places: ReadonlyMap<VReg, Loc[]>,
  ops: readonly Operand[],
  wanted: ReadonlySet<VReg>,
): Places {
  const all = new Map([...places].map(([vreg, locs]) => [vreg, [...locs]]));
  for (const operand of ops)
    if (writes(operand) && wanted.has(operand.vreg) && operand.loc !== SCRATCH_FLOAT)
      add(all, operand.vreg, operand.loc);
  return all;
}

function add(places: Map<VReg, Loc[]>, vreg: VReg, loc: Loc): void {
  const known = places.get(vreg);
  if (known) known.push(loc);
  else places.set(vreg, [loc]);
}

/** Whether an instruction leaves a location as it is, all the time that it takes. */
export function leaves({ op, ops, clobbers }: MInst, loc: Loc): boolean {
  if (op === 'ret' || op === 'tailcall') return false; // they take down the frame
  if (loc < 32 && (clobbers >>> loc) & 1) return false;
  return ops.every((operand) => operand.loc !== loc || (op !== 'xchg' && !writes(operand)));
}
