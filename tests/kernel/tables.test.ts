// The packed tables of the kernel's image: what the kernel unpacks is what the plain tables of the same code say, at every
// address that a back trace can meet; and tables of all kinds, made at random.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { TrapKind } from '../../build/ir/ir.ts';
import { readElf } from '../../build/object/elf-reader.ts';
import type { Place } from '../../build/object/function-info.ts';
import { type PackedInput, packTables } from '../../build/object/packed-tables.ts';
import { readSourceMap } from '../../build/object/sourcemap.ts';
import { translate } from '../../build/translate.ts';
import { type Kernel, Machine } from '../../machine/index.ts';
import { inFolder } from '../object/binutils.ts';
import { readTables } from '../object/info.ts';
import { compileParts, root } from './compile.ts';
import { generator } from './random.ts';

const SEED = Number(process.env.YAOS_SEED ?? 1);

const ENTRY = `
import { bare } from './lib/log.ts';
import { Symbol } from './panic/symbols.ts';
import { tables } from './panic/tables.ts';
import { unpackFunctions, unpackPlaces } from './panic/unpack.ts';

export function unpack(): u32 { unpackFunctions(); unpackPlaces(); return tables.functionCount; }
export function describe(offset: u32): void {
  const symbol = new Symbol();
  const pc = tables.code + offset;
  if (!symbol.find(pc)) { bare().text('nothing').end(); return; }
  const start = (symbol.start - tables.code) as u32;
  const line = bare().decimal('', start).decimal(' ', symbol.frame).decimal(' ', symbol.pop);
  line.decimal(' ', symbol.trapKind(pc));
  for (let place = symbol.place(pc); ; place = place.around) {
    place.append(line.text(' | '));
    if (!place.inlined) break;
  }
  line.end();
}
`;

/** Where the made-up native memory has tables and code. */
const BASE = 0xffff_ffff_8000_0000n;
const CODE = 0x1000_0000;

interface Reader {
  count: number;
  /** `start frame pop trap | name (file:line) | around …` */
  describe(offset: number): string;
}

let module: Kernel;
beforeAll(async () => {
  module = await compileParts(ENTRY);
}, 60_000);

let reuse: Machine | undefined;

function unpacked(packed: Uint8Array, textBytes: number): Reader {
  const machine = new Machine({ memory_mib: 16, budget_steps: 2 ** 31, reuse });
  reuse = machine;
  const ends = [0, packed.length, CODE, CODE + textBytes];
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  machine.native = {
    table: (which) => BASE + BigInt(ends[which]),
    peek: (at, width) => {
      const offset = Number(BigInt.asUintN(64, at) - BASE);
      return width === 1 ? view.getUint8(offset) : view.getUint32(offset, true);
    },
  };
  const parts = machine.load(module) as unknown as { unpack(): number; describe(offset: number): void };
  const count = parts.unpack();
  return {
    count,
    describe: (offset) => {
      machine.serial.take();
      parts.describe(offset);
      return machine.serial.take().trimEnd();
    },
  };
}

/** Addresses of calls' last bytes, by GNU objdump. */
function calls(object: Uint8Array): number[] {
  const listing = inFolder(({ write, run }) => {
    write('a.o', object);
    return run('objdump', '-d', '--no-show-raw-insn', '-M', 'intel', '-j', '.text', 'a.o');
  });
  const lines = [...listing.matchAll(/^ +([0-9a-f]+):\t(\S+)/gm)];
  return lines.flatMap(([, , name], i) => {
    const next = lines[i + 1];
    return name === 'call' && next ? [Number.parseInt(next[1], 16) - 1] : [];
  });
}

