// Modules that the translator must refuse: those of proposals outside its set, by the feature's name and its place;
// truncated and damaged ones, never with anything but a WasmError of one line. The host's validation is the oracle of
// what is valid.

import { expect, test } from 'vitest';
import { translate } from '../../build/translate.ts';
import { WasmError } from '../../build/wasm/module.ts';
import { engine } from './engine.ts';
import { addProgram, finishModule, startModule } from './program.ts';
import { Random } from './values.ts';
import { type Bytes, u32 } from './wasm.ts';

const SEED = Number(process.env.SEED ?? 1);
const DAMAGED = Number(process.env.N ?? 200);

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const section = (id: number, ...bytes: Bytes): Bytes => [id, ...u32(bytes.length), ...bytes];
const TYPE = section(1, 1, 0x60, 0, 0);
const MEMORY = section(5, 1, 0, 1);

/** A module of one function without parameters and results, and where its code begins. */
function withBody(...code: Bytes): [Bytes, number] {
  const body = [0, ...code, 0x0b];
  const before = [...HEADER, ...TYPE, ...section(3, 1, 0), ...MEMORY];
  return [[...before, ...section(10, 1, ...u32(body.length), ...body)], before.length + 5];
}

const plain = (at: number, ...bytes: Bytes): [Bytes, number] => [[...HEADER, ...bytes], 8 + at];

/** The first byte of what is not supported is at the given offset, or, where the decoder sees it first, before it. */
const UNSUPPORTED: [string, [Bytes, number], RegExp][] = [
  ['a v128 parameter', plain(5, ...section(1, 1, 0x60, 1, 0x7b, 0)), /SIMD/],
  ['a v128 global', plain(3, ...section(6, 1, 0x7b, 0, 0xfd, 12, ...Array(16).fill(0), 0x0b)), /SIMD/],
  ['a vector instruction', withBody(0xfd, 12, ...Array(16).fill(0), 0x1a), /SIMD/],
  ['a relaxed vector instruction', withBody(0, 0xfd, 0x80, 2, 0x1a), /SIMD/],
  ['a tag', plain(0, ...TYPE, ...section(13, 1, 0, 0)), /exception handling/],
  ['try', withBody(0x06, 0x40, 0x0b), /exception handling/],
  ['throw', withBody(0x08, 0), /exception handling/],
  ['try_table', withBody(0x1f, 0x40, 0, 0x0b), /exception handling/],
  ['an exnref table', plain(3, ...section(4, 1, 0x69, 0, 0)), /exception handling/],
  ['a structure type', plain(3, ...section(1, 1, 0x5f, 0)), /garbage collection/],
  ['an array type', plain(3, ...section(1, 1, 0x5e, 0x7f, 0)), /garbage collection/],
  ['a recursive type group', plain(3, ...section(1, 1, 0x4e, 1, 0x60, 0, 0)), /garbage collection/],
  ['a subtype', plain(3, ...section(1, 1, 0x50, 0, 0x60, 0, 0)), /garbage collection/],
  [
    'an anyref local',
    plain(0, ...TYPE, ...section(3, 1, 0), ...section(10, 1, 4, 1, 1, 0x6e, 0x0b)),
    /garbage/,
  ],
  ['ref.i31', withBody(0x41, 0, 0xfb, 0x1c, 0x1a), /garbage collection/],
  ['ref.eq', withBody(0xd0, 0x6d, 0xd0, 0x6d, 0xd3, 0x1a), /garbage collection/],
  ['a typed reference', plain(5, ...section(1, 1, 0x60, 1, 0x63, 0x70, 0)), /typed reference/],
  ['call_ref', withBody(0x00, 0x14, 0), /typed function references/],
  [
    'a table with an initial value',
    plain(3, ...section(4, 1, 0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b)),
    /table/,
  ],
  ['a 64-bit memory', plain(3, ...section(5, 1, 4, 1)), /memory64/],
  ['a 64-bit table', plain(4, ...section(4, 1, 0x70, 4, 1)), /memory64/],
  ['two memories', plain(2, ...section(5, 2, 0, 1, 0, 1)), /more than one memory/],
  ['another memory index', withBody(0x3f, 1, 0x1a), /more than one memory/],
  ['a memory index in a load', withBody(0x41, 0, 0x28, 0x40, 1, 0, 0x1a), /more than one memory/],
  ['cont.new', withBody(0xe0, 0), /stack switching/],
  ['wide arithmetic', withBody(0x00, 0xfc, 19), /0xfc ?(0x)?13/],
  ['a component', [[0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0], 4], /component|version/],
  ['an unknown operator', withBody(0x00, 0xff), /0xff/],
];

function refusal(bytes: Uint8Array): WasmError | undefined {
  try {
    translate(bytes, { memory: 'register' });
    return undefined;
  } catch (error) {
    if (!(error instanceof WasmError)) throw error;
    expect(error.message).not.toContain('\n');
    expect(error.message).toMatch(/^at byte offset 0x[0-9a-f]+ \(\d+\): \S|^[^:]*: |empty/);
    return error;
  }
}

test.each(UNSUPPORTED)('refused by name: %s', (_, [bytes, at], feature) => {
  const error = refusal(Uint8Array.from(bytes));
  expect(error?.message).toMatch(feature);
  expect(error?.message).toMatch(/^at byte offset 0x/);
  // Within the construct: some are recognised by its first byte, some by what follows.
  expect(error!.offset! - at).toBeLessThanOrEqual(bytes.length - at);
  expect(error!.offset!).toBeGreaterThanOrEqual(Math.min(at, 8));
});

/** A module of a few random programs: every section and most operators. */
function sample(seed: number): Uint8Array {
  const shared = startModule();
  const random = new Random(seed);
  for (let i = 0; i < 2; i++) addProgram(shared, random, `program ${i}`);
  return finishModule(shared).build();
}

test('refused: a module that is cut anywhere', () => {
  const bytes = sample(SEED);
  const step = Math.max(1, Math.floor(bytes.length / DAMAGED));
  for (let length = 0; length < bytes.length; length += length < 64 ? 1 : step) {
    const cut = bytes.subarray(0, length);
    expect([length, refusal(cut) === undefined]).toEqual([length, engine.validate(cut)]);
  }
});

/** What the host accepts and yaos does not know is refused by name; all else must agree. */
test(`refused: damaged modules (SEED=${SEED} N=${DAMAGED})`, () => {
  const random = new Random(SEED);
  let valid = 0;
  for (let i = 0; i < DAMAGED; i++) {
    const bytes = sample(SEED + (i % 10)).slice();
    const times = 1 + random.below(3);
    for (let k = 0; k < times; k++) bytes[random.below(bytes.length)] = random.below(256);
    const error = refusal(bytes);
    const accepted = engine.validate(bytes);
    if (accepted && error && /not supported|unsupported/.test(error.message)) continue;
    expect([i, error?.message ?? 'accepted', accepted]).toEqual([
      i,
      accepted ? 'accepted' : expect.not.stringMatching(/^accepted$/),
      accepted,
    ]);
    if (accepted) valid++;
  }
  expect(valid).toBeGreaterThan(0);
});

test('refused: random bytes', () => {
  const random = new Random(SEED);
  for (let i = 0; i < DAMAGED; i++) {
    const bytes = Uint8Array.from({ length: random.below(100) }, () => random.below(256));
    if (random.chance(0.7)) bytes.set(HEADER.slice(0, bytes.length));
    expect(refusal(bytes) === undefined).toBe(engine.validate(bytes));
  }
});
