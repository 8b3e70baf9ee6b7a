// From locations of code (ir/locations.ts) to offsets in the Wasm file and to places in the source.

import type { Locations } from '../ir/locations.ts';
import type { WasmModule } from '../wasm/module.ts';
import type { Place } from './function-info.ts';
import type { SourceMap } from './sourcemap.ts';

/**
 * What asc calls the functions that choose among overriding methods. They are in no source, but Binaryen moves short methods into
 * them, and their lines would seem to be those of all the code behind.
 */
const DISPATCHER = /@override$/;

export class Places {
  private readonly module: WasmModule;
  private readonly locations: Locations;
  private readonly map: SourceMap | undefined;
  private readonly bodies = new Map<number, Place | undefined>();
  /** By offset. */
  private readonly known = new Map<number, Place>();
  /** Where the bodies of dispatchers start. */
  private readonly dispatchers: Set<number>;

  constructor(module: WasmModule, locations: Locations, map: SourceMap | undefined) {
    this.module = module;
    this.locations = locations;
    this.map = map;
    const dispatchers = module.funcs.filter(({ name, body }) => body && DISPATCHER.test(name));
    this.dispatchers = new Set(dispatchers.map(({ body }) => body!.start));
  }

  offsetOf(location: number): number {
    return this.locations.get(location)?.offset ?? location;
  }

  /** The function that the code was inlined from, if it was. */
  functionOf(location: number): number | undefined {
    return this.locations.get(location)?.func;
  }

  /** Of code in the function whose body starts at `bodyStart`. */
  placeOf(location: number, bodyStart: number): Place {
    const from = this.locations.get(location);
    if (!from) return this.atOrBefore(location, bodyStart);
    const { name, body } = this.module.funcs[from.func];
    const { file, line, column } = this.atOrBefore(from.offset, body!.start);
    return { file, line, column, inlined: { name, call: this.placeOf(from.call, bodyStart) } };
  }

  /** What was inlined and is in no source, as the accessors that asc makes for fields, is its call's. */
  inSource(location: number): number {
    const from = this.map && this.locations.get(location);
    return from && !this.ofBody(from.func) ? this.inSource(from.call) : location;
  }

  /** The first place in a function; undefined: the map has none, as of one that asc has made. */
  ofBody(func: number): Place | undefined {
    if (!this.bodies.has(func)) this.bodies.set(func, this.firstIn(this.module.funcs[func].body));
    return this.bodies.get(func);
  }

  private firstIn(body: { start: number; end: number } | undefined): Place | undefined {
    if (!body || this.dispatchers.has(body.start)) return undefined;
    return this.map?.firstPosition(body.start, body.end);
  }

  private atOrBefore(offset: number, start: number): Place {
    let place = this.known.get(offset);
    if (place === undefined) {
      place = (this.dispatchers.has(start) ? undefined : this.map?.positionAt(offset, start)) ?? {};
      this.known.set(offset, place);
    }
    return place;
  }
}
