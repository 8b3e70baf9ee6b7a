// Source maps of Wasm files: positions as asc's own map gives them, and errors that name the file.

import asc from 'assemblyscript/asc';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../build/error.ts';
import { parseSourceMap, readSourceMap } from '../../build/object/sourcemap.ts';

const VLQ = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Base64 VLQ (ECMA-426): the sign in the lowest bit, five bits a digit, bit 5 set where more follow. */
function vlq(values: number[]): string {
  let out = '';
  for (const value of values) {
    let rest = value < 0 ? (-value << 1) | 1 : value << 1;
    do {
      out += VLQ[(rest & 31) | (rest > 31 ? 32 : 0)];
      rest >>>= 5;
    } while (rest > 0);
  }
  return out;
}

function map(segments: number[][], sources: unknown[] = ['a.ts', 'b.ts']): string {
  return JSON.stringify({ version: 3, sources, names: [], mappings: segments.map(vlq).join(',') });
}

describe('a source map', () => {
  it('gives the place of the last mapping at or before an offset', () => {
    // Fields are differences: byte offset, source, line, column.
    const text = map([[100, 0, 9, 4], [10, 1, 11, 0], [5], [5, -1, -20, -3]]);
    const places = parseSourceMap(text, 'x.map');
    const first = { file: 'a.ts', line: 10, column: 5 };
    const second = { file: 'b.ts', line: 21, column: 5 };
    expect(places.positionAt(99)).toBe(undefined);
    expect(places.positionAt(100)).toEqual(first);
    expect(places.positionAt(109)).toEqual(first);
    expect(places.positionAt(110)).toEqual(second);
    expect(places.positionAt(115)).toEqual(second); // a mapping to nothing
    expect(places.positionAt(1e9)).toEqual({ file: 'a.ts', line: 1, column: 2 });
    // A mapping of the function before does not count.
    expect(places.positionAt(109, 100)).toEqual(first);
    expect(places.positionAt(109, 105)).toBe(undefined);
    expect(places.firstPosition(0, 100)).toBe(undefined);
    expect(places.firstPosition(100, 120)).toEqual(first);
    expect(places.firstPosition(101, 120)).toEqual(second);
    expect(places.firstPosition(111, 120)).toBe(undefined);
  });

  it('is quick where it says nothing of a large function', () => {
    const places = parseSourceMap(map([[5], ...Array.from({ length: 1000 }, () => [1000])]), 'x.map');
    let found = 0;
    for (let at = 0; at < 1_000_000; at++) if (places.positionAt(at)) found++;
    expect(found).toBe(0);
  });

  it('of asc has the line of a function in its file', async () => {
    const outputs = new Map<string, string>();
    const source = '// 1\n// 2\nexport function f(a: i32): i32 {\n  return a / 7;\n}\n';
    const { error } = await asc.main(
      ['k/main.ts', '--outFile', 'out.wasm', '--sourceMap', '--runtime', 'stub'],
      {
        readFile: (name: string) => (name === 'k/main.ts' ? source : null),
        writeFile: (name: string, contents: Uint8Array | string) => void outputs.set(name, String(contents)),
        listFiles: () => [],
      },
    );
    expect(error).toBe(null);
    const places = parseSourceMap(outputs.get('out.wasm.map')!, 'out.wasm.map');
    const lines = new Set(
      Array.from({ length: 500 }, (_, at) => places.positionAt(at)).map((p) => `${p?.file}:${p?.line}`),
    );
    expect(lines).toContain('k/main.ts:4');
  });

  it('that is missing or damaged is one line with its name', () => {
    const bad = (text: string) => () => parseSourceMap(text, 'k.wasm.map');
    expect(() => readSourceMap('/nowhere/k.wasm.map')).toThrow(
      'yaos: /nowhere/k.wasm.map: no such file or directory',
    );
    expect(bad('{')).toThrow(/^yaos: k\.wasm\.map: not a source map: [^\n]+$/);
    expect(bad('7')).toThrow('k.wasm.map: not a source map: not a JSON object');
    expect(bad('null')).toThrow('not a JSON object');
    expect(bad('{"version":2}')).toThrow('"version" is not 3');
    expect(bad('{"version":3}')).toThrow('"sources" is not an array');
    expect(bad('{"version":3,"sources":[],"sections":[]}')).toThrow('"mappings" is not a string');
    expect(bad('{')).toThrow(UserError);
  });

  it('with damaged mappings gives a place or none', () => {
    const broken = [
      '',
      ';;;',
      'AAAA,',
      '!!!!',
      'gggggggggggggggg',
      'AAAAé',
      'A',
      'AA',
      'DDDD',
      'AADA',
      'A'.repeat(9),
    ];
    for (const mappings of broken) {
      const places = parseSourceMap(
        JSON.stringify({ version: 3, sources: [null, 'a.ts', 3], mappings }),
        'x',
      );
      for (const offset of [0, 1, 1000]) {
        const position = places.positionAt(offset);
        if (position)
          expect([typeof position.file, position.line >= 1, position.column >= 1]).toEqual([
            'string',
            true,
            true,
          ]);
      }
    }
  });
});
