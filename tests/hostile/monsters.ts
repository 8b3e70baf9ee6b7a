// Files that are valid, or nearly, and as large as `size` in one respect: what takes a stage of the translator longer than its share, or deeper
// than the stack, shows here.

import { body, file, leb, section, vec } from '../wasm/encode.ts';
import type { Bytes } from './parts.ts';

const [I32, I64, F64, FUNCREF] = [0x7f, 0x7e, 0x7c, 0x70];
const [BLOCK, LOOP, IF, ELSE, END, VOID, DROP] = [0x02, 0x03, 0x04, 0x05, 0x0b, 0x40, 0x1a];
const [BR, BR_IF, BR_TABLE, CALL, GET, SET, TEE] = [0x0c, 0x0d, 0x0e, 0x10, 0x20, 0x21, 0x22];
const [CONST, ADD] = [0x41, 0x6a];
const GET_0 = [GET, 0];

function repeat(n: number, bytes: number[]): number[] {
  const all = new Array<number>(n * bytes.length);
  for (let i = 0; i < n; i++) for (let j = 0; j < bytes.length; j++) all[i * bytes.length + j] = bytes[j];
  return all;
}

function each(n: number, make: (i: number) => number[]): number[] {
  const all: number[] = [];
  for (let i = 0; i < n; i++) for (const byte of make(i)) all.push(byte);
  return all;
}

/** One exported function (i32) -> i32, with a memory, a table and a global. */
function one(code: number[], locals: [number, number][] = [], result = GET_0): Bytes {
  return functions([body(locals, [...code, ...result])], [1, 0x60, 1, I32, 1, I32]);
}

function functions(bodies: number[][], types: number[], indices: number[] = bodies.map(() => 0)): Bytes {
  const parts = [
    section(1, types),
    section(3, [...leb(bodies.length), ...indices.flatMap(leb)]),
    section(4, [1, FUNCREF, 0, 8]),
    section(5, [1, 0, 1]),
    section(6, [1, I32, 1, CONST, 0, END]),
    section(7, [1, 1, 0x66, 0, 0]),
    section(10, concat([leb(bodies.length), ...bodies])),
  ];
  return file(...parts);
}

function concat(lists: number[][]): number[] {
  const all: number[] = [];
  for (const list of lists) for (const byte of list) all.push(byte);
  return all;
}

