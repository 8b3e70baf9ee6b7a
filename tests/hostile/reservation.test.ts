// Hosted programs stay within their reservation: every access of every width, bulk and table operator at every border, with memories of no page, of
// one, and after growing, compared with Node's engine; and what the process has mapped around its memory, told by Linux.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Call, expectSame, makeProgram } from '../translator/harness.ts';
import type { NumType } from '../translator/values.ts';
import {
  access,
  type Bytes,
  get,
  i64,
  ModuleBuilder,
  OPCODES,
  op,
  refNull,
  type ValType,
} from '../translator/wasm.ts';

const PAGE = 65536;
const GIB = 2 ** 30;
const RESERVED_BYTES_MIN = 8 * GIB + 8;
const CANARY = 0x5afe_5afe_5afe_5afen;

const accesses = [...OPCODES.keys()].filter((n) => /^...\.(atomic\.)?(load|store|rmw)/.test(n));
const OFFSETS = [0, 4096, PAGE - 8, 0x7fff_ffff, 0xffff_ffff];

function widthOf(name: string): number {
  const narrow = /(?:load|store|rmw)(8|16|32)/.exec(name);
  return narrow ? Number(narrow[1]) / 8 : /^.32/.test(name) ? 4 : 8;
}

function isLoad(name: string): boolean {
  return /\.load/.test(name);
}

/** Around the borders that an access of `width` with `offset` can cross. */
function addresses(size: number, offset: number, width: number): bigint[] {
  const borders = [0, 2 ** 31, 2 ** 32, size].flatMap((b) => [b, b - offset]);
  const near = borders.flatMap((b) => [b - width, b - width + 1, b]);
  return [...new Set(near.filter((a) => a >= 0 && a < 2 ** 32).map(BigInt))];
}

/** Operators by name, with globals as canaries: they lie directly below memory. */
function memoryModule(pages: number, max: number): ModuleBuilder {
  const module = new ModuleBuilder();
  module.setMemory(pages, max);
  const canaries = [0, 1, 2, 3].map(() => module.addGlobal('i64', true, i64(CANARY)));
  const values: ValType[] = canaries.map(() => 'i64');
  module.export(
    'canaries',
    [],
    values,
    canaries.flatMap((g) => op('global.get', g)),
  );
  module.export('grow', ['i32'], ['i32'], [...get(0), ...op('memory.grow', 0)]);
  for (const name of accesses) {
    const type = name.slice(0, 3) as NumType;
    const operands: ValType[] = isLoad(name) ? [] : name.includes('cmpxchg') ? [type, type] : [type];
    const results: ValType[] = /\.store/.test(name) ? [] : [type];
    const align = name.includes('atomic') ? Math.log2(widthOf(name)) : 0;
    for (const offset of OFFSETS) {
      const params: ValType[] = ['i32', ...operands];
      const code: Bytes = [...params.flatMap((_, i) => get(i)), ...access(name, offset, align)];
      module.export(`${name} ${offset}`, params, results, code);
    }
  }
  const three = [...get(0), ...get(1), ...get(2)];
  const data = module.addPassiveData(Array.from({ length: 100 }, (_, i) => i));
  module.export('copy', ['i32', 'i32', 'i32'], [], [...three, ...op('memory.copy', 0, 0)]);
  module.export('fill', ['i32', 'i32', 'i32'], [], [...three, ...op('memory.fill', 0)]);
  module.export('init', ['i32', 'i32', 'i32'], [], [...three, ...op('memory.init', data, 0)]);
  return module;
}

function calls(size: number): Call[] {
  const single = accesses.flatMap((name) =>
    OFFSETS.flatMap((offset) =>
      addresses(size, offset, widthOf(name)).map((address) => {
        const values = isLoad(name) ? [] : name.includes('cmpxchg') ? [0n, 1n] : [1n];
        return { name: `${name} ${offset}`, args: [address, ...values] };
      }),
    ),
  );
  const places = [0, 1, size - 100, size - 1, size, size + 1, 2 ** 31, 2 ** 32 - 1].filter(
    (a) => a >= 0 && a < 2 ** 32,
  );
  const lengths = [0, 1, 100, 101, 2 ** 31, 2 ** 32 - 1];
  const bulk = places.flatMap((to) =>
    places.flatMap((from) =>
      lengths.flatMap((n) =>
        ['copy', 'fill', 'init'].map((name) => ({ name, args: [to, from, n].map(BigInt) })),
      ),
    ),
  );
  return [...single, ...bulk, { name: 'canaries', args: [] }];
}

