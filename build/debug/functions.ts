// What the writers of debugging information are told: each function's code, from which places in the source it comes, and
// what was inlined where in it.

import { type Locations, NOWHERE } from '../ir/locations.ts';
import { ByOffset, lastAtOffset } from '../object/by-offset.ts';
import type { Place } from '../object/function-info.ts';
import type { Places } from '../object/places.ts';
import type { PlacedFunction, Program } from '../object/program.ts';
import type { ValuePlace, ValueRange } from './values.ts';

/** All offsets here are text offsets, but those of frames, which count from the function's start. */
export interface DebugFunction extends PlacedFunction {
  /** Its first place in its own source. */
  place: Place | undefined;
  rows: Row[];
  inlined: Inlined[];
  /** Of its own locals, by index. */
  values: ReadonlyMap<number, readonly ValueAt[]>;
}

interface OwnValues {
  values: Map<number, ValueAt[]>;
}

/** Where a variable is in a stretch of code. */
export interface ValueAt extends Range {
  at: ValuePlace;
}

/** From here on the code is of this place, in the innermost of the functions that are inlined there. */
export interface Row {
  offset: number;
  place: Place;
}

/** One call that was replaced by the called function's code. */
export interface Inlined {
  /** Index in the module of the function that was called. */
  func: number;
  /** Of the call. */
  call: Place;
  ranges: Range[];
  /** Calls in it that were replaced. */
  inlined: Inlined[];
  values: ReadonlyMap<number, readonly ValueAt[]>;
}

export interface Range {
  start: number;
  end: number;
}

/** All functions of a program, in the order of their code. */
export function debugFunctions(
  program: Program,
  places: Places,
  locations: Locations,
  values: ReadonlyMap<number, readonly ValueRange[]>,
): DebugFunction[] {
  const functions = program.functions.toSorted((a, b) => a.start - b.start);
  const lines = new ByOffset(program.lines);
  return functions.map((f) => {
    const scope = new Scope(f, places, locations);
    for (const line of lastAtOffset(lines.takeBefore(f.start + f.size))) scope.add(line);
    for (const value of values.get(f.func ?? -1) ?? []) scope.addValue(value);
    return scope.end();
  });
}

/** Collects what is known of a function's code. */
class Scope {
  private readonly function: PlacedFunction;
  private readonly places: Places;
  private readonly locations: Locations;
  private readonly rows: Row[] = [];
  private readonly inlined: Inlined[] = [];
  /** By function and location of the call. */
  private readonly calls = new Map<string, Inlined & OwnValues>();
  private readonly values: OwnValues['values'] = new Map();
  /** Those that the code is in. */
  private open: Inlined[] = [];

  constructor(f: PlacedFunction, places: Places, locations: Locations) {
    this.function = f;
    this.places = places;
    this.locations = locations;
  }

  add({ offset, loc: from, bodyStart }: Program['lines'][number]): void {
    const loc = this.places.inSource(from);
    const place = this.places.placeOf(loc, bodyStart);
    this.close(offset);
    this.open = this.chain(loc, bodyStart);
    for (const { ranges } of this.open) {
      const last = ranges.at(-1);
      if (last?.end === offset) last.end = -1;
      else ranges.push({ start: offset, end: -1 });
    }
    this.rows.push({ offset, place });
  }

  /** Once all lines have been added. */
  addValue({ func, call, local, start, end, at }: ValueRange): void {
    const inlined = this.calls.get(`${func} ${this.places.inSource(call)}`);
    const values = call === NOWHERE ? this.values : inlined?.values;
    if (!values) return; // no line is in it
    const known = values.get(local);
    const value = { start: this.function.start + start, end: this.function.start + end, at };
    if (known) known.push(value);
    else values.set(local, [value]);
  }

  end(): DebugFunction {
    const { func, start, size } = this.function;
    this.close(start + size);
    const place = func === undefined ? undefined : this.places.ofBody(func);
    const { rows, inlined, values } = this;
    return { ...this.function, place, rows, inlined, values };
  }

  private close(offset: number): void {
    for (const { ranges } of this.open) ranges.at(-1)!.end = offset;
  }

  /** The inlined calls around a location, the outermost first. */
  private chain(loc: number, bodyStart: number): Inlined[] {
    const from = this.locations.get(loc);
    if (!from) return [];
    const at = this.places.inSource(from.call);
    const outer = this.chain(at, bodyStart);
    const key = `${from.func} ${at}`;
    let call = this.calls.get(key);
    if (call === undefined) {
      const { inlined: _, ...place } = this.places.placeOf(at, bodyStart);
      call = { func: from.func, call: place, ranges: [], inlined: [], values: new Map() };
      this.calls.set(key, call);
      (outer.at(-1)?.inlined ?? this.inlined).push(call);
    }
    return [...outer, call];
  }
}
