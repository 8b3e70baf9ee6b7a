// Memory accesses for tests: every load and store at every border of a memory of two pages, and the address
// expressions that the selector folds. A Linux process that maps the memory at its own addresses (fixed.test.ts) cannot
// have the first page, so all of it may begin at the second.

import type { Call } from './node.ts';
import { type NumType, Random, SHARP } from './values.ts';
import { access, type Bytes, get, i32, i64, ModuleBuilder, OPCODES, op, tee } from './wasm.ts';

export const PAGE = 65536;
const PAGES = 2;
/** Where the second page begins. */
export const SECOND_PAGE = PAGE;
export const SIZE = PAGES * PAGE;

const accesses = [...OPCODES.keys()].filter((n) => /^...\.(load|store)/.test(n));
const loads = accesses.filter((n) => n.includes('load'));
const stores = accesses.filter((n) => n.includes('store'));
const typeOf = (name: string) => name.slice(0, 3) as NumType;

export const OFFSETS = [
  0,
  1,
  7,
  8,
  127,
  128,
  0xfffc,
  SIZE - 8,
  SIZE,
  0x7ffffff8,
  0x7fffffff,
  0x80000000,
  0xfffffff8,
  0xffffffff,
];

/** Addresses around the border at which an access with `offset` leaves memory, and at the ends of the i32 range. */
export function addressesFor(offset: number): bigint[] {
  const near = [-9, -8, -7, -4, -3, -2, -1, 0, 1].map((d) => SIZE - offset + d);
  const list = [
    0,
    1,
    2,
    9,
    65535,
    PAGE,
    SIZE - 1,
    ...near,
    -8 - offset,
    -offset,
    8 - offset,
    0x7fffffff,
    -0x80000000,
    -8,
    -1,
  ];
  return [...new Set(list.map((a) => BigInt.asUintN(32, BigInt(a))))];
}

/** What the memory of the tests is: the module's own from byte `first` on, or spectest's. */
export type Where = number | 'imported';

export function memoryModule(where: Where = 0): ModuleBuilder {
  const module = new ModuleBuilder();
  const random = new Random(3);
  const first = where === 'imported' ? 0 : where;
  const pieces = [first, Math.max(first, PAGE - 128), SIZE - 256].map((at) => ({
    at,
    bytes: Array.from({ length: 256 }, () => random.below(256)),
  }));
  if (where !== 'imported') {
    module.setMemory(PAGES, 4);
    for (const { at, bytes } of pieces) module.addData(at, bytes);
    return module;
  }
  // It has one page and may have two.
  module.importMemory('spectest', 'memory', 1, 2);
  const fill = pieces.flatMap(({ at, bytes }) => [
    ...[...i32(at), ...i32(0), ...i32(bytes.length), ...op('memory.init', module.addPassiveData(bytes), 0)],
  ]);
  module.setStart(module.internal([], [], [...i32(1), ...op('memory.grow', 0), ...op('drop'), ...fill]));
  return module;
}

/** An i64 that depends on every byte from `first` (a local) up to 16 bytes on, without leaving memory. */
function around(first: number): Bytes {
  const start: Bytes = [
    ...get(first),
    ...i32(SIZE - 16),
    ...get(first),
    ...i32(SIZE - 16),
    ...op('i32.lt_u'),
    ...op('select'),
  ];
  return [
    ...[...start, ...access('i64.load'), ...i64(9n), ...op('i64.rotl')],
    ...[...start, ...access('i64.load', 8), ...op('i64.xor')],
  ];
}

interface Calls {
  module: ModuleBuilder;
  calls: Call[];
}

export function loadCalls(where: Where = 0): Calls {
  const module = memoryModule(where);
  const first = where === 'imported' ? 0 : where;
  const calls: Call[] = [];
  for (const load of loads) {
    for (const offset of OFFSETS) {
      const name = `${load} ${offset}`;
      module.export(name, ['i32'], [typeOf(load)], [...get(0), ...access(load, offset)]);
      for (const address of addressesFor(offset)) {
        if (Number(address) + offset >= first) calls.push({ name, args: [address] });
      }
    }
  }
  return { module, calls };
}

/** After each store, the bytes around it. */
export function storeCalls(where: Where = 0): Calls {
  const module = memoryModule(where);
  const first = where === 'imported' ? 0 : where;
  const calls: Call[] = [];
  module.export('around', ['i32'], ['i64'], around(0));
  for (const store of stores) {
    for (const offset of OFFSETS) {
      const name = `${store} ${offset}`;
      module.export(name, ['i32', typeOf(store)], [], [...get(0), ...get(1), ...access(store, offset)]);
      for (const address of addressesFor(offset)) {
        if (Number(address) + offset < first) continue;
        const value = SHARP[typeOf(store)].at(calls.length % SHARP[typeOf(store)].length)!;
        const target = (Number(address) + offset) % 2 ** 32;
        const near = Math.min(Math.max(target - 4, first), SIZE);
        calls.push({ name, args: [address, value] }, { name: 'around', args: [BigInt(near)] });
      }
    }
  }
  return { module, calls };
}

