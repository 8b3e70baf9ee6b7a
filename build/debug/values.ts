// Where the variables of a function are at each of its instructions: what SSA form says a variable is there (ir/bindings.ts), and
// where the register allocator has that value (x64/regalloc/values.ts). Where it is nowhere, the variable is optimised out.

import type { Binding } from '../ir/bindings.ts';
import { bytesOf, type Func, type Inst } from '../ir/ir.ts';
import { type Locations, NOWHERE } from '../ir/locations.ts';
import type { Step } from '../x64/emit.ts';
import { type Loc, SLOT0, type VReg } from '../x64/mir.ts';
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
  const ranges = new Ranges();
  const scopes = new Scopes(input, locations);
  const { steps, places, size } = input;
  const nowhere: Places = new Map();
  let loc = input.bodyStart;
  const region = (start: number, end: number, find: (vreg: VReg) => readonly Loc[] | undefined) => {
    if (start < end) ranges.region(start, end, scopes.at(loc), find, input.slots);
  };
  steps.forEach(({ offset, inst, cold }, i) => {
    const known = places.get(inst.ops) ?? nowhere;
    const end = steps[i + 1]?.offset ?? size;
    if (i === 0) region(0, offset, (vreg) => known.get(vreg));
    if (inst.loc !== NOWHERE) loc = inst.loc;
    const first = cold ? offset : Math.min(offset + 1, end);
    region(offset, first, (vreg) => known.get(vreg));
    // On the way through it, as in a call, only what it leaves alone is sure to be there.
    region(first, end, (vreg) => known.get(vreg)?.filter((l) => leaves(inst, l)));
  });
  return ranges.end(size);
}

/** The bindings of a function whose values its machine IR has. */
export function trackedValues(ir: Func, { vregOf }: Selected): Tracked[] {
  return ir.bindings.flatMap((binding) => {
    const { value } = binding;
    const vreg = value.op === 'const' ? undefined : vregOf(value);
    return value.op === 'const' || vreg !== undefined ? [{ ...binding, vreg }] : [];
  });
}

/** What is bound where. */
class Scopes {
  private readonly locations: Locations;
  private readonly func: number;
  private readonly scopes = new Map<string, Tracked[]>();
  private readonly known = new Map<number, Tracked[]>();

  constructor({ func, tracked }: FunctionValues, locations: Locations) {
    this.locations = locations;
    this.func = func;
    for (const binding of tracked) {
      const key = `${binding.func} ${binding.call}`;
      const scope = this.scopes.get(key);
      if (scope) scope.push(binding);
      else this.scopes.set(key, [binding]);
    }
  }

  /** At a location, in the functions inlined around it too. */
  at(loc: number): Tracked[] {
    let bound = this.known.get(loc);
    if (!bound) {
      const from = this.locations.get(loc);
      const own = from ?? { func: this.func, call: NOWHERE, offset: loc };
      const scope = this.scopes.get(`${own.func} ${own.call}`) ?? [];
      bound = scope.filter((b) => b.from <= own.offset && own.offset < b.to);
      if (from) bound = [...this.at(from.call), ...bound];
      this.known.set(loc, bound);
    }
    return bound;
  }
}

/** Joins what is the same in regions one behind the other. */
class Ranges {
  private readonly found: ValueRange[] = [];
  private open = new Map<string, ValueRange>();

  region(
    start: number,
    end: number,
    bound: readonly Tracked[],
    find: (vreg: VReg) => readonly Loc[] | undefined,
    slots: number,
  ): void {
    const next = new Map<string, ValueRange>();
    for (const { func, call, local, value, vreg } of bound) {
      const key = `${func} ${call} ${local}`;
      const before = this.open.get(key);
      const choices: ValuePlace[] =
        vreg === undefined
          ? [{ kind: 'constant', value }]
          : (find(vreg) ?? []).map((loc) => placeOf(loc, slots));
      if (choices.length === 0) continue;
      const stays = before && choices.some((place) => same(place, before.at));
      if (stays) {
        before.end = end;
        next.set(key, before);
      } else next.set(key, { func, call, local, start, end, at: choices[0] });
    }
    for (const [key, range] of this.open) if (next.get(key) !== range) this.found.push(range);
    this.open = next;
  }

  end(size: number): ValueRange[] {
    this.region(size, size, [], () => undefined, 0);
    return this.found;
  }
}

function placeOf(loc: Loc, slots: number): ValuePlace {
  return loc < SLOT0
    ? { kind: 'register', register: loc }
    : { kind: 'frame', offset: slots + 8 * (loc - SLOT0) };
}

function same(a: ValuePlace, b: ValuePlace): boolean {
  if (a.kind === 'register') return b.kind === 'register' && a.register === b.register;
  if (a.kind === 'frame') return b.kind === 'frame' && a.offset === b.offset;
  return (
    b.kind === 'constant' && a.value.imm === b.value.imm && bytesOf(a.value.type) === bytesOf(b.value.type)
  );
}
