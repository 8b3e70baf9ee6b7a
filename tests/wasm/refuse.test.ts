// What yaos refuses: each unsupported feature by its name and offset, whether or not the host knows it; invalid and
// hostile files with one line, never a crash.

import { describe, expect, it } from 'vitest';
import { buildFunction } from '../../build/ir/build.ts';
import { layOutContext } from '../../build/object/layout.ts';
import { optimise } from '../../build/opt/passes.ts';
import { WasmError } from '../../build/wasm/module.ts';
import { readModule } from '../../build/wasm/validate.ts';
import { body, file, HEADER, leb, oneFunction, section, vec } from './encode.ts';
import { wat } from './wat.ts';

function refusal(bytes: Uint8Array): string {
  try {
    readModule(bytes);
  } catch (e) {
    if (!(e instanceof WasmError)) throw e;
    expect(e.message).not.toContain('\n');
    return e.message;
  }
  return 'accepted';
}

const VOID = section(1, [1, 0x60, 0, 0]);

/** A module with one function of this code. */
function code(...bytes: number[]): Uint8Array {
  return file(VOID, section(3, [1, 0]), section(10, vec([body([], bytes)])));
}

/** More are in tests/translator/refused.test.ts. */
const UNSUPPORTED: [string, Uint8Array, RegExp][] = [
  ['v128.const', wat('(module (func (drop (v128.const i32x4 0 0 0 0))))'), /SIMD \(v128\) is not supported/],
  ['v128 local', wat('(module (func (local v128)))'), /SIMD/],
  ['try', wat('(module (func (try (do) (catch_all))))'), /exception handling/],
  ['imported tag', file(VOID, section(2, [1, 1, 97, 1, 98, 4, 0, 0])), /exception handling/],
  ['memory64', wat('(module (memory i64 1))'), /memory64/],
  [
    'imported and own memory',
    file(section(2, [1, 1, 97, 1, 98, 2, 0, 1]), section(5, [1, 0, 1])),
    /more than one memory/,
  ],
  ['memory index behind an alignment', code(0x41, 0, 0x28, 0x42, 1, 0, 0x1a), /more than one memory/],
  ['custom page size', file(section(5, [1, 8, 1, 0])), /custom page size/],
  ['shared table', file(section(4, [1, 0x70, 3, 1, 2])), /shared table/],
  [
    'a table of 2^32-1 elements',
    file(section(4, [1, 0x70, 0, ...leb(0xffffffff)])),
    /more than 10000000 elements/,
  ],
  ['wide arithmetic', code(0xfc, 19), /wide arithmetic/],
];

describe('unsupported features', () => {
  for (const [name, bytes, message] of UNSUPPORTED) {
    it(name, () => {
      expect(refusal(bytes)).toMatch(message);
      expect(refusal(bytes)).toMatch(/at byte offset 0x[0-9a-f]+ \(\d+\): /);
    });
  }

  it('gives the offset of the operator', () => {
    const bytes = code(0x01, 0x01, 0xfd, 0x0c, ...new Array(16).fill(0), 0x1a);
    const at = bytes.indexOf(0xfd);
    expect(refusal(bytes)).toBe(`at byte offset 0x${at.toString(16)} (${at}): SIMD (v128) is not supported`);
  });
});

describe('invalid files', () => {
  it("gives the host's message with its offset", () => {
    const bytes = code(0x6a, 0x1a);
    const at = bytes.indexOf(0x6a, 20);
    expect(refusal(bytes)).toMatch(
      new RegExp(`^at byte offset 0x${at.toString(16)} \\(${at}\\): .*i32\\.add`),
    );
  });

  const cases: [string, Uint8Array][] = [
    ['empty', new Uint8Array(0)],
    ['text', Buffer.from('(module)')],
    ['header only, cut', Uint8Array.from(HEADER.slice(0, 7))],
    ['unknown version', Uint8Array.from([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0])],
    ['section beyond the end', file([1, 100, 0])],
    ['huge count', file(section(1, [0xff, 0xff, 0xff, 0xff, 0x0f]))],
    ['huge locals', oneFunction([[0xffffffff, 0x7f]], [])],
    ['many times many locals', oneFunction(new Array(100).fill([50_000, 0x7f]), [])],
    ['overlong number', file(section(1, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]))],
    ['huge br_table', code(0x41, 0, 0x0e, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    ['function without body', file(VOID, section(3, [1, 0]))],
    ['body without function', file(VOID, section(10, vec([body([], [])])))],
    ['type out of range', file(VOID, section(3, [1, 7]))],
    ['export out of range', file(section(7, [1, 1, 97, 0, 0]))],
    ['start out of range', file(section(8, [0]))],
    ['element of a table out of range', file(section(9, [1, 2, 5, 0x41, 0, 0x0b, 0, 0]))],
    ['data beyond the end', file(section(5, [1, 0, 1]), section(11, [1, 0, 0x41, 0, 0x0b, 100]))],
    ['unterminated constant expression', file(section(6, [1, 0x7f, 0, 0x41, 0]))],
    ['call in a constant expression', file(VOID, section(6, [1, 0x7f, 0, 0x10, 0, 0x0b]))],
    ['invalid UTF-8', file(VOID, section(2, [1, 1, 0xff, 1, 98, 0, 0]))],
    ['sections out of order', file(section(3, [0]), section(1, [0]))],
    ['too many ends', code(0x0b, 0x0b, 0x0b)],
    ['else without if', code(0x05)],
  ];
  for (const [name, bytes] of cases) {
    it(name, () => expect(refusal(bytes)).not.toBe('accepted'));
  }

  it('ignores malformed custom sections', () => {
    const names = [4, ...Buffer.from('name'), 1, 0xff, 0xff, 0x03, 1, 2, 3];
    expect(
      readModule(file(VOID, section(3, [1, 0]), section(10, vec([body([], [])])), section(0, names))).funcs[0]
        .name,
    ).toBe('func[0]');
    expect(refusal(file(section(0, [200, 1])))).toMatch(/./);
  });

  it('takes nesting twenty thousand deep', () => {
    const depth = 20_000;
    for (const opcode of [0x02, 0x03]) {
      const inside = [0x41, 0, 0x0d, 0, 0x0b];
      const nested = [
        ...new Array(depth).fill([opcode, 0x40]).flat(),
        ...new Array(depth).fill(inside).flat(),
      ];
      const module = readModule(oneFunction([], nested));
      const env = {
        module,
        layout: layOutContext(module),
        model: 'fixed' as const,
        isIntrinsic: () => false,
      };
      const func = buildFunction(env, 0);
      optimise(func);
      expect(Math.max(...func.blocks.map((b) => b.loopDepth))).toBe(0);
    }
  });
});
