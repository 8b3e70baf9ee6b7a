// A source map of a Wasm file: from byte offsets in the file to places in the source. To ECMA-426 a Wasm file is one
// line of generated code whose columns are byte offsets.

import { decodedMappings, TraceMap } from '@jridgewell/trace-mapping';
import { oneLine, UserError } from '../error.ts';
import { readInput } from '../files.ts';

export interface SourcePosition {
  /** As the map names it, without the map's sourceRoot, which for asc is no real folder. */
  file: string;
  /** Both count from 1. */
  line: number;
  column: number;
}

/** What follows from an offset on, up to the next one. */
interface Mapping extends SourcePosition {
  offset: number;
}

export class SourceMap {
  /** Those that name a place, in ascending order. Where asc's say that nothing is known, as for some calls, the code before counts. */
  private readonly mappings: Mapping[];

  constructor(map: TraceMap) {
    this.mappings = (decodedMappings(map)[0] ?? []).flatMap((segment) => {
      if (segment.length === 1) return [];
      const [offset, source, line, column] = segment;
      const file = map.sources[source];
      return typeof file === 'string' && line >= 0 && column >= 0
        ? [{ offset, file, line: line + 1, column: column + 1 }]
        : [];
    });
  }

  /** What the last mapping at or before `offset` says; one before `start` (of the function that `offset` is in) does not count. */
  positionAt(offset: number, start = 0): SourcePosition | undefined {
    return this.from(this.countUpTo(offset) - 1, start, offset);
  }

  /** What the first mapping from `start` to below `end` says. */
  firstPosition(start: number, end: number): SourcePosition | undefined {
    return this.from(this.countUpTo(start - 1), start, end - 1);
  }

  private from(index: number, first: number, last: number): SourcePosition | undefined {
    const mapping = this.mappings[index];
    if (mapping === undefined || mapping.offset < first || mapping.offset > last) return undefined;
    const { file, line, column } = mapping;
    return { file, line, column };
  }

  /** How many are at or before an offset. */
  private countUpTo(offset: number): number {
    let low = 0;
    let high = this.mappings.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.mappings[middle].offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export function readSourceMap(path: string): SourceMap {
  return parseSourceMap(new TextDecoder().decode(readInput(path)), path);
}

/** `name` stands in the error if the text is no source map. */
export function parseSourceMap(text: string, name: string): SourceMap {
  const bad = (why: string) => new UserError(`yaos: ${name}: not a source map: ${why}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw bad(oneLine((error as Error).message));
  }
  if (typeof json !== 'object' || json === null) throw bad('not a JSON object');
  const { version, sources, mappings } = json as Record<string, unknown>;
  if (version !== 3) throw bad(`"version" is not 3`);
  if (!Array.isArray(sources)) throw bad('"sources" is not an array');
  if (typeof mappings !== 'string') throw bad('"mappings" is not a string');
  return new SourceMap(new TraceMap({ version, sources, names: [], mappings }));
}
