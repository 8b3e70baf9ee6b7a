// The tables of tables.ts for a kernel's image, a quarter as large (docs/abi.md §4): who reports a panic has all the time that
// it takes to unpack them, and goes through them once. Three parts, each coded by itself: the functions, their places, and the
// symbols that those name. kernel/panic/unpack.ts reads them.

import { TrapKind } from '../ir/ir.ts';
import { AdaptiveEncoder } from './adaptive-coder.ts';
import { ByOffset } from './by-offset.ts';
import { ByteWriter } from './bytes.ts';
import type { FunctionEntry, Place, TrapEntry } from './function-info.ts';

/** A place for all addresses from `first` to `last` that a back trace may ask for; they are text offsets. */
export interface PlaceEntry extends Place {
  offset: number;
  first: number;
  last: number;
}

export interface PackedInput {
  functions: readonly FunctionEntry[];
  traps: readonly TrapEntry[];
  lines: readonly PlaceEntry[];
}

/** Kinds of numbers and truths (AdaptiveEncoder), by part. */
const FUNCTION = { distance: 0, frame: 1, pop: 2, traps: 3, trapDistance: 4, trapKind: 5 };
const FUNCTION_KINDS = 6;
const PLACE = {
  count: 0,
  fine: 1,
  unit: 2,
  offset: 3,
  newScope: 4,
  inCurrent: 5,
  caller: 6,
  stays: 7,
  scope: 8,
  noLine: 9,
  firstLine: 10,
  sameLine: 11,
  up: 12,
  upBy: 13,
  downBy: 14,
  newSymbol: 15,
  symbol: 16,
};
const PLACE_KINDS = 17;
const SYMBOL = { sameFile: 0, newFile: 1, file: 2, sameClass: 3 };
const SYMBOL_KINDS = 4;

/** What a reader has room for. */
const LINE_MAX = 0xffff;

/** Places change at multiples of this, from the function's start, where one lies between two stops. */
const UNIT_LOG2 = 3;

/** Bits are coded, and not written as they are (docs/abi.md §4). */
const CODED = 1;

export function packTables({ functions, traps, lines: places }: PackedInput): Uint8Array {
  const sorted = functions.toSorted((a, b) => a.start - b.start);
  const symbols = new Symbols(places);
  const functionPart = new FunctionPart();
  const placePart = new PlacePart(symbols);
  const [trapsLeft, placesLeft] = [new ByOffset(traps), new ByOffset(places)];
  for (const f of sorted) {
    const end = f.start + f.size;
    functionPart.add(f, trapsLeft.takeBefore(end));
    placePart.add(f, placesLeft.takeBefore(end));
  }
  const parts = [functionPart.coder.end(), placePart.coder.end(), symbols.coded()];
  const out = new ByteWriter();
  for (const count of [
    CODED,
    ...parts.map((part) => part.length),
    ...[sorted.length, functionPart.traps, placePart.places, placePart.scopes],
    ...[symbols.count, symbols.files, symbols.textBytes],
  ])
    out.u32(count);
  for (const part of parts) out.append(part);
  return out.written();
}

class FunctionPart {
  readonly coder = new AdaptiveEncoder(FUNCTION_KINDS);
  traps = 0;
  private start = 0;

  add({ start, frame, pop }: FunctionEntry, traps: TrapEntry[]): void {
    const { coder } = this;
    coder.number(FUNCTION.distance, start - this.start);
    coder.number(FUNCTION.frame, frame / 8);
    coder.number(FUNCTION.pop, pop / 8);
    this.start = start;
    // An access to memory is told by the address that it fails at.
    const told = traps.filter(({ kind }) => kind !== 'memory');
    coder.number(FUNCTION.traps, told.length);
    this.traps += told.length;
    let at = start;
    for (const { offset, kind } of told) {
      coder.number(FUNCTION.trapDistance, offset - at);
      coder.number(FUNCTION.trapKind, TrapKind[kind]);
      at = offset;
    }
  }
}

/** A function's own code, or a function inlined in it at one call. */
interface Scope {
  symbol: number;
  /** Undefined: none was told. */
  lastLine: number | undefined;
}

