// Short runs of instructions that leave the operand stack as it was, with operands at the edges: what a body may have anywhere, if the
// module has what they name.

import type { Random } from '../translator/values.ts';
import { leb } from '../wasm/encode.ts';

type Type = 'i32' | 'i64' | 'f32' | 'f64';

const TYPES: Type[] = ['i32', 'i64', 'f32', 'f64'];
const CONST: Record<Type, number> = { i32: 0x41, i64: 0x42, f32: 0x43, f64: 0x44 };
const [DROP, BLOCK, LOOP, IF, ELSE, END, VOID] = [0x1a, 0x02, 0x03, 0x04, 0x05, 0x0b, 0x40];

/** Numbers that a decoder may get wrong. */
const EDGES = [
  ...[0, 1, 2, 3, 7, 8, 63, 64, 127, 128, 255, 256, 1000, 1001, 16383, 16384, 32767, 65520, 65535, 65536],
  ...[0xfffff, 0x7fffffff, 0x80000000, 0xfffffff8, 0xfffffffe, 0xffffffff],
];

export function edge(random: Random): number {
  return random.chance(0.6) ? random.below(12) : random.pick(EDGES);
}

/** LEB128, now and then with bytes more than it needs, or than it may have. */
export function number(random: Random): number[] {
  const bytes = leb(edge(random));
  if (!random.chance(0.15)) return bytes;
  const more = 1 + random.below(random.chance(0.8) ? 5 - Math.min(bytes.length, 4) : 8);
  return [...bytes.slice(0, -1), bytes.at(-1)! | 0x80, ...new Array(more - 1).fill(0x80), 0];
}

/** By the first opcode of each row: operands and result. */
const ROWS: [first: number, operands: Type[], result: Type][] = [
  [0x45, ['i32'], 'i32'],
  [0x46, ['i32', 'i32'], 'i32'],
  [0x50, ['i64'], 'i32'],
  [0x51, ['i64', 'i64'], 'i32'],
  [0x5b, ['f32', 'f32'], 'i32'],
  [0x61, ['f64', 'f64'], 'i32'],
  [0x67, ['i32'], 'i32'],
  [0x6a, ['i32', 'i32'], 'i32'],
  [0x79, ['i64'], 'i64'],
  [0x7c, ['i64', 'i64'], 'i64'],
  [0x8b, ['f32'], 'f32'],
  [0x92, ['f32', 'f32'], 'f32'],
  [0x99, ['f64'], 'f64'],
  [0xa0, ['f64', 'f64'], 'f64'],
  [0xa7, ['i64'], 'i32'],
  [0xa8, ['f32'], 'i32'],
  [0xaa, ['f64'], 'i32'],
  [0xac, ['i32'], 'i64'],
  [0xae, ['f32'], 'i64'],
  [0xb0, ['f64'], 'i64'],
  [0xb2, ['i32'], 'f32'],
  [0xb4, ['i64'], 'f32'],
  [0xb6, ['f64'], 'f32'],
  [0xb7, ['i32'], 'f64'],
  [0xb9, ['i64'], 'f64'],
  [0xbb, ['f32'], 'f64'],
  [0xbc, ['f32'], 'i32'],
  [0xbd, ['f64'], 'i64'],
  [0xbe, ['i32'], 'f32'],
  [0xbf, ['i64'], 'f64'],
  [0xc0, ['i32'], 'i32'],
  [0xc2, ['i64'], 'i64'],
  [0xc5, [], 'i32'],
];

function constant(random: Random, type: Type): number[] {
  if (type === 'i32' || type === 'i64') {
    // A byte of its own sign, or what number() has, which may not be a signed number of that size.
    return [CONST[type], ...(random.chance(0.8) ? [random.below(128)] : number(random))];
  }
  const bytes = type === 'f32' ? 4 : 8;
  const edges = [0, 0x80, 0x7f, 0xff];
  return [CONST[type], ...Array.from({ length: bytes }, () => random.pick([...edges, random.below(256)]))];
}

/** The type by a load's or store's opcode. */
const LOADS: Type[] = [...TYPES, ...new Array<Type>(4).fill('i32'), ...new Array<Type>(6).fill('i64')];
const STORES: Type[] = [...TYPES, 'i32', 'i32', 'i64', 'i64', 'i64'];
/** Logarithm of what an access moves. */
const LOAD_WIDTHS = [2, 3, 2, 3, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2];
const STORE_WIDTHS = [2, 3, 2, 3, 0, 1, 0, 1, 2];
/** Of each row of seven atomics. */
const ATOMIC_TYPES: Type[] = ['i32', 'i64', 'i32', 'i32', 'i64', 'i64', 'i64'];
const ATOMIC_WIDTHS = [2, 3, 0, 1, 0, 1, 2];

const KINDS: ((random: Random) => number[])[] = [
  arithmetic,
  arithmetic,
  memory,
  memory,
  atomic,
  bulk,
  table,
  local,
  calls,
  branches,
  polymorphic,
  reference,
];

/** Some instructions, or a few such one after the other, or in a block. */
export function snippet(random: Random): number[] {
  const plain = random.pick(KINDS)(random);
  if (random.chance(0.2)) return [random.pick([BLOCK, LOOP]), VOID, ...plain, END];
  if (random.chance(0.1))
    return [...constant(random, 'i32'), IF, VOID, ...plain, ELSE, ...snippet(random), END];
  return random.chance(0.3) ? [...plain, ...snippet(random)] : plain;
}

