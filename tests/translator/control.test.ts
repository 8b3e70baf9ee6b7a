// Control flow: br_table with any index and any number of targets, loops whose parameters move in a circle, blocks
// with many results, frames larger than a page, call stacks that overflow.

import { test } from 'vitest';
import { type Call, expectSame } from './harness.ts';
import { type NumType, Random } from './values.ts';
import {
  access,
  type Bytes,
  constant,
  get,
  i32,
  i64,
  ModuleBuilder,
  op,
  set,
  toBits,
  type ValType,
} from './wasm.ts';

const INDEX = [
  0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 31, 32, 63, 64, 99, 100, 101, 255, 256, 4999, 5000, 5001, 0x7fffffff,
  -0x80000000, -2, -1,
];

/** Targets of tables: every label's arm returns its own number. */
function tableBody(index: Bytes, labels: number, targets: number[], fallback: number): Bytes {
  const body: Bytes = [];
  for (let i = 0; i < labels; i++) body.push(...op('block'), 0x40);
  body.push(...index, ...op('br_table', targets.length, ...targets, fallback));
  for (let i = 0; i < labels; i++) body.push(...op('end'), ...i32(1000 + i), ...op('return'));
  return [...body, ...op('unreachable')];
}

/** The same with a value that goes along. */
function tableWithValue(labels: number, targets: number[], fallback: number): Bytes {
  const body: Bytes = [];
  for (let i = 0; i < labels; i++) body.push(...op('block'), 0x7f);
  body.push(...get(1), ...get(0), ...op('br_table', targets.length, ...targets, fallback));
  for (let i = 0; i < labels; i++) body.push(...op('end'), ...i32(3 * i + 1), ...op('i32.mul'));
  return body;
}

test('control: br_table of any size with any index', async () => {
  const module = new ModuleBuilder();
  const random = new Random(5);
  const calls: Call[] = [];
  const expressions: [string, Bytes][] = [
    ['x', get(0)],
    ['x-5', [...get(0), ...i32(5), ...op('i32.sub')]],
    ['x&7', [...get(0), ...i32(7), ...op('i32.and')]],
    ['x>>1', [...get(0), ...i32(1), ...op('i32.shr_u')]],
    [
      'wrap',
      [...get(0), ...op('i64.extend_i32_s'), ...i64(1n << 32n), ...op('i64.add'), ...op('i32.wrap_i64')],
    ],
    ['5', i32(5)],
  ];
  for (const size of [0, 1, 2, 3, 4, 5, 8, 9, 64, 100, 5000]) {
    for (const labels of [1, 2, 7, 30]) {
      const targets = Array.from({ length: size }, () => random.below(labels));
      const fallback = random.below(labels);
      for (const [text, index] of size > 100 ? expressions.slice(0, 1) : expressions) {
        const name = `${size} of ${labels} ${text}`;
        module.export(name, ['i32'], ['i32'], tableBody(index, labels, targets, fallback));
        for (const x of INDEX) calls.push({ name, args: [BigInt.asUintN(32, BigInt(x))] });
      }
      const name = `${size} of ${labels} with a value`;
      module.export(name, ['i32', 'i32'], ['i32'], tableWithValue(labels, targets, fallback));
      for (const x of INDEX) calls.push({ name, args: [BigInt.asUintN(32, BigInt(x)), 77n] });
    }
  }
  await expectSame('control-br_table', module, calls);
});

const NUMBERS: NumType[] = ['i32', 'i64', 'f32', 'f64'];

/** A loop of `types` parameters that hands them to itself in another order, some of them twice. */
function shuffleLoop(module: ModuleBuilder, types: ValType[], order: number[]): Bytes {
  const n = types.length;
  const count = n;
  const body: Bytes = [];
  for (let i = 0; i < n; i++) body.push(...get(i));
  body.push(...op('loop'), ...module.blockType(types, types));
  for (let i = n - 1; i >= 0; i--) body.push(...set(count + 1 + i));
  for (let i = 0; i < n; i++) body.push(...get(count + 1 + order[i]));
  body.push(
    ...get(count),
    ...i32(1),
    ...op('i32.sub'),
    ...op('local.tee', count),
    ...op('br_if', 0),
    ...op('end'),
  );
  return body;
}

test('control: parameters of loops and results of blocks in any permutation', async () => {
  const module = new ModuleBuilder();
  const random = new Random(21);
  const calls: Call[] = [];
  for (let i = 0; i < 120; i++) {
    const size = 1 + random.below(i % 4 === 0 ? 40 : 8);
    const types: NumType[] = Array.from({ length: size }, () => random.pick(i % 3 === 0 ? ['i64'] : NUMBERS));
    const order = types.map((type) => random.pick([...types.keys()].filter((k) => types[k] === type)));
    if (i % 2 === 0) {
      // A true permutation: cycles of the same type.
      for (const type of NUMBERS) {
        const same = [...types.keys()].filter((k) => types[k] === type);
        same.forEach((k, j) => {
          order[k] = same[(j + 1) % same.length];
        });
      }
    }
    const name = `shuffle ${i}`;
    module.export(name, [...types, 'i32'], types, shuffleLoop(module, types, order), types);
    for (const count of [1n, 2n, 3n, 10n])
      calls.push({ name, args: [...types.map((t) => random.bits(t)), count] });
  }
  await expectSame('control-shuffle', module, calls);
});