class PlacePart {
  readonly coder = new AdaptiveEncoder(PLACE_KINDS);
  places = 0;
  scopes = 0;
  private readonly symbols: Symbols;
  /** By symbol, the first line that was told of it. */
  private readonly firstLines: number[] = [];
  // Of the function that is being written.
  private list: Scope[] = [];
  private readonly numbers = new Map<string, number>();
  private current = 0;

  constructor(symbols: Symbols) {
    this.symbols = symbols;
  }

  add(f: FunctionEntry, entries: PlaceEntry[]): void {
    const { coder } = this;
    const ownFile = entries.map(fileAround).find((file) => file !== undefined);
    this.list = [];
    this.numbers.clear();
    this.addScope({ name: f.name, file: ownFile });
    this.numbers.set(keyOf(undefined, undefined, f.name, ownFile), 0);
    const runs = merged(entries);
    coder.number(PLACE.count, runs.length);
    this.places += runs.length;
    this.current = 0;
    let unit = 0;
    let end = f.start - 1; // the last address that was asked for
    for (const run of runs) {
      unit = this.writeChange(end + 1 - f.start, run.first - f.start, unit);
      this.writePlace(run, f.name, ownFile);
      end = run.last;
    }
    this.scopes += this.list.length;
  }

  /** Anywhere from `low` to `high` will do. */
  private writeChange(low: number, high: number, before: number): number {
    const { coder } = this;
    const unit = high >>> UNIT_LOG2;
    const fine = unit << UNIT_LOG2 < low;
    coder.flag(PLACE.fine, fine);
    coder.number(PLACE.unit, unit - before);
    if (fine) coder.number(PLACE.offset, high & ((1 << UNIT_LOG2) - 1));
    return unit;
  }

  private writePlace(place: Place, name: string, ownFile: string | undefined): void {
    const { coder } = this;
    const scope = this.scopeOf(place, name, ownFile);
    coder.flag(PLACE.newScope, false);
    const stays = scope === this.current;
    coder.flag(PLACE.stays, stays, Math.min(this.list.length, 3));
    if (!stays) coder.number(PLACE.scope, this.list.length - 1 - scope);
    this.current = scope;
    this.writeLine(scope, place.line);
  }

  /** Writes the scopes that are new, the outermost first. */
  private scopeOf({ file, inlined }: Place, own: string, ownFile: string | undefined): number {
    if (!inlined && file === undefined) return 0;
    const caller = inlined && this.scopeOf(inlined.call, own, ownFile);
    const name = inlined?.name ?? own;
    const key = keyOf(caller, inlined?.call.line, name, file);
    let number = this.numbers.get(key);
    if (number !== undefined) return number;
    number = this.list.length;
    this.numbers.set(key, number);
    const { coder } = this;
    coder.flag(PLACE.newScope, true);
    coder.flag(PLACE.inCurrent, caller === this.current);
    if (caller !== this.current) coder.number(PLACE.caller, caller === undefined ? 0 : number - caller);
    if (caller !== undefined) this.writeLine(caller, inlined?.call.line);
    this.addScope({ name, file });
    this.current = number;
    return number;
  }

  private addScope(symbol: SourceSymbol): void {
    this.list.push({ symbol: this.symbols.write(this.coder, symbol), lastLine: undefined });
  }

  /** By the last line in the scope, or else by the first one that was told of its function. */
  private writeLine(number: number, told: number | undefined): void {
    const { coder } = this;
    const line = told !== undefined && told > 0 && told <= LINE_MAX ? told : undefined;
    const scope = this.list[number];
    coder.flag(PLACE.noLine, line === undefined);
    if (line === undefined) return;
    const fresh = scope.lastLine === undefined;
    const before = scope.lastLine ?? this.firstLines[scope.symbol];
    scope.lastLine = line;
    if (before === undefined) {
      this.firstLines[scope.symbol] = line;
      coder.number(PLACE.firstLine, line);
      return;
    }
    coder.flag(PLACE.sameLine, line === before);
    if (line === before) return;
    const up = line > before;
    coder.flag(PLACE.up, up, fresh ? 1 : 0);
    coder.number(up ? PLACE.upBy : PLACE.downBy, Math.abs(line - before) - 1);
  }
}

function keyOf(caller: number | undefined, line: number | undefined, name: string, file = ''): string {
  return `${caller} ${line} ${file}\0${name}`;
}

/** The file of the function that others are inlined in. */
function fileAround(place: Place): string | undefined {
  return place.inlined ? fileAround(place.inlined.call) : place.file;
}