function arithmetic(random: Random): number[] {
  const at = random.below(ROWS.length - 1);
  const [first, operands] = ROWS[at];
  const code = first + random.below(ROWS[at + 1][0] - first);
  if (random.chance(0.1)) {
    const saturating = random.below(8);
    return [...constant(random, saturating & 2 ? 'f64' : 'f32'), 0xfc, saturating, DROP];
  }
  return [...operands.flatMap((type) => constant(random, type)), code, DROP];
}

function memory(random: Random): number[] {
  const load = random.chance(0.5);
  const row = random.below(load ? LOADS.length : STORES.length);
  const align = random.chance(0.9)
    ? random.below((load ? LOAD_WIDTHS : STORE_WIDTHS)[row] + 1)
    : edge(random);
  const place = [...leb(align), ...number(random)];
  if (load) return [...constant(random, 'i32'), 0x28 + row, ...place, DROP];
  return [...constant(random, 'i32'), ...constant(random, STORES[row]), 0x36 + row, ...place];
}

function atomic(random: Random): number[] {
  const row = random.below(9);
  const column = random.below(7);
  const type = ATOMIC_TYPES[column];
  const code = 0x10 + row * 7 + column;
  const place = [random.chance(0.9) ? ATOMIC_WIDTHS[column] : edge(random) & 0x7f, ...number(random)];
  const address = constant(random, 'i32');
  if (random.chance(0.2)) return [0xfe, 3, 0];
  if (row === 0) return [...address, 0xfe, code, ...place, DROP];
  const value = constant(random, type);
  if (row === 1) return [...address, ...value, 0xfe, code, ...place];
  return [...address, ...value, ...(row === 8 ? value : []), 0xfe, code, ...place, DROP];
}

function bulk(random: Random): number[] {
  const three = [0, 1, 2].flatMap(() => constant(random, 'i32'));
  return random.pick([
    [...three, 0xfc, 10, 0, 0],
    [...three, 0xfc, 11, 0],
    [...three, 0xfc, 8, ...number(random), 0],
    [0xfc, 9, ...number(random)],
    [0x3f, 0, DROP],
    [...constant(random, 'i32'), 0x40, 0, DROP],
  ]);
}

function table(random: Random): number[] {
  const i32 = () => constant(random, 'i32');
  const index = () => leb(random.chance(0.8) ? 0 : edge(random));
  const null_ = [0xd0, random.pick([0x70, 0x70, 0x6f])];
  return random.pick([
    [...i32(), 0x25, ...index(), DROP],
    [...i32(), ...null_, 0x26, ...index()],
    [...i32(), ...i32(), ...i32(), 0xfc, 12, ...number(random), ...index()],
    [0xfc, 13, ...number(random)],
    [...i32(), ...i32(), ...i32(), 0xfc, 14, ...index(), ...index()],
    [...null_, ...i32(), 0xfc, 15, ...index(), DROP],
    [0xfc, 16, ...index(), DROP],
    [...i32(), ...null_, ...i32(), 0xfc, 17, ...index()],
  ]);
}

function local(random: Random): number[] {
  const index = number(random);
  return random.pick([
    [0x20, ...index, DROP],
    [0x20, ...index, 0x21, ...index],
    [0x20, ...index, 0x22, ...number(random), DROP],
    [0x23, ...index, DROP],
    [0x23, ...index, 0x24, ...index],
  ]);
}

function calls(random: Random): number[] {
  const callee = number(random);
  return random.pick([
    [0x10, ...callee],
    [...constant(random, 'i32'), 0x11, ...callee, 0],
    [BLOCK, VOID, 0x12, ...callee, END],
    [BLOCK, VOID, ...constant(random, 'i32'), 0x13, ...callee, 0, END],
  ]);
}

/** br_table and br_if, in as many blocks as they need at least. */
function branches(random: Random): number[] {
  const depth = 1 + random.below(random.chance(0.9) ? 6 : 300);
  const opened = Array.from({ length: depth }, () => [random.pick([BLOCK, BLOCK, LOOP]), VOID]).flat();
  const closed = new Array<number>(depth).fill(END);
  const label = () => leb(random.below(depth));
  const count = random.chance(0.9) ? random.below(10) : random.below(3000);
  const choice = [0x0e, ...leb(count), ...Array.from({ length: count + 1 }, label).flat()];
  const jump = random.pick([choice, choice, [0x0d, ...label()], [0x0c, ...label()], [0x0f]]);
  return [...opened, ...constant(random, 'i32'), ...jump, ...closed];
}

/** Behind `unreachable` the stack has whatever is asked for. */
function polymorphic(random: Random): number[] {
  const operators = Array.from({ length: random.below(6) }, () =>
    random.pick([
      [0x45 + random.below(0x80)],
      [DROP],
      [0x1b],
      [0x0d, 0],
      [0x0e, 1, 0, 0],
      [0x28 + random.below(23), 0, 0],
      [BLOCK, random.pick([VOID, 0x7f, 0x7e, 0x7d, 0x7c]), 0x00, END],
      [LOOP, VOID, 0x0c, 0, END],
      [0x10, ...number(random)],
      [0x22, ...number(random)],
    ]),
  ).flat();
  return [BLOCK, VOID, random.pick([0x00, 0x0f, 0x0c]), ...operators, END].flatMap((byte, i, all) =>
    i === 2 && all[i] === 0x0c ? [byte, 0] : [byte],
  );
}

function reference(random: Random): number[] {
  const type = random.pick([0x70, 0x6f]);
  return random.pick([
    [0xd0, type, 0xd1, DROP],
    [0xd2, ...number(random), DROP],
    [0xd0, type, 0xd0, type, ...constant(random, 'i32'), 0x1c, 1, type, DROP],
    [random.below(256), ...number(random)],
    [random.pick([0xfb, 0xfc, 0xfd, 0xfe]), ...number(random), ...number(random)],
  ]);
}