/** Many values that are live at once, so that a frame takes pages: they must be read back unchanged. */
function bigFrame(values: number, callee: number): Bytes {
  const body: Bytes = [];
  const kept = Array.from({ length: values }, (_, i) => i);
  for (const i of kept) body.push(...get(0), ...i64(BigInt(i * i + 1)), ...op('i64.mul'), ...set(1 + i));
  body.push(...op('call', callee));
  body.push(...i64(0n));
  for (const i of kept) body.push(...i64(5n), ...op('i64.rotl'), ...get(1 + i), ...op('i64.xor'));
  return body;
}

test('control: frames of several pages, results by the hundred', async () => {
  const module = new ModuleBuilder();
  const calls: Call[] = [];
  const nothing = module.internal([], [], []);
  for (const values of [100, 509, 510, 511, 1500]) {
    const name = `frame ${values}`;
    module.export(name, ['i64'], ['i64'], bigFrame(values, nothing), Array(values).fill('i64'));
    for (const x of [0n, 1n, 0x123456789n]) calls.push({ name, args: [x] });
  }
  for (const count of [2, 3, 17, 100, 400]) {
    const types = Array.from({ length: count }, (_, i) => NUMBERS[i % 4]);
    const results = types.map((_, i) => NUMBERS[(i + 1) % 4]);
    const picks = results.flatMap((type) => get(types.indexOf(type) < 0 ? 0 : types.lastIndexOf(type)));
    if (count >= 4) {
      const f = module.export(`wide ${count}`, types, results, picks);
      module.export(`through ${count}`, types, results, [
        ...types.flatMap((_, i) => get(i)),
        ...op('call', f),
      ]);
    }
    const ones = types.flatMap((t, i) => constant(t, BigInt(i)));
    const g = module.internal([], types, ones);
    const sum: Bytes = [];
    for (const type of types.toReversed()) {
      sum.push(...toBits(type), ...(type[1] === '3' ? op('i64.extend_i32_u') : []));
      sum.push(...get(0), ...i64(3n), ...op('i64.mul'), ...op('i64.add'), ...set(0));
    }
    module.export(`sum ${count}`, [], ['i64'], [...op('call', g), ...sum, ...get(0)], ['i64']);
    calls.push({ name: `sum ${count}`, args: [] });
    if (count >= 4) {
      const args = types.map((_, i) => BigInt(i + 1));
      calls.push({ name: `wide ${count}`, args }, { name: `through ${count}`, args });
    }
  }
  await expectSame('control-frames', module, calls);
});

test('control: an overflow of the call stack is a trap, and calls go on', async () => {
  const module = new ModuleBuilder();
  module.setMemory(1);
  module.addTable('funcref', 1);
  const self = () => module.nextFunction;
  module.export('plain', [], [], op('call', self()));
  module.export('sum', ['i32'], ['i32'], [...get(0), ...get(0), ...op('call', self()), ...op('i32.add')]);
  const many: ValType[] = Array(30).fill('i64');
  const all = many.flatMap((_, i) => get(i));
  module.export('stack arguments', many, many, [...all, ...op('call', self())]);
  const type = module.type([], ['i32']);
  const indirect = [...i32(0), ...op('call_indirect', type, 0), ...i32(1), ...op('i32.add')];
  const f = module.export('indirect', [], ['i32'], indirect);
  module.addElements(0, [f]);
  const big = Array.from({ length: 2000 }, (_, i) => i);
  module.export(
    'big frame',
    ['i64'],
    ['i64'],
    [
      ...big.flatMap((i) => [...get(0), ...i64(BigInt(i)), ...op('i64.mul'), ...set(1 + i)]),
      ...[...get(0), ...op('call', self())],
      ...big.flatMap((i) => [...get(1 + i), ...op('i64.xor')]),
    ],
    Array(2000).fill('i64'),
  );
  module.export(
    'stores',
    ['i32'],
    [],
    [
      ...[...i32(0), ...i32(0), ...access('i32.load'), ...i32(1), ...op('i32.or'), ...access('i32.store')],
      ...[...get(0), ...op('call', self())],
    ],
  );
  module.export('load', [], ['i32'], [...i32(0), ...access('i32.load')]);
  const deep = [...get(0), ...op('i32.eqz'), ...op('if'), 0x7f, ...i32(0), ...op('else')];
  module.export(
    'depth',
    ['i32'],
    ['i32'],
    [
      ...[...deep, ...get(0), ...i32(1), ...op('i32.sub'), ...op('call', self())],
      ...[...i32(1), ...op('i32.add'), ...op('end')],
    ],
  );
  const calls: Call[] = [];
  for (let round = 0; round < 3; round++) {
    for (const name of ['plain', 'sum', 'stack arguments', 'indirect', 'big frame', 'stores']) {
      const args = module.signature(name).params.map(() => 1n);
      calls.push({ name, args }, { name: 'load', args: [] }, { name: 'depth', args: [5000n] });
    }
  }
  await expectSame('control-overflow', module, calls);
});