/** Those that say the same, one after the other, as one. */
function merged(entries: PlaceEntry[]): PlaceEntry[] {
  const runs: PlaceEntry[] = [];
  for (const entry of entries) {
    const before = runs.at(-1);
    if (before && isSame(before, entry)) before.last = entry.last;
    else runs.push({ ...entry });
  }
  return runs;
}

function isSame(a: Place, b: Place): boolean {
  if (a.file !== b.file || a.line !== b.line || a.inlined?.name !== b.inlined?.name) return false;
  return !a.inlined || !b.inlined || isSame(a.inlined.call, b.inlined.call);
}

interface SourceSymbol {
  name: string;
  file: string | undefined;
}

/** Functions of the source by name and file. A place tells which by how long ago it was last told, or brings a new one. */
class Symbols {
  files = 0;
  textBytes = 0;
  private readonly coder = new AdaptiveEncoder(SYMBOL_KINDS);
  private readonly numbers = new Map<string, number>();
  /** The last one first. */
  private readonly recent: number[] = [];
  private readonly recentFiles: string[] = [];
  private readonly lastInFile = new Map<string, string>();
  /** Files by how names in them begin. */
  private readonly stems: Map<string, string>;

  constructor(places: readonly Place[]) {
    this.stems = new Map([...filesOf(places)].map((file) => [stemOf(file), file]));
  }

  get count(): number {
    return this.numbers.size;
  }

  coded(): Uint8Array {
    return this.coder.end();
  }

  write(coder: AdaptiveEncoder, { name, file = this.fileByName(name) }: SourceSymbol): number {
    const key = keyOf(undefined, undefined, name, file);
    const known = this.numbers.get(key);
    coder.flag(PLACE.newSymbol, known === undefined);
    const number = known ?? this.numbers.size;
    if (known === undefined) {
      this.numbers.set(key, number);
      this.add(name, file);
    } else {
      const age = this.recent.indexOf(number);
      coder.number(PLACE.symbol, age);
      this.recent.splice(age, 1);
    }
    this.recent.unshift(number);
    return number;
  }

  /** AssemblyScript begins names with their file's. */
  private fileByName(name: string): string {
    for (let at = name.lastIndexOf('/'); at > 0; at = name.lastIndexOf('/', at - 1)) {
      const file = this.stems.get(name.slice(0, at + 1));
      if (file !== undefined) return file;
    }
    return '';
  }

  private add(name: string, file: string): void {
    const { coder, recentFiles } = this;
    const age = recentFiles.indexOf(file);
    coder.flag(SYMBOL.sameFile, age === 0);
    if (age !== 0) {
      coder.flag(SYMBOL.newFile, age < 0);
      if (age < 0) this.writeText(file, '');
      else coder.number(SYMBOL.file, age - 1);
    }
    if (age < 0) this.files++;
    else recentFiles.splice(age, 1);
    recentFiles.unshift(file);
    this.writeName(nameIn(file, name), this.lastInFile.get(file) ?? '');
    this.lastInFile.set(file, nameIn(file, name));
  }

  /** Methods follow others of their class. */
  private writeName(name: string, last: string): void {
    const prefix = last.slice(0, last.indexOf('#') + 1);
    const { coder } = this;
    const same = name.startsWith(prefix);
    if (prefix !== '') coder.flag(SYMBOL.sameClass, same);
    if (same) this.writeText(name.slice(prefix.length), prefix);
    else this.writeText(name, '');
  }

  private writeText(text: string, before: string): void {
    this.textBytes += [...before, ...text].length + 1;
    this.coder.text(text, before);
  }
}

function filesOf(places: readonly Place[]): Set<string> {
  const files = new Set<string>();
  for (const entry of places)
    for (let place: Place | undefined = entry; place; place = place.inlined?.call)
      if (place.file !== undefined) files.add(place.file);
  return files;
}

function stemOf(file: string): string {
  return `${file.slice(0, file.lastIndexOf('.'))}/`;
}

/** What is told beside the file is shorter; so are the classes that a generic one is of, without their files. */
function nameIn(file: string, name: string): string {
  const stem = stemOf(file);
  const own = file !== '' && name.startsWith(stem) ? name.slice(stem.length) : name;
  return own.replace(/(?<=[<,|])[^<>,|]*\//g, '');
}
