// Loads, stores and atomics: every width, offsets up to 2^32-1, addresses at every border of memory, address
// arithmetic that must wrap where the specification wraps and must not where it does not; bulk operations; growth.

import { test } from 'vitest';
import {
  addressCalls,
  addressesFor,
  loadCalls,
  memoryModule,
  OFFSETS,
  PAGE,
  SIZE,
  storeCalls,
} from './accesses.ts';
import { type Call, expectSame } from './harness.ts';
import { access, type Bytes, get, i32, i64, ModuleBuilder, op, set, tee, type ValType } from './wasm.ts';

const WHERE = [0, 'imported'] as const;

test.each(WHERE)('memory: every load at every border (%s)', async (where) => {
  const { module, calls } = loadCalls(where);
  await expectSame(`memory-${where}-loads`, module, calls);
});

test.each(WHERE)('memory: every store at every border, and nothing beside it (%s)', async (where) => {
  const { module, calls } = storeCalls(where);
  await expectSame(`memory-${where}-stores`, module, calls);
});

test.each(WHERE)('memory: address arithmetic wraps at 32 bits, the offset does not (%s)', async (where) => {
  const { module, calls } = addressCalls(where);
  await expectSame(`memory-${where}-addresses`, module, calls);
});

test('memory: constant addresses', async () => {
  const module = memoryModule();
  const calls: Call[] = [];
  for (const offset of OFFSETS) {
    for (const address of addressesFor(offset)) {
      const at = i32(Number(address));
      const name = `${address} + ${offset}`;
      module.export(`load ${name}`, [], ['i32'], [...at, ...access('i32.load16_u', offset)]);
      module.export(`store ${name}`, ['f32'], [], [...at, ...get(0), ...access('f32.store', offset)]);
      module.export(`store-constant ${name}`, [], [], [...at, ...i64(-2n), ...access('i64.store', offset)]);
      calls.push({ name: `load ${name}`, args: [] });
      calls.push({ name: `store ${name}`, args: [0x7fa12345n] }, { name: `load ${name}`, args: [] });
      calls.push({ name: `store-constant ${name}`, args: [] }, { name: `load ${name}`, args: [] });
    }
  }
  await expectSame('memory-constants', module, calls);
});

/** Which of two traps comes first, and that stores before a trap stay while those after it never happen. */
test('memory: order of traps and effects', async () => {
  const module = memoryModule();
  const store = (at: number, value: Bytes): Bytes => [...i32(at), ...value, ...access('i32.store')];
  module.export('read', ['i32'], ['i32'], [...get(0), ...access('i32.load')]);
  const div: Bytes = [...get(0), ...get(1), ...op('i32.div_s')];
  const far: Bytes = [...i32(-1), ...access('i32.load')];
  module.export(
    'store-div-store',
    ['i32', 'i32'],
    [],
    [...store(0, get(0)), ...div, ...op('drop'), ...store(4, get(1))],
  );
  module.export('load-then-div', ['i32', 'i32'], ['i32'], [...far, ...div, ...op('i32.add')]);
  module.export('div-then-load', ['i32', 'i32'], ['i32'], [...div, ...far, ...op('i32.add')]);
  module.export('dropped-load', ['i32'], [], [...get(0), ...access('i64.load'), ...op('drop')]);
  module.export('dropped-div', ['i32', 'i32'], [], [...div, ...op('drop')]);
  module.export(
    'store-far-store',
    ['i32', 'i32'],
    [],
    [...store(8, get(0)), ...far, ...op('drop'), ...store(12, get(1))],
  );
  module.export(
    'global-far-global',
    ['i32'],
    [],
    [...get(0), ...op('global.set', 0), ...far, ...op('global.set', 0)],
  );
  module.addGlobal('i32', true, i32(5), 'g');
  module.export('g-value', [], ['i32'], op('global.get', 0));
  module.export(
    'trunc-then-far',
    ['f32'],
    ['i32'],
    [...get(0), ...op('i32.trunc_f32_s'), ...far, ...op('i32.add')],
  );
  module.export('value-before-address', ['i32', 'i32'], [], [...i32(-1), ...div, ...access('i32.store')]);
  module.export(
    'load-store-load',
    ['i32', 'i32'],
    ['i32', 'i32', 'i32'],
    [
      ...[
        ...get(0),
        ...access('i32.load'),
        ...get(1),
        ...get(0),
        ...access('i32.load'),
        ...access('i32.store'),
      ],
      ...[...get(0), ...access('i32.load'), ...get(1), ...access('i32.load')],
    ],
  );
  const pairs = [
    [1n, 1n],
    [7n, 0n],
    [0x80000000n, 0xffffffffn],
    [9n, 2n],
  ];
  const calls: Call[] = [];
  for (const args of pairs) {
    for (const name of [
      'store-div-store',
      'load-then-div',
      'div-then-load',
      'dropped-div',
      'store-far-store',
      'value-before-address',
      'load-store-load',
    ]) {
      calls.push({ name, args }, ...[0n, 4n, 8n, 12n].map((at) => ({ name: 'read', args: [at] })));
    }
  }
  for (const at of [0n, BigInt(SIZE - 8), BigInt(SIZE - 7), 0xffffffffn])
    calls.push({ name: 'dropped-load', args: [at] });
  for (const at of [0n, 3n, 0xffffffffn]) {
    calls.push({ name: 'global-far-global', args: [at] }, { name: 'g-value', args: [] });
    calls.push({ name: 'load-store-load', args: [at, 100n] });
    calls.push({ name: 'load-store-load', args: [100n, at] });
  }
  for (const x of [0n, 0x7fc00000n, 0x4f000000n, 0xcf000000n])
    calls.push({ name: 'trunc-then-far', args: [x] });
  await expectSame('memory-order', module, calls);
});

