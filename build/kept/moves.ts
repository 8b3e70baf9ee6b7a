// Where the functions and variables of a module are in the next one of the same program. One that is added or taken away shifts the
// indexes of those behind it; their names stay.

import { type ContextLayout, FIXED_FIELDS, TABLE_FIELDS } from '../object/layout.ts';
import type { FuncType, WasmFunc, WasmGlobal, WasmModule } from '../wasm/module.ts';

/** Of a global's value, and of each field of a table. */
const CELL_BYTES = 8;

interface Version {
  module: WasmModule;
  layout: ContextLayout;
}

export class Moves {
  private readonly functions: ReadonlyMap<number, number>;
  private readonly functionsBefore: ReadonlyMap<number, number>;
  private readonly globals: ReadonlyMap<number, number>;
  /** Offsets in the context, of what takes 8 bytes there. */
  private readonly cells: ReadonlyMap<number, number>;

  /** What is called or used in another way than before is another one. */
  constructor(before: Version, now: Version) {
    this.functions = matched(before.module.funcs, now.module.funcs, identityOfFunction);
    this.functionsBefore = new Map([...this.functions].map(([from, to]) => [to, from]));
    this.globals = matched(before.module.globals, now.module.globals, identityOfGlobal);
    this.cells = matchedCells(before.layout, now.layout, this.globals);
  }

  functionNow(index: number): number | undefined {
    return this.functions.get(index);
  }

  functionBefore(index: number): number | undefined {
    return this.functionsBefore.get(index);
  }

  globalNow(index: number): number | undefined {
    return this.globals.get(index);
  }

  /** Of a byte in the context; of a table's, where the table of the same index is. */
  fieldNow(offset: number): number | undefined {
    if (offset >= FIXED_FIELDS.foreign) return offset;
    const cell = this.cells.get(offset & -CELL_BYTES);
    return cell === undefined ? undefined : cell + (offset & (CELL_BYTES - 1));
  }
}

/** From indexes to indexes, of what has the same identity, or is the n-th of it. */
function matched<T>(
  before: readonly T[],
  now: readonly T[],
  identityOf: (item: T) => string,
): Map<number, number> {
  const indexes = new Map(distinct(now.map(identityOf)).map((identity, index) => [identity, index]));
  const pairs = distinct(before.map(identityOf)).map(
    (identity, index) => [index, indexes.get(identity)] as const,
  );
  return new Map(pairs.filter((pair): pair is [number, number] => pair[1] !== undefined));
}

function matchedCells(
  before: ContextLayout,
  now: ContextLayout,
  globals: ReadonlyMap<number, number>,
): Map<number, number> {
  const cells = new Map<number, number>();
  for (const [from, to] of globals) cells.set(before.globals[from].offset, now.globals[to].offset);
  for (let i = 0; i < Math.min(before.tables.length, now.tables.length); i++)
    for (let at = 0; at < TABLE_FIELDS.bytes; at += CELL_BYTES)
      cells.set(before.tables[i].offset + at, now.tables[i].offset + at);
  return cells;
}

/** Each with its number among those of the same name. */
function distinct(names: readonly string[]): string[] {
  const counts = new Map<string, number>();
  return names.map((name) => {
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return `${count} ${name}`;
  });
}

/** What code that calls it depends on, and its own beside the body. */
function identityOfFunction({ name, type, import: from, cold }: WasmFunc): string {
  return `${signature(type)} ${cold} ${from && JSON.stringify([from.module, from.name])} ${name}`;
}

export function signature({ params, results }: FuncType): string {
  return `${params}>${results}`;
}

/** What code that uses it depends on: the value of one that never changes may be in it. */
function identityOfGlobal({ name, type, mutable, import: from, init }: WasmGlobal): string {
  const value = mutable
    ? ''
    : JSON.stringify(init, (_, part) => (typeof part === 'bigint' ? `${part}` : part));
  return `${type} ${mutable} ${from !== undefined} ${value} ${name}`;
}
