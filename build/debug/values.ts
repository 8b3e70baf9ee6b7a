// Where the variables of a function are at each of its instructions: what SSA form says a variable is there (ir/bindings.ts), and
// where the register allocator has that value (x64/regalloc/values.ts). Where it is nowhere, the variable is optimised out.

import type { Binding } from '../ir/bindings.ts';
import { bytesOf, type Func, type Inst } from '../ir/ir.ts';
import { type Locations, NOWHERE } from '../ir/locations.ts';
import type { Step } from '../x64/emit.ts';
import { type Loc, type MInst, SLOT0, type VReg } from '../x64/mir.ts';
import { leaves, type Places, type PlacesOfValues } from '../x64/regalloc/values.ts';
import type { Selected } from '../x64/select.ts';

/** A variable of the function itself, or of one inlined in it, in a stretch of its code. */
export interface ValueRange {
  func: number;
  /** Location of the call that was inlined, else NOWHERE. */
  call: number;
  local: number;
  /** Offsets in the function's code. */
  start: number;
  end: number;
  at: ValuePlace;
}

export type ValuePlace =
  | { kind: 'register'; register: number }
  /** Bytes from the canonical frame address. */
  | { kind: 'frame'; offset: number }
  | { kind: 'constant'; value: Inst };

/** A binding, and the register of machine IR that its value has got; undefined: it is a constant. */
export interface Tracked extends Binding {
  vreg: VReg | undefined;
}

export interface FunctionValues {
  func: number;
  /** Byte offset of the function's body. */
  bodyStart: number;
  tracked: readonly Tracked[];
  places: PlacesOfValues;
  steps: readonly Step[];
  /** Bytes of code. */
  size: number;
  /** Of the spill slots, from the canonical frame address. */
  slots: number;
}

export function locateValues(input: FunctionValues, locations: Locations): ValueRange[] {
  const ranges = new Ranges(input.slots);
  const scopes = new Scopes(input, locations);
  const { steps, places, size } = input;
  const nowhere: Places = new Map();
  let bound = scopes.at(input.bodyStart);
  steps.forEach(({ offset, inst, cold }, i) => {
    const known = places.get(inst.ops) ?? nowhere;
    const end = steps[i + 1]?.offset ?? size;
    if (i === 0) ranges.add({ start: 0, end: offset, bound, known });
    if (inst.loc !== NOWHERE) bound = scopes.at(inst.loc);
    if (leavesAll(inst, bound, known)) ranges.add({ start: offset, end, bound, known });
    else {
      const first = cold ? offset : Math.min(offset + 1, end);
      ranges.add({ start: offset, end: first, bound, known });
      // On the way through it, as in a call, only what it leaves alone is sure to be there.
      ranges.add({ start: first, end, bound, known: left(inst, known) });
    }
  });
  return ranges.end();
}

function leavesAll(inst: MInst, bound: readonly Keyed[], known: Places): boolean {
  return bound.every(({ binding: { vreg } }) => {
    const locs = vreg === undefined ? undefined : known.get(vreg);
    return locs === undefined || locs.every((loc) => leaves(inst, loc));
  });
}

function left(inst: MInst, known: Places): Places {
  return new Map([...known].map(([vreg, locs]) => [vreg, locs.filter((loc) => leaves(inst, loc))]));
}

/** The bindings of a function whose values its machine IR has. */
export function trackedValues(ir: Func, { vregOf }: Selected): Tracked[] {
  return ir.bindings.flatMap((binding) => {
    const { value } = binding;
    const vreg = value.op === 'const' ? undefined : vregOf(value);
    return value.op === 'const' || vreg !== undefined ? [{ ...binding, vreg }] : [];
  });
}

/** A binding, and what its variable is known by. */
interface Keyed {
  key: string;
  binding: Tracked;
}

/** What is bound where. */
class Scopes {
  private readonly locations: Locations;
  private readonly func: number;
  private readonly scopes = new Map<string, Keyed[]>();
  private readonly known = new Map<number, Keyed[]>();

  constructor({ func, tracked }: FunctionValues, locations: Locations) {
    this.locations = locations;
    this.func = func;
    for (const binding of tracked) {
      const place = `${binding.func} ${binding.call}`;
      const keyed = { key: `${place} ${binding.local}`, binding };
      const scope = this.scopes.get(place);
      if (scope) scope.push(keyed);
      else this.scopes.set(place, [keyed]);
    }
  }

  /** At a location, in the functions inlined around it too. */
  at(loc: number): Keyed[] {
    let bound = this.known.get(loc);
    if (!bound) {
      const from = this.locations.get(loc);
      const own = from ?? { func: this.func, call: NOWHERE, offset: loc };
      const scope = this.scopes.get(`${own.func} ${own.call}`) ?? [];
      bound = scope.filter(({ binding: b }) => b.from <= own.offset && own.offset < b.to);
      if (from) bound = [...this.at(from.call), ...bound];
      this.known.set(loc, bound);
    }
    return bound;
  }
}

/** A stretch that may go on, and where its value is, unless it is a constant. */
interface Open {
  range: ValueRange;
  loc: Loc | undefined;
}

/** Code in which the same variables have the same places. */
interface Stretch {
  start: number;
  end: number;
  bound: readonly Keyed[];
  known: Places;
}

/** Joins what is the same in regions one behind the other. */
class Ranges {
  private readonly found: ValueRange[] = [];
  private readonly slots: number;
  private open = new Map<string, Open>();
  private last: Stretch | undefined;

  constructor(slots: number) {
    this.slots = slots;
  }

  add(next: Stretch): void {
    const { last } = this;
    if (next.start >= next.end) return;
    if (last && last.bound === next.bound && last.known === next.known) last.end = next.end;
    else {
      this.close();
      this.last = next;
    }
  }

  private close(): void {
    if (!this.last) return;
    const { open } = this;
    const { start, end, bound, known } = this.last;
    for (const { key, binding } of bound) {
      const { vreg } = binding;
      const locs = vreg === undefined ? undefined : known.get(vreg);
      if (vreg !== undefined && !locs?.length) continue;
      const before = open.get(key);
      // It ends where this one starts, if it is the same variable's last: what has ended before was not closed yet.
      const stays =
        before?.range.end === start &&
        (locs === undefined
          ? sameConstant(before, binding)
          : before.loc !== undefined && locs.includes(before.loc));
      if (stays) before.range.end = end;
      else {
        const { func, call, local, value } = binding;
        const at: ValuePlace =
          locs === undefined ? { kind: 'constant', value } : placeOf(locs[0], this.slots);
        const range = { func, call, local, start, end, at };
        this.found.push(range);
        open.set(key, { range, loc: locs?.[0] });
      }
    }
  }

  end(): ValueRange[] {
    this.close();
    return this.found;
  }
}

function placeOf(loc: Loc, slots: number): ValuePlace {
  return loc < SLOT0
    ? { kind: 'register', register: loc }
    : { kind: 'frame', offset: slots + 8 * (loc - SLOT0) };
}

function sameConstant({ range, loc }: Open, { value }: Tracked): boolean {
  const { at } = range;
  return (
    loc === undefined &&
    at.kind === 'constant' &&
    at.value.imm === value.imm &&
    bytesOf(at.value.type) === bytesOf(value.type)
  );
}
