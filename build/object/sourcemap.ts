// A source map of a Wasm file: from byte offsets in the file to places in the source. To ECMA-426 a Wasm file is one
// line of generated code whose columns are byte offsets.

import { TraceMap, traceSegment } from '@jridgewell/trace-mapping';
import { UserError } from '../error.ts';
import { readInput } from '../files.ts';

export interface SourcePosition {
  /** As the map names it, without the map's sourceRoot, which for asc is no real folder. */
  file: string;
  /** Both count from 1. */
  line: number;
  column: number;
}

export class SourceMap {
  private readonly map: TraceMap;

  constructor(map: TraceMap) {
    this.map = map;
  }

  /**
   * What the last mapping at or before `offset` says; one before `start` (of the function that `offset` is in) does not
   * count. Offsets in ascending order are found fastest.
   */
  positionAt(offset: number, start = 0): SourcePosition | undefined {
    const segment = traceSegment(this.map, 0, offset);
    // A segment of one number says that from there on nothing is known.
    if (segment === null || segment.length === 1 || segment[0] < start) return undefined;
    const [, source, line, column] = segment;
    const file = this.map.sources[source];
    if (typeof file !== 'string' || line < 0 || column < 0) return undefined;
    return { file, line: line + 1, column: column + 1 };
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
    throw bad((error as Error).message.replaceAll(/\s+/g, ' '));
  }
  if (typeof json !== 'object' || json === null) throw bad('not a JSON object');
  const { version, sources, mappings } = json as Record<string, unknown>;
  if (version !== 3) throw bad(`"version" is not 3`);
  if (!Array.isArray(sources)) throw bad('"sources" is not an array');
  if (typeof mappings !== 'string') throw bad('"mappings" is not a string');
  return new SourceMap(new TraceMap({ version, sources, names: [], mappings }));
}