test('control: bodies of many thousand operators', async () => {
  const module = new ModuleBuilder();
  const calls: Call[] = [];
  const long: Bytes = [];
  for (let i = 0; i < 10_000; i++)
    long.push(...get(0), ...i32(i), ...op('i32.xor'), ...i32(7), ...op('i32.rotl'), ...set(0));
  module.export('straight', ['i32'], ['i32'], [...long, ...get(0)]);
  const depth = 500;
  const nested: Bytes = [];
  for (let i = 0; i < depth; i++) nested.push(...op('block'), 0x40);
  for (let i = 0; i < depth; i++) {
    nested.push(
      ...get(0),
      ...i32(i),
      ...op('i32.eq'),
      ...op('br_if', 0),
      ...get(1),
      ...i32(i),
      ...op('i32.add'),
      ...set(1),
    );
    nested.push(...op('end'));
  }
  module.export('nested', ['i32', 'i32'], ['i32'], [...nested, ...get(1)]);
  const ifs: Bytes = [];
  for (let i = 0; i < 1000; i++) {
    ifs.push(
      ...get(0),
      ...testBit(i % 32),
      ...op('if'),
      0x40,
      ...get(1),
      ...i32(i),
      ...op('i32.add'),
      ...set(1),
    );
    ifs.push(...op('else'), ...get(1), ...i32(3), ...op('i32.mul'), ...set(1), ...op('end'));
  }
  module.export('ifs', ['i32', 'i32'], ['i32'], [...ifs, ...get(1)]);
  for (const x of [0n, 1n, 500n, 0xffffffffn, 0xdeadbeefn]) {
    calls.push(
      { name: 'straight', args: [x] },
      { name: 'nested', args: [x, 1n] },
      { name: 'ifs', args: [x, 1n] },
    );
  }
  await expectSame('control-long', module, calls);
});

function testBit(bit: number): Bytes {
  return [...i32(1 << bit), ...op('i32.and')];
}

test('control: thousands of values live at once, across a loop too', async () => {
  const module = new ModuleBuilder();
  const count = 1500;
  const locals: ValType[] = new Array(count).fill('i32');
  const body: Bytes = [];
  for (let i = 1; i <= count; i++) body.push(...get(0), ...i32(i * 977), ...op('i32.xor'), ...set(i));
  body.push(...op('loop'), 0x40);
  for (let i = 1; i <= count; i++)
    body.push(...get(i), ...get(((i * 7) % count) + 1), ...op('i32.add'), ...set(i));
  body.push(...get(0), ...i32(1), ...op('i32.sub'), ...set(0), ...get(0), ...op('br_if', 0), ...op('end'));
  body.push(...get(0));
  for (let i = 1; i <= count; i++) body.push(...get(i), ...i32(5), ...op('i32.rotl'), ...op('i32.xor'));
  module.export('live', ['i32'], ['i32'], body, locals);
  const calls = [1n, 2n, 9n].map((n) => ({ name: 'live', args: [n] }));
  await expectSame('control-live', module, calls);
});

/** fetch, decode, execute: bits 4k…4k+3 of the program choose the k-th operator on the accumulator. */
function interpreter(): Bytes {
  const [program, steps, acc] = [0, 1, 2];
  const cases: Bytes[] = ['add', 'sub', 'mul', 'xor', 'and', 'or', 'rotl', 'shr_u', 'shl', 'shr_s'].map(
    (name, i) => [...get(acc), ...constant('i64', BigInt(3 * i + 5)), ...op(`i64.${name}`), ...set(acc)],
  );
  const body: Bytes = [...op('loop'), 0x40];
  for (let i = 0; i <= cases.length; i++) body.push(...op('block'), 0x40);
  // Out of the loop when the steps are used up.
  body.push(...get(steps), ...op('i32.eqz'), ...op('if'), 0x40, ...get(acc), ...op('return'), ...op('end'));
  body.push(...get(steps), ...i32(1), ...op('i32.sub'), ...set(steps));
  body.push(...get(program), ...constant('i64', 4n), ...op('i64.rotr'), ...set(program));
  body.push(...get(program), ...op('i32.wrap_i64'), ...i32(15), ...op('i32.and'));
  body.push(...op('br_table', cases.length, ...cases.map((_, i) => i), cases.length));
  cases.forEach((code, i) => {
    body.push(...op('end'), ...code, ...op('br', cases.length - i));
  });
  return [...body, ...op('end'), ...op('br', 0), ...op('end'), ...op('unreachable')];
}

test('control: the loop of an interpreter', async () => {
  const module = new ModuleBuilder();
  module.export('run', ['i64', 'i32'], ['i64'], interpreter(), ['i64']);
  const random = new Random(17);
  const calls: Call[] = [];
  for (let i = 0; i < 200; i++)
    calls.push({ name: 'run', args: [random.bits('i64'), BigInt(random.below(100))] });
  await expectSame('interpreter', module, calls);
});