/** Names are told without the paths of the classes that a generic one is of. */
const short = (name: string) => name.replace(/(?<=[<,|])[^<>,|]*\//g, '');
/** `name file:line` as a report has it. */
function told(call: string): string {
  const [, name, place] = /^(.*) (\S+:\d+)$/.exec(call) ?? [];
  return name === undefined ? short(call) : `${short(name)} (${place})`;
}
/** Where a function's file is known by its name alone, its path is left out. */
const withoutPath = (name: string) => name.replace(/^[^ <(]*\//, '');

test("the kernel's own, at every call and trap", () => {
  const wasm = readFileSync(join(root, 'out/kernel.wasm'));
  const sourceMap = readSourceMap(join(root, 'out/kernel.wasm.map'));
  const options = { memory: 'fixed', name: 'kernel', sourceMap } as const;
  const plain = readElf(translate(wasm, options).object);
  const { object } = translate(wasm, { ...options, packTables: true });
  const sections = readElf(object).sections;
  const contents = (name: string) => sections.find((section) => section.name === name)!.contents;
  const packed = contents('.yaos.packed');
  const image = readElf(readFileSync(join(root, 'out/kernel.elf')));
  const text = image.sections.find(({ name }) => name === '.text')!;
  expect(packed.length).toBeLessThan(text.contents.length * 0.15);
  const reader = unpacked(packed, contents('.text').length);
  const functions = readTables(plain);
  expect(reader.count).toBe(functions.length);
  const called = calls(object);
  expect(called.length).toBeGreaterThan(1000);
  const comparable = (name: string) => (name.includes(' (') ? name : withoutPath(name));
  for (const f of functions) {
    const traps = new Map(f.traps);
    const stops = [
      ...called.filter((at) => at >= f.start && at < f.start + f.size),
      ...f.traps.map(([at]) => at),
    ];
    const expected = stops.map((at) => {
      const kind = traps.get(at);
      const trap = kind === undefined || kind === 'memory' ? 0 : TrapKind[kind];
      const places = f.places.findLast(([from]) => from <= at)?.[1] ?? [f.name];
      return [`${f.start} ${f.frame} ${f.pop} ${trap}`, ...places.map(told).map(comparable)];
    });
    const described = stops.map((at) => reader.describe(at).split(' | '));
    expect(described.map(([head, ...names]) => [head, ...names.map(comparable)])).toEqual(expected);
  }
}, 180_000);

const FILES = ['a.ts', 'lib/b.ts', 'lib/c/d.ts'];
const NAMES = ['lib/b/Own#run', 'lib/b/Own#stop', 'lib/c/d/f', 'größe', 'a/G<x/Y|null>#z', 'x'];
const KINDS = Object.keys(TrapKind) as (keyof typeof TrapKind)[];

type Random = ReturnType<typeof generator>;

function placeOf(random: Random): Place {
  const file = random(4) === 0 ? undefined : FILES[random(FILES.length)];
  const line = file === undefined || random(4) === 0 ? undefined : 1 + random(random(2) ? 20 : 0xffff);
  const inlined = random(3) === 0 ? { name: NAMES[random(NAMES.length)], call: placeOf(random) } : undefined;
  return { file, line, inlined };
}

function tablesOf(random: Random) {
  const input: { [K in keyof PackedInput]: PackedInput[K][number][] } = {
    functions: [],
    traps: [],
    lines: [],
  };
  let at = 0;
  for (let left = 1 + random(6); left > 0; left--) {
    const start = at + random(20);
    at = start + 1;
    for (let stops = random(12); stops > 0; stops--) {
      const first = at + 1 + random(40);
      at = first + random(30);
      input.lines.push({ ...placeOf(random), offset: first, first, last: at });
      if (random(2)) input.traps.push({ offset: first, kind: KINDS[random(KINDS.length)] });
    }
    at++;
    const [frame, pop, name] = [random(5000) * 8, random(4) * 8, NAMES[random(NAMES.length)]];
    input.functions.push({ start, size: at - start, frame, pop, name });
  }
  return input;
}

function fileAround(place: Place): string | undefined {
  return place.inlined ? fileAround(place.inlined.call) : place.file;
}

/** As the report has it: a call that is told from the inside outwards. */
function lineOf(place: Place, own: string, ownFile: string | undefined): string[] {
  const name = place.inlined?.name ?? own;
  const file = place.file ?? (place.inlined ? undefined : ownFile);
  const path = file ?? FILES.find((f) => name.startsWith(`${f.slice(0, -3)}/`));
  const stem = path === undefined ? '' : `${path.slice(0, path.lastIndexOf('.'))}/`;
  const ascii = short(name.startsWith(stem) ? name.slice(stem.length) : name).replace(/[^\0-\x7f]/g, '?');
  const text = place.line === undefined ? ascii : `${ascii} (${place.file}:${place.line})`;
  return [text, ...(place.inlined ? lineOf(place.inlined.call, own, ownFile) : [])];
}

test(`tables of all kinds (YAOS_SEED=${SEED})`, () => {
  const random = generator(SEED);
  for (let run = 0; run < 60; run++) {
    const input = tablesOf(random);
    const last = input.functions.at(-1)!;
    const reader = unpacked(packTables(input), last.start + last.size);
    expect(reader.count).toBe(input.functions.length);
    for (const f of input.functions) {
      const lines = input.lines.filter(({ offset }) => offset >= f.start && offset < f.start + f.size);
      const ownFile = lines.map(fileAround).find((file) => file !== undefined);
      for (const { first, last, ...where } of lines)
        for (const at of [first, last]) {
          const trap = input.traps.find(({ offset }) => offset === at)?.kind;
          const kind = trap === undefined || trap === 'memory' ? 0 : TrapKind[trap];
          const [head, ...names] = reader.describe(at).split(' | ');
          expect(head).toBe(`${f.start} ${f.frame} ${f.pop} ${kind}`);
          expect(names.map(withoutPath)).toEqual(lineOf(where, f.name, ownFile).map(withoutPath));
        }
    }
  }
});

test('what does not fit into the memory for it is left packed', () => {
  const name = 'a'.repeat(100_000);
  const functions = Array.from({ length: 3 }, (_, i) => ({
    ...{ start: i * 16, size: 16, frame: 8, pop: 0 },
    name: `${i}${name}`,
  }));
  expect(unpacked(packTables({ functions, traps: [], lines: [] }), 48).count).toBe(0);
});
