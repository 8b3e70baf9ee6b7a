// The record of one function in the table .yaos.info (docs/abi.md §4): its frame, what traps at which address, and which
// source line each address came from, in inlined functions too. A function has some ten of each, close together, so
// distances as LEB128 take a quarter of what pairs of words would; a reader finds the record by binary search and
// goes through it from the beginning.

import { TrapKind, type TrapName } from '../ir/ir.ts';
import { lastAtOffset } from './by-offset.ts';
import { ByteWriter, type StringTable } from './bytes.ts';

export interface FunctionEntry {
  /** Code offset, as all offsets here. */
  start: number;
  size: number;
  /** Bytes from rsp after the prologue to the return address. */
  frame: number;
  /** Bytes of arguments that it pops on return. */
  pop: number;
  name: string;
}

export interface TrapEntry {
  offset: number;
  kind: TrapName;
}

/** A place in the source; without a file and a line, one that is not known. */
export interface Place {
  file?: string;
  line?: number;
  column?: number;
  /** In a function that was inlined: its name, and the place of the call. */
  inlined?: { name: string; call: Place };
}

/** Holds from its offset to the next one's, or to the end of the function. */
export interface LineEntry extends Place {
  offset: number;
}

/** A function's own code, or a function inlined in it at one call; and one file, if it has code of several. */
interface Scope {
  /** Number of the scope of the call, plus 1; 0: none. */
  caller: number;
  callLine?: number;
  name: string;
  file?: string;
  /** The least of the lines in it. */
  base: number;
}

/** A place by its scope's number. */
interface ScopedLine {
  scope: number;
  line?: number;
}

/** What a reader can hold. */
const LINE_MAX = 0x7fff_ffff;
const NO_LINE = LINE_MAX + 1;

/** `traps` and `lines` are those in the function, by offset. */
export function writeFunctionInfo(
  out: ByteWriter,
  func: FunctionEntry,
  traps: readonly TrapEntry[],
  lines: readonly LineEntry[],
  strings: StringTable,
): void {
  out.uleb(func.size);
  out.uleb(func.frame);
  out.uleb(func.pop);
  const scopes = new Scopes(func.name);
  const places = lastAtOffset(lines).map((l) => ({ offset: l.offset, ...scopes.scoped(l) }));
  writeList(out, (list) => writeTraps(list, func.start, traps));
  writeList(out, (list) => scopes.write(list, strings));
  writeList(out, (list) => writePlaces(list, func.start, places, scopes));
}

function writeList(out: ByteWriter, write: (list: ByteWriter) => void): void {
  const list = new ByteWriter();
  write(list);
  out.uleb(list.length);
  out.append(list.written());
}

function writeTraps(out: ByteWriter, start: number, traps: readonly TrapEntry[]): void {
  let last: TrapEntry | undefined;
  for (const trap of traps) {
    const { offset, kind } = trap;
    if (last?.offset === offset) {
      if (last.kind === kind) continue;
      throw new Error(`tables: traps ${last.kind} and ${kind} at code offset ${offset}`);
    }
    writeStep(out, offset - (last?.offset ?? start), kind === last?.kind ? undefined : TrapKind[kind]);
    last = trap;
  }
}

function writePlaces(
  out: ByteWriter,
  start: number,
  places: readonly ({ offset: number } & ScopedLine)[],
  scopes: Scopes,
): void {
  let at = start;
  let last: ScopedLine = { scope: 0 };
  for (const { offset, scope, line } of places) {
    if (scope === last.scope && line === last.line) continue;
    writeStep(out, offset - at, scope === last.scope ? undefined : scope);
    out.uleb(scopes.lineCode(scope, line));
    at = offset;
    last = { scope, line };
  }
}

/** AssemblyScript begins names with their file's, `lib/log/Line#text` for lib/log.ts: what is told beside the file is shorter. */
function nameIn(file: string, name: string): string {
  const path = `${file.slice(0, file.lastIndexOf('.'))}/`;
  return name.startsWith(path) ? name.slice(path.length) : name;
}

/** To the next address; `value` if it is another one from there on. */
function writeStep(out: ByteWriter, distance: number, value: number | undefined): void {
  out.uleb(2 * distance + (value === undefined ? 0 : 1));
  if (value !== undefined) out.uleb(value);
}

class Scopes {
  private readonly all: Scope[];
  private readonly numbers = new Map<string, number>();

  constructor(name: string) {
    this.all = [{ caller: 0, name, base: NO_LINE }];
  }

  scoped(place: Place): ScopedLine {
    const { file, inlined } = place;
    const line = place.line !== undefined && place.line <= LINE_MAX ? place.line : undefined;
    const scope = this.numberOf(file, inlined);
    const known = this.all[scope];
    if (line !== undefined) known.base = Math.min(known.base, line);
    return { scope, line };
  }

  private numberOf(file: string | undefined, inlined: Place['inlined']): number {
    const own = this.all[0];
    own.file ??= inlined ? undefined : file;
    if (!inlined && (file === undefined || file === own.file)) return 0;
    const call = inlined && this.scoped(inlined.call);
    const caller = call ? call.scope + 1 : 0;
    const name = inlined?.name ?? own.name;
    const key = JSON.stringify([caller, call?.line, name, file]);
    let number = this.numbers.get(key);
    if (number === undefined) {
      number = this.all.push({ caller, callLine: call?.line, name, file, base: NO_LINE }) - 1;
      this.numbers.set(key, number);
    }
    return number;
  }

  lineCode(scope: number, line: number | undefined): number {
    return line === undefined ? 0 : 1 + line - this.all[scope].base;
  }

  write(out: ByteWriter, strings: StringTable): void {
    for (const { caller, callLine, name, file, base } of this.all) {
      out.uleb(caller);
      out.uleb(caller === 0 ? 0 : this.lineCode(caller - 1, callLine));
      out.uleb(strings.add(file === undefined ? name : nameIn(file, name)));
      out.uleb(file === undefined ? 0 : strings.add(file));
      out.uleb(base === NO_LINE ? 0 : base);
    }
  }
}
