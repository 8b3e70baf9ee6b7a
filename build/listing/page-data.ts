// What the listing's page shows, as JSON: machine code and WebAssembly line by line, each with where it comes from, and the
// sources. A function's `parts` are its own body and those inlined in it; operators are known by their offsets in the module.

import type { Place } from '../object/function-info.ts';
import type { Places } from '../object/places.ts';
import type { Program } from '../object/program.ts';
import type { WasmModule } from '../wasm/module.ts';
import { codeLines } from './code-lines.ts';
import { hexOf } from './listing.ts';
import type { Origins } from './origins.ts';
import type { Profile } from './profile.ts';
import { wasmLines } from './wasm-lines.ts';

/**
 * Offset in the function, bytes, text, operator (-1: none), number of the part, stage, whether something jumps here, samples; where
 * the operator has no line of its own, file and line of the call that it was inlined for (-1: not known).
 */
type CodeRow = [number, string, string, number, number, string, 0 | 1, number, number, number];
/** Offset, depth, text, number of the file (-1: not known), line. */
type WasmRow = [number, number, string, number, number];

interface FunctionData {
  /** Unique. */
  key: string;
  name: string;
  start: number;
  frame: number;
  /** Indices of functions of the module. */
  parts: number[];
  code: CodeRow[];
}

interface PartData {
  name: string;
  bytes: number;
  /** Its lines: file (-1: not known), first and last. */
  file: number;
  first: number;
  last: number;
  operators: WasmRow[];
}

export interface PageData {
  title: string;
  files: { path: string; lines: string[] }[];
  wasm: Record<number, PartData>;
  functions: FunctionData[];
}

export interface PageSources {
  title: string;
  module: WasmModule;
  program: Program;
  origins: Origins;
  places: Places;
  profile?: Profile;
  /** The text of a source that the map names, if it is there. */
  read(file: string): string | undefined;
}

export function pageData(from: PageSources): PageData {
  const { module, program, origins, places, profile } = from;
  const files = new Files(from.read);
  const wasm: PageData['wasm'] = {};
  const functions: FunctionData[] = [];
  for (const { f, lines } of codeLines(program, origins)) {
    const parts = f.func === undefined ? [] : [f.func];
    const code = lines.map((line): CodeRow => {
      const { loc } = line.location ?? { loc: -1 };
      const part = places.functionOf(loc) ?? f.func;
      if (part !== undefined && !parts.includes(part)) parts.push(part);
      const operator = line.location ? places.offsetOf(loc) : -1;
      const at = line.at - f.start;
      const labelled = line.operands.replace(/\.L([0-9a-f]+)/, (_, to) =>
        labelAt(Number.parseInt(to, 16) - f.start),
      );
      const text = `${line.mnemonic.padEnd(6)} ${labelled}`.trimEnd();
      const bytes = hexOf(program.code().subarray(line.at, line.at + line.bytes));
      const [number, target] = [Math.max(parts.indexOf(part ?? -1), 0), line.isTarget ? 1 : 0] as const;
      const call = line.location && callOf(places.placeOf(loc, line.location.bodyStart));
      const [file, callLine] = [files.number(call?.file), call?.line ?? 0];
      return [
        at,
        bytes,
        text,
        operator,
        number,
        line.stage,
        target,
        profile?.get(line.at) ?? 0,
        file,
        callLine,
      ];
    });
    functions.push({ key: f.key, name: f.name, start: f.start, frame: f.frame, parts, code });
    for (const index of parts) wasm[index] ??= partOf(module, index, places, files);
  }
  return { title: from.title, files: files.known, wasm, functions };
}

function labelAt(offset: number): string {
  return `.L${offset.toString(16)}`;
}

/** The nearest call around a place with a known line. */
function callOf(place: Place): Place | undefined {
  let at: Place | undefined = place;
  while (at && at.file === undefined) at = at.inlined?.call;
  return at;
}

function partOf(module: WasmModule, index: number, places: Places, files: Files): PartData {
  const func = module.funcs[index];
  const { start, end } = func.body!;
  const operators = wasmLines(module, func).map(({ offset, depth, text }): WasmRow => {
    const { file, line } = places.placeOf(offset, start);
    return [offset, depth, text, files.number(file), line ?? 0];
  });
  const [, , , file] = operators.find((row) => row[3] >= 0) ?? [0, 0, '', -1];
  const lines = operators.filter((row) => row[3] === file).map((row) => row[4]);
  const [lowest, last] = [Math.min(...lines), Math.max(...lines)];
  const first = file < 0 ? 0 : files.declaration(file, lowest);
  return {
    name: func.name,
    bytes: end - start,
    file,
    first,
    last: files.closing(file, first, last),
    operators,
  };
}

/** Lines before the first operator that may hold a function's declaration. */
const DECLARATION_LINES_MAX = 12;

class Files {
  readonly known: PageData['files'] = [];
  private readonly read: PageSources['read'];
  private readonly numbers = new Map<string, number>();

  constructor(read: PageSources['read']) {
    this.read = read;
  }

  number(path: string | undefined): number {
    if (path === undefined) return -1;
    let number = this.numbers.get(path);
    if (number === undefined) {
      const text = this.read(path);
      number = text === undefined ? -1 : this.known.push({ path, lines: text.split(/\r?\n/) }) - 1;
      this.numbers.set(path, number);
    }
    return number;
  }

  /** The line less indented than what follows, at or before `line`: where the function begins. */
  declaration(file: number, line: number): number {
    const { lines } = this.known[file];
    const own = indentOf(lines[line - 1]);
    for (let at = line - 1; at > Math.max(line - DECLARATION_LINES_MAX, 0); at--) {
      const text = lines[at - 1];
      if (text.trim() === '') break;
      if (indentOf(text) < own) return at;
    }
    return line;
  }

  /** The line behind `last` that closes what `first` opens, if it is that. */
  closing(file: number, first: number, last: number): number {
    if (file < 0) return 0;
    const { lines } = this.known[file];
    const next = lines[last] ?? '';
    return last > first && /^\s*\}/.test(next) && indentOf(next) === indentOf(lines[first - 1])
      ? last + 1
      : last;
  }
}

function indentOf(line = ''): number {
  return line.length - line.trimStart().length;
}