describe('every operator at every border', () => {
  test.each([
    ['no page', 0, 0],
    ['one page', 1, 1],
  ])('a memory of %s', async (name, pages, max) => {
    await expectSame(
      `reservation ${name}`.replaceAll(' ', '-'),
      memoryModule(pages, max),
      calls(pages * PAGE),
    );
  });

  /** Plain accesses: with the atomic ones Node's engine does not come to an end. */
  test('the largest memory', async () => {
    const size = 65536 * PAGE;
    const module = new ModuleBuilder();
    module.setMemory(65536, 65536);
    const list: Call[] = [];
    for (const name of accesses.filter((n) => !n.includes('atomic'))) {
      const type = name.slice(0, 3) as NumType;
      const operands: ValType[] = isLoad(name) ? [] : [type];
      for (const offset of [0, 1, 0xffff_ffff]) {
        const params: ValType[] = ['i32', ...operands];
        const code = [...params.flatMap((_, i) => get(i)), ...access(name, offset, 0)];
        module.export(`${name} ${offset}`, params, isLoad(name) ? [type] : [], code);
        for (const address of addresses(size, offset, widthOf(name)))
          list.push({ name: `${name} ${offset}`, args: [address, ...operands.map(() => 1n)] });
      }
    }
    await expectSame('reservation-largest', module, list);
  });

  test('a memory that grows', async () => {
    const grow = (pages: number) => ({ name: 'grow', args: [BigInt(pages)] });
    const list = [
      grow(0xffff),
      grow(1),
      ...calls(PAGE),
      grow(2),
      grow(1),
      ...calls(3 * PAGE),
      { name: 'canaries', args: [] },
    ];
    await expectSame('reservation-grows', memoryModule(0, 3), list);
  });

  test('tables', async () => {
    const module = new ModuleBuilder();
    const table = module.addTable('externref', 5, 9);
    const next = module.addTable('externref', 3, 3);
    const three = [...get(0), ...get(1), ...get(2)];
    const null_ = refNull('externref');
    module.export('get', ['i32'], ['externref'], [...get(0), ...op('table.get', table)]);
    module.export('set', ['i32', 'externref'], [], [...get(0), ...get(1), ...op('table.set', table)]);
    module.export('next', ['i32'], ['externref'], [...get(0), ...op('table.get', next)]);
    module.export('keep', ['i32', 'externref'], [], [...get(0), ...get(1), ...op('table.set', next)]);
    module.export('fill', ['i32', 'i32'], [], [...get(0), ...null_, ...get(1), ...op('table.fill', table)]);
    module.export('copy', ['i32', 'i32', 'i32'], [], [...three, ...op('table.copy', table, table)]);
    module.export('grow', ['i32'], ['i32'], [...null_, ...get(0), ...op('table.grow', table)]);
    const edges = [0, 1, 4, 5, 6, 9, 2 ** 29, 2 ** 32 - 1].map(BigInt);
    const round = (): Call[] => [
      ...edges.flatMap((i) => [
        { name: 'set', args: [i, 7n] },
        { name: 'get', args: [i] },
        { name: 'next', args: [i] },
      ]),
      ...edges.flatMap((i) => edges.map((n) => ({ name: 'fill', args: [i, n] }))),
      ...edges.flatMap((to) =>
        edges.flatMap((from) => edges.map((n) => ({ name: 'copy', args: [to, from, n] }))),
      ),
      ...[0n, 1n, 2n].map((i) => ({ name: 'next', args: [i] })),
    ];
    const kept = [0n, 1n, 2n].map((i) => ({ name: 'keep', args: [i, 40n + i] }));
    const grown = [5n, 4n, 1n, 0xffff_ffffn].map((n) => ({ name: 'grow', args: [n] }));
    await expectSame('reservation-tables', module, [...kept, ...round(), ...grown, ...round()]);
  });
});

interface Mapped {
  start: number;
  end: number;
  rights: string;
}

test.each([0, 1, 3, 65536])('around a memory of %i pages nothing can be reached', async (pages) => {
  const module = memoryModule(Math.min(pages, 1), 65536);
  const program = await makeProgram(`reservation-maps-${pages}`, module.build());
  const running = spawn(program.path, ['-'], { stdio: ['pipe', 'pipe', 'inherit'] });
  running.stdin.write(`grow ${pages - Math.min(pages, 1)}\n`);
  await once(running.stdout, 'data');
  const rows = readFileSync(`/proc/${running.pid}/maps`, 'utf8').trim().split('\n');
  const mapped: Mapped[] = rows.map((row) => {
    const [, start, end, rights] = /^(\w+)-(\w+) (\S+)/.exec(row)!;
    return { start: Number.parseInt(start!, 16), end: Number.parseInt(end!, 16), rights: rights! };
  });
  running.stdin.end();
  await once(running, 'close');
  const guards = mapped.filter(
    ({ start, end, rights }) => rights === '---p' && end - start >= RESERVED_BYTES_MIN - 4 * GIB,
  );
  expect(guards, rows.join('\n')).toHaveLength(1);
  const [guard] = guards;
  expect(guard!.end - guard!.start + pages * PAGE).toBeGreaterThanOrEqual(RESERVED_BYTES_MIN);
  // Directly below are the memory, and the instance's context below that.
  const below = mapped.find(({ end }) => end === guard!.start);
  expect(below?.rights).toBe('rw-p');
  expect(below!.end - below!.start).toBeGreaterThan(pages * PAGE);
  // Nothing can be written and run.
  expect(mapped.filter(({ rights }) => /w.*x/.test(rights))).toEqual([]);
});