/** By name: the file of about so many instructions, entries or levels. */
export const MONSTERS: Record<string, (size: number) => Bytes> = {
  'blocks in blocks': (n) => one([...repeat(n, [BLOCK, VOID]), ...repeat(n, [END])]),
  'blocks in blocks, left at every level': (n) =>
    one([
      ...repeat(n, [BLOCK, VOID]),
      ...each(n, (i) => [...GET_0, BR_IF, ...leb(i % 2 ? 0 : n - i - 1), END]),
    ]),
  'loops in loops': (n) => one([...repeat(n, [LOOP, VOID]), ...repeat(n, [...GET_0, BR_IF, 0, END])]),
  'loops in loops, all with one variable': (n) =>
    one([...repeat(n, [LOOP, VOID]), ...repeat(n, [...GET_0, CONST, 1, ADD, TEE, 0, BR_IF, 0, END])]),
  'loops that go on with the outermost': (n) =>
    one([
      ...repeat(n, [LOOP, VOID]),
      ...each(n, (i) => [...GET_0, CONST, 1, ADD, TEE, 0, BR_IF, ...leb(n - i - 1), END]),
    ]),
  'branches in branches': (n) => one([...repeat(n, [...GET_0, IF, VOID]), ...repeat(n, [END])]),
  'branches in the else of branches': (n) =>
    one([...repeat(n, [...GET_0, IF, VOID, ELSE]), ...repeat(n, [END])]),
  'branches with values in branches': (n) =>
    one([], [], [...repeat(n, [...GET_0, IF, I32]), CONST, 1, ...repeat(n, [ELSE, ...GET_0, END])]),
  'branches one behind the other': (n) =>
    one(repeat(n, [...GET_0, IF, VOID, ...GET_0, CONST, 1, ADD, SET, 0, END])),
  'loops one behind the other': (n) =>
    one(repeat(n, [LOOP, VOID, ...GET_0, CONST, 1, ADD, TEE, 0, BR_IF, 0, END])),
  'a deep stack of operands': (n) => one([], [], [...repeat(n, GET_0), ...repeat(n - 1, [ADD])]),
  'a deep stack of calls': (n) => one([], [], [...repeat(n, [...GET_0, CALL, 0]), ...repeat(n - 1, [ADD])]),
  'a long chain of additions': (n) => one([], [], [...GET_0, ...repeat(n, [...GET_0, ADD])]),
  'a long chain of loads': (n) => one([], [], [...GET_0, ...repeat(n, [0x28, 2, 0])]),
  'stores one behind the other': (n) => one(each(n, (i) => [...GET_0, CONST, 1, 0x36, 2, ...leb(i * 4)])),
  'loads one behind the other': (n) => one(each(n, (i) => [...GET_0, 0x28, 2, ...leb(i * 4), SET, 0])),
  'the same load again and again': (n) => one(repeat(n, [...GET_0, 0x28, 2, 0, DROP])),
  'divisions one behind the other': (n) => one(repeat(n, [...GET_0, ...GET_0, 0x6d, SET, 0])),
  'a wide jump table': (n) =>
    one([
      BLOCK,
      VOID,
      BLOCK,
      VOID,
      ...GET_0,
      BR_TABLE,
      ...leb(Math.min(n, 65_000)),
      ...each(Math.min(n, 65_000), (i) => [i & 1]),
      0,
      END,
      END,
    ]),
  'a jump table to as many places': (n) =>
    one([
      ...repeat(n, [BLOCK, VOID]),
      ...GET_0,
      BR_TABLE,
      ...leb(Math.min(n, 65_000)),
      ...each(Math.min(n, 65_000), leb),
      0,
      ...repeat(n, [END]),
    ]),
  'many wide jump tables': (n) =>
    one(
      repeat(Math.ceil(n / 200), [BLOCK, VOID, ...GET_0, BR_TABLE, ...leb(200), ...repeat(200, [0]), 0, END]),
    ),
  'jump tables with values': (n) =>
    one(
      repeat(Math.ceil(n / 50), [
        BLOCK,
        I32,
        ...GET_0,
        ...GET_0,
        BR_TABLE,
        50,
        ...repeat(50, [0]),
        0,
        END,
        SET,
        0,
      ]),
    ),
  'locals, all used': (n) =>
    one(
      [
        ...each(Math.min(n, 50_000) - 1, (i) => [...GET_0, SET, ...leb(i + 1)]),
        ...each(Math.min(n, 50_000) - 1, (i) => [GET, ...leb(i + 1), SET, 0]),
      ],
      [[Math.min(n, 50_000) - 1, I32]],
    ),
  'locals that live through loops': (n) => {
    const count = Math.max(2, Math.floor(Math.sqrt(n)));
    const step = each(count, (i) => [GET, ...leb(i + 1), CONST, 1, ADD, SET, ...leb(i + 1)]);
    return one(repeat(Math.ceil(count / 4), [LOOP, VOID, ...step, GET, 1, BR_IF, 0, END]), [[count, I32]]);
  },
  'many locals through nested blocks': (n) => {
    const count = Math.max(2, Math.floor(Math.sqrt(n)));
    const level = each(count, (i) => [...GET_0, BR_IF, 0, CONST, 1, SET, ...leb(i + 1), END]);
    return one(
      [...repeat(count, [LOOP, VOID]), ...level, ...each(count, (i) => [GET, ...leb(i + 1), SET, 0])],
      [[count, I32]],
    );
  },
  'many parameters': (n) => wide(Math.min(n, 1000), 0),
  'many results': (n) => wide(0, Math.min(n, 1000)),
  'blocks with many values': (n) => passing(n, [LOOP, 1, ...GET_0, BR_IF, 0, END]),
  'calls with many values': (n) => passing(n, [CALL, 1]),
  'branches with many values': (n) => passing(n, [LOOP, 1, CONST, 0, BR_IF, 0, CONST, 0, BR_IF, 0, END]),
  'small functions': (n) =>
    functions(new Array(Math.ceil(n / 3)).fill(body([], GET_0)), [1, 0x60, 1, I32, 1, I32]),
  'a chain of calls': (n) => {
    const count = Math.ceil(n / 4);
    const bodies = Array.from({ length: count }, (_, i) =>
      body([], [...GET_0, ...(i + 1 < count ? [CALL, ...leb(i + 1)] : [])]),
    );
    return functions(bodies, [1, 0x60, 1, I32, 1, I32]);
  },
  'calls that double': (n) => {
    const count = Math.ceil(n / 10);
    const bodies = Array.from({ length: count }, (_, i) =>
      body([], i + 1 < count ? [...GET_0, CALL, ...leb(i + 1), CALL, ...leb(i + 1)] : GET_0),
    );
    return functions(bodies, [1, 0x60, 1, I32, 1, I32]);
  },
  'calls of itself': (n) =>
    one([], [], [...GET_0, IF, I32, ...GET_0, ...repeat(n, [CALL, 0]), ELSE, CONST, 1, END]),
  types: (n) =>
    functions(
      [body([], GET_0)],
      [
        ...leb(n + 1),
        0x60,
        1,
        I32,
        1,
        I32,
        ...each(n, (i) =>
          [0x60, ...leb(i % 900), ...repeat(i % 900, [i & 1 ? I32 : I64]).slice(0, i % 900), 0].slice(0),
        ),
      ],
    ),
  globals: (n) =>
    file(
      section(6, concat([leb(n), repeat(n, [I64, 1, 0x42, 0, END])])),
      section(7, concat([leb(1), [1, 0x67, 3, 0]])),
    ),
  exports: (n) =>
    file(
      section(5, [1, 0, 1]),
      section(
        7,
        concat([
          leb(n),
          each(n, (i) => [3, 0x30 + (i % 64), 0x30 + ((i >> 6) % 64), 0x30 + ((i >> 12) % 64), 2, 0]),
        ]),
      ),
    ),
  imports: (n) =>
    file(section(1, [1, 0x60, 0, 0]), section(2, concat([leb(n), repeat(n, [1, 0x6d, 1, 0x66, 0, 0])]))),
  elements: (n) =>
    file(
      section(1, [1, 0x60, 0, 0]),
      section(3, [1, 0]),
      section(4, [1, FUNCREF, 0, ...leb(n)]),
      section(9, concat([[1, 0, CONST, 0, END], leb(n), repeat(n, [0])])),
      section(10, vec([body([], [])])),
    ),
  'element segments': (n) =>
    file(
      section(1, [1, 0x60, 0, 0]),
      section(3, [1, 0]),
      section(4, [1, FUNCREF, 0, 1]),
      section(9, concat([leb(n), repeat(n, [0, CONST, 0, END, 1, 0])])),
      section(10, vec([body([], [])])),
    ),
  'data segments': (n) =>
    file(section(5, [1, 0, 1]), section(11, concat([leb(n), repeat(n, [0, CONST, 0, END, 1, 0x61])]))),
  'passive data segments': (n) =>
    file(section(5, [1, 0, 1]), section(11, concat([leb(n), repeat(n, [1, 1, 0x61])]))),
  'long constant expressions': (n) =>
    file(section(6, concat([[1, I32, 0], repeat(n, [CONST, 1]), repeat(n - 1, [ADD]), [END]]))),
  'tables of ten million': () =>
    file(section(4, concat([leb(3), repeat(3, [FUNCREF, 0, ...leb(10_000_000)])]))),
  'a table for each entry': (n) => file(section(4, concat([leb(n), repeat(n, [FUNCREF, 0, 0])]))),
  'a memory of 4 GiB': () => file(section(5, [1, 0, ...leb(65_536)])),
  'unreachable code': (n) => one([0x00, ...repeat(n, [ADD]), DROP]),
  'unreachable blocks': (n) =>
    one([...GET_0, BR, 0, ...repeat(n, [BLOCK, VOID]), ...repeat(n, [END])], [], [CONST, 0]),
  'selects in selects': (n) => one([], [], [...GET_0, ...repeat(n, [...GET_0, ...GET_0, 0x1b])]),
  'floats, all different': (n) =>
    one(
      each(n, (i) => [0x44, i & 255, (i >> 8) & 255, 1, 2, 3, 4, 5, 0x40, DROP]),
      [[1, F64]],
    ),
  'floats that live': (n) =>
    one([
      ...each(n, (i) => [0x44, i & 255, (i >> 8) & 255, 1, 2, 3, 4, 5, 0x40]),
      ...repeat(n - 1, [0xa0]),
      DROP,
    ]),
  'indirect calls': (n) => one(repeat(n, [...GET_0, ...GET_0, 0x11, 0, 0, SET, 0])),
  'globals set and got': (n) => one(repeat(n, [0x23, 0, CONST, 1, ADD, 0x24, 0])),
  atomics: (n) => one(repeat(n, [...GET_0, ...GET_0, 0xfe, 0x1e, 2, 0, SET, 0])),
  names: (n) =>
    file(
      section(1, [1, 0x60, 0, 0]),
      section(3, [1, 0]),
      section(10, vec([body([], [])])),
      section(
        0,
        concat([
          [4, ...Buffer.from('name'), 1],
          leb(leb(n).length + n * 6),
          leb(n),
          repeat(n, [0, 4, 0x0a, 0x22, 0xff, 0x5c]),
        ]),
      ),
    ),
  'custom sections': (n) => file(repeat(n, section(0, [1, 0x61]))),
};

/** Operators that take and leave 1000 values: as many as a type may have. */
function passing(n: number, operators: number[]): Bytes {
  const values = [...leb(1000), ...repeat(1000, [I32])];
  const types = [2, 0x60, 1, I32, 1, I32, 0x60, ...values, ...values];
  const again = repeat(Math.ceil(n / 200), operators);
  const code = [...repeat(1000, GET_0), ...again, ...repeat(1000, [DROP]), ...GET_0];
  const other = each(1000, (i) => [GET, ...leb(i)]);
  return functions([body([], code), body([], other)], types, [0, 1]);
}

function wide(params: number, results: number): Bytes {
  const types = [
    2,
    0x60,
    ...leb(params),
    ...repeat(params, [I32]),
    ...leb(results),
    ...repeat(results, [I64]),
    0x60,
    1,
    I32,
    1,
    I32,
  ];
  const args = repeat(params, [CONST, 1]);
  const code = [
    ...args,
    CALL,
    0,
    ...repeat(results, [DROP]),
    ...args,
    CALL,
    0,
    ...repeat(results, [DROP]),
    ...GET_0,
  ];
  return functions([body([], [...repeat(results, [0x42, 0])]), body([], code)], types, [0, 1]);
}