/** An i32 expression over parameters 0 and 1, and what it is; undefined: it depends on memory. */
interface Address {
  text: string;
  code: Bytes;
  value?: (x: number, y: number) => number;
}

const X8: Bytes = [...get(0), ...i32(8)];
const XY: Bytes = [...get(0), ...get(1)];

const ADDRESSES: Address[] = [
  { text: 'x+y', code: [...XY, ...op('i32.add')], value: (x, y) => x + y },
  { text: 'x-y', code: [...XY, ...op('i32.sub')], value: (x, y) => x - y },
  { text: 'x+8', code: [...X8, ...op('i32.add')], value: (x) => x + 8 },
  { text: 'x-8', code: [...X8, ...op('i32.sub')], value: (x) => x - 8 },
  { text: 'x+-8', code: [...get(0), ...i32(-8), ...op('i32.add')], value: (x) => x - 8 },
  { text: 'x+2^31', code: [...get(0), ...i32(-0x80000000), ...op('i32.add')], value: (x) => x + 2 ** 31 },
  { text: 'x+y*4', code: [...XY, ...i32(2), ...op('i32.shl'), ...op('i32.add')], value: (x, y) => x + y * 4 },
  {
    text: 'x+y*8+16',
    code: [...XY, ...i32(3), ...op('i32.shl'), ...op('i32.add'), ...i32(16), ...op('i32.add')],
    value: (x, y) => x + y * 8 + 16,
  },
  { text: 'x*2', code: [...get(0), ...i32(2), ...op('i32.mul')], value: (x) => x * 2 },
  { text: 'x*8', code: [...get(0), ...i32(3), ...op('i32.shl')], value: (x) => x * 8 },
  { text: 'x<<33', code: [...get(0), ...i32(33), ...op('i32.shl')], value: (x) => x * 2 },
  { text: 'x&0x1ffff', code: [...get(0), ...i32(0x1ffff), ...op('i32.and')], value: (x) => x & 0x1ffff },
  { text: 'x|1', code: [...get(0), ...i32(1), ...op('i32.or')], value: (x) => x | 1 },
  { text: 'x>>1', code: [...get(0), ...i32(1), ...op('i32.shr_s')], value: (x) => (x | 0) >> 1 },
  { text: 'x>>>1', code: [...get(0), ...i32(1), ...op('i32.shr_u')], value: (x) => (x | 0) >>> 1 },
  {
    text: 'wrap(x*y)',
    code: [
      ...[...get(0), ...op('i64.extend_i32_s'), ...get(1), ...op('i64.extend_i32_s')],
      ...[...op('i64.mul'), ...op('i32.wrap_i64')],
    ],
    value: (x, y) => Math.imul(x, y),
  },
  { text: 'load8_s', code: [...i32(0), ...access('i32.load8_s', SECOND_PAGE), ...get(0), ...op('i32.add')] },
  { text: 'load', code: [...get(0), ...access('i32.load')] },
  { text: 'extend8', code: [...get(0), ...op('i32.extend8_s')], value: (x) => (x << 24) >> 24 },
];

const X = [
  ...[0, 1, 8, 100, 255, PAGE, PAGE + 8, SIZE - 16, SIZE - 8, SIZE - 1, SIZE, -1, -8, -16],
  ...[0x20000000, 0x7fffffff, -0x80000000, -0x7ffffff8],
];
const Y = [0, 1, 16, SIZE - 8, -1, -8, 0x40000000, 0x1fffffff, -0x80000000];

/** A load, a store with a load behind it, and an update through each address. */
export function addressCalls(where: Where = 0): Calls {
  const module = memoryModule(where);
  const first = where === 'imported' ? 0 : where;
  const calls: Call[] = [];
  for (const { text, code, value } of ADDRESSES) {
    for (const offset of [0, 8, 0x7ffffff8, 0x80000008, 0xfffffff8]) {
      const names = ['load', 'store', 'update'].map((kind) => `${kind} ${text} + ${offset}`);
      const sum = [...code, ...access('i32.load', offset), ...get(1), ...op('i32.add')];
      module.export(names[0], ['i32', 'i32'], ['i64'], [...code, ...access('i64.load', offset)]);
      module.export(
        names[1],
        ['i32', 'i32'],
        ['i32'],
        [
          ...[...code, ...get(1), ...access('i32.store16', offset)],
          ...[...code, ...access('i32.load16_s', offset)],
        ],
      );
      module.export(
        names[2],
        ['i32', 'i32'],
        ['i32'],
        [
          ...[...code, ...tee(2), ...get(2), ...access('i32.load', offset), ...get(1), ...op('i32.xor')],
          ...[...access('i32.store', offset), ...sum],
        ],
        ['i32'],
      );
      for (const x of X) {
        for (const y of Y) {
          const at = value === undefined ? -1 : Number(BigInt.asUintN(32, BigInt(value(x, y)))) + offset;
          if (first > 0 && at < first) continue;
          const args = [x, y].map((v) => BigInt.asUintN(32, BigInt(v)));
          calls.push(...names.map((name) => ({ name, args })));
        }
      }
    }
  }
  return { module, calls };
}