const BULK = [0, 1, 8, 100, PAGE - 4, PAGE, SIZE - 16, SIZE - 1, SIZE, SIZE + 1, -1, -16, 0x7fffffff];
const COUNTS = [0, 1, 7, 8, 15, 16, 17, 64, 255, 4096, SIZE, -1];

/** FNV-1a over all of memory, eight bytes at a time. */
function addHash(module: ModuleBuilder): void {
  module.export(
    'hash',
    [],
    ['i64'],
    [
      ...[...i64(0x4bf29ce484222325n), ...set(1), ...op('loop'), 0x40],
      ...[
        ...get(1),
        ...get(0),
        ...access('i64.load'),
        ...op('i64.xor'),
        ...i64(0x100000001b3n),
        ...op('i64.mul'),
        ...set(1),
      ],
      ...[
        ...get(0),
        ...i32(8),
        ...op('i32.add'),
        ...tee(0),
        ...i32(SIZE),
        ...op('i32.lt_u'),
        ...op('br_if', 0),
        ...op('end'),
      ],
      ...get(1),
    ],
    ['i32', 'i64'],
  );
}

/** Around the sizes that are done with a few instructions. */
const CONSTANT_COUNTS = [0, 1, 3, 5, 7, 8, 13, 16, 17, 24, 31, 33, 47, 63, 64, 65, 100];

test.each(WHERE)('memory: copy, fill, init and drop (%s)', async (where) => {
  const module = memoryModule(where);
  addHash(module);
  const data = module.addPassiveData(Array.from({ length: 300 }, (_, i) => (i * 7) & 0xff));
  const empty = module.addPassiveData([]);
  const three = [...get(0), ...get(1), ...get(2)];
  module.export('copy', ['i32', 'i32', 'i32'], [], [...three, ...op('memory.copy', 0, 0)]);
  module.export('fill', ['i32', 'i32', 'i32'], [], [...three, ...op('memory.fill', 0)]);
  module.export('init', ['i32', 'i32', 'i32'], [], [...three, ...op('memory.init', data, 0)]);
  module.export('init-empty', ['i32', 'i32', 'i32'], [], [...three, ...op('memory.init', empty, 0)]);
  module.export('drop', [], [], op('data.drop', data));
  for (const n of CONSTANT_COUNTS) {
    const two = [...get(0), ...get(1), ...i32(n)];
    module.export(`copy${n}`, ['i32', 'i32'], [], [...two, ...op('memory.copy', 0, 0)]);
    module.export(`fill${n}`, ['i32', 'i32'], [], [...two, ...op('memory.fill', 0)]);
    module.export(`set${n}`, ['i32'], [], [...get(0), ...i32(0x1e0 + n), ...i32(n), ...op('memory.fill', 0)]);
  }
  const unsigned = (n: number) => BigInt.asUintN(32, BigInt(n));
  const calls: Call[] = [];
  const make = (name: string, ...args: number[]) => {
    calls.push({ name, args: args.map(unsigned) }, { name: 'hash', args: [] });
  };
  for (const to of BULK) {
    for (const n of COUNTS) {
      for (const from of [0, 3, 96, PAGE, SIZE - 16, SIZE, -1]) make('copy', to, from, n);
      for (const from of [0, 1, 284, 299, 300, 301, -1]) make('init', to, from, n);
      make('fill', to, 0x1a5 + to, n);
      make('init-empty', to, 0, n);
    }
    for (const n of CONSTANT_COUNTS) {
      for (const from of [0, to + 1, to - 1, SIZE - 33]) make(`copy${n}`, to, from);
      make(`fill${n}`, to, n);
      make(`set${n}`, to);
    }
  }
  make('drop');
  for (const n of [0, 1]) for (const from of [0, 1]) make('init', 0, from, n);
  make('init', SIZE, 0, 0);
  make('init', SIZE + 1, 0, 0);
  make('drop');
  await expectSame(`memory-${where}-bulk`, module, calls);
});

test('memory: grows up to its maximum and past 2 GiB', async () => {
  for (const [name, max] of [
    ['4', 4],
    ['none', undefined],
  ] as const) {
    const module = new ModuleBuilder();
    module.setMemory(1, max);
    module.export('size', [], ['i32'], op('memory.size', 0));
    module.export('grow', ['i32'], ['i32'], [...get(0), ...op('memory.grow', 0)]);
    module.export('load', ['i32'], ['i64'], [...get(0), ...access('i64.load')]);
    module.export('store', ['i32', 'i64'], [], [...get(0), ...get(1), ...access('i64.store', 8)]);
    // The size before, a load, the size after: none may be taken from another.
    const sizes: Bytes = [
      ...op('memory.size', 0),
      ...get(0),
      ...op('memory.grow', 0),
      ...op('memory.size', 0),
    ];
    module.export('around', ['i32'], ['i32', 'i32', 'i32'] satisfies ValType[], sizes);
    const steps = max === undefined ? [1, 0, 40000, 65536, -1] : [0, 1, 3, 4, 2, 1, 0, -1];
    const calls: Call[] = [];
    for (const step of steps) {
      calls.push({ name: step % 2 === 0 ? 'grow' : 'around', args: [BigInt.asUintN(32, BigInt(step))] });
      calls.push({ name: 'size', args: [] });
      for (const page of [1, 2, 3, 4, 32767, 32768, 40002, 65535]) {
        const end = BigInt(page * PAGE);
        for (const at of [end - 9n, end - 8n, end - 16n, end]) {
          calls.push({ name: 'store', args: [at, 0x1234n + at] }, { name: 'load', args: [at] });
        }
      }
    }
    await expectSame(`memory-grow-${name}`, module, calls);
  }
});
