// Calls: parameters and results by the dozen, directly, through a table and as tail calls, with more and with fewer
// stack arguments than the caller has; every trap of call_indirect; imported functions.

import { test } from 'vitest';
import { type Call, expectSame } from './harness.ts';
import { EDGES, type NumType, Random } from './values.ts';
import { type Bytes, constant, get, i32, i64, ModuleBuilder, op, refNull, type ValType } from './wasm.ts';

const NUMBERS: NumType[] = ['i32', 'i64', 'f32', 'f64'];

function randomTypes(random: Random, max: number): NumType[] {
  const only = random.chance(0.3) ? [random.pick(NUMBERS)] : NUMBERS;
  return Array.from({ length: random.below(max + 1) }, () => random.pick(only));
}

/** A value of `type`: a parameter of that type where there is one, most of the time. */
function pick(random: Random, type: NumType, params: NumType[]): Bytes {
  const fitting = [...params.keys()].filter((i) => params[i] === type);
  if (fitting.length > 0 && random.chance(0.8)) return get(random.pick(fitting));
  return constant(type, random.bits(type));
}

const HOW = ['call', 'call_indirect', 'return_call', 'return_call_indirect'] as const;

test('calls: any number of parameters and results, by every kind of call', async () => {
  const module = new ModuleBuilder();
  const random = new Random(99);
  const table: number[] = [];
  const calls: Call[] = [];
  module.addTable('funcref', 500);
  for (let i = 0; i < 100; i++) {
    const results = randomTypes(random, i % 5 === 0 ? 40 : 6);
    const inner = randomTypes(random, i % 3 === 0 ? 40 : 12);
    const callee = module.internal(
      inner,
      results,
      results.flatMap((type) => pick(random, type, inner)),
    );
    table.push(callee);
    for (const how of HOW) {
      const outer = randomTypes(random, i % 4 === 0 ? 40 : 12);
      const name = `${how} ${i}`;
      const args = inner.flatMap((type) => pick(random, type, outer));
      const to = how.endsWith('indirect')
        ? [...i32(table.length - 1), ...op(how, module.type(inner, results), 0)]
        : op(how, callee);
      // Twice as deep: the caller of a tail call must find its own frame as it was.
      const f = module.export(name, outer, results, [...args, ...to]);
      const keeper: ValType[] = [...results, ...outer];
      const keeps = [
        ...outer.flatMap((_, k) => get(k)),
        ...op('call', f),
        ...outer.flatMap((_, k) => get(k)),
      ];
      module.export(`around ${name}`, outer, keeper, keeps);
      for (let round = 0; round < 3; round++) {
        const values = outer.map((type) => random.bits(type));
        calls.push({ name, args: values }, { name: `around ${name}`, args: values });
      }
    }
  }
  module.addElements(0, table);
  await expectSame('calls-signatures', module, calls);
});

/** Functions that call the next one in a ring, each with its own number of parameters; the first one counts. */
function tailRing(
  module: ModuleBuilder,
  counts: number[],
  how: 'return_call' | 'return_call_indirect',
): void {
  const first = module.nextFunction;
  const signatures = counts.map((count): NumType[] => {
    const rest = Array.from({ length: count }, (_, i) => NUMBERS[i % 4]);
    return ['i32', 'i64', ...rest];
  });
  signatures.forEach((params, i) => {
    const next = (i + 1) % counts.length;
    const args = signatures[next].slice(2).flatMap((type, k) => {
      const from = params.findIndex((p, at) => at >= 2 + ((k + i) % 3) && p === type);
      return from < 0 ? constant(type, BigInt(100 * i + k)) : get(from);
    });
    const jump =
      how === 'return_call'
        ? op(how, first + next)
        : [...i32(next), ...op(how, module.type(signatures[next], ['i64', 'i32']), 0)];
    module.export(
      `${how} ring ${i}`,
      params,
      ['i64', 'i32'],
      [
        ...[
          ...get(0),
          ...op('i32.eqz'),
          ...op('if'),
          0x40,
          ...get(1),
          ...i32(i),
          ...op('return'),
          ...op('end'),
        ],
        ...[...get(0), ...i32(1), ...op('i32.sub')],
        ...[...get(1), ...i64(BigInt(i + 3)), ...op('i64.mul'), ...i64(1n), ...op('i64.add')],
        ...[...args, ...jump],
      ],
    );
  });
  if (how === 'return_call_indirect') {
    module.addTable('funcref', counts.length);
    module.addElements(
      0,
      counts.map((_, i) => first + i),
    );
  }
}

test.each(['return_call', 'return_call_indirect'] as const)(
  'calls: a million of %s need no stack',
  async (how) => {
    const module = new ModuleBuilder();
    const counts = [0, 20, 3, 40, 7, 8, 30, 1];
    tailRing(module, counts, how);
    const calls: Call[] = counts.flatMap((_, i) => {
      const name = `${how} ring ${i}`;
      const rest = module
        .signature(name)
        .params.slice(2)
        .map((_, k) => BigInt(k));
      return [0n, 1n, 7n, 1_000_003n].map((n) => ({ name, args: [n, 5n, ...rest] }));
    });
    await expectSame(`calls-ring-${how}`, module, calls, { YAOS_STACK_BYTES: '262144' });
  },
);

test('calls: every trap of call_indirect, and types by shape', async () => {
  const module = new ModuleBuilder();
  module.addTable('funcref', 10, 20);
  const nullary = module.internal([], ['i32'], i32(1));
  const unary = module.internal(['i32'], ['i32'], get(0));
  const other = module.internal(['i64'], ['i32'], i32(3));
  const wide = module.internal(['i32'], ['i32', 'i32'], [...get(0), ...get(0)]);
  module.addElements(0, [nullary, unary, other, wide]);
  const UNDEFINED = 'undefined element';
  const MISMATCH = 'indirect call type mismatch';
  const expected: [bigint, Record<string, string>][] = [
    [0n, { unary: MISMATCH }],
    [1n, { nullary: MISMATCH }],
    [2n, { nullary: MISMATCH, unary: MISMATCH }],
    [3n, { nullary: MISMATCH, unary: MISMATCH }],
    [4n, { nullary: 'uninitialized element', unary: 'uninitialized element' }],
    [9n, { nullary: 'uninitialized element', unary: 'uninitialized element' }],
    ...[10n, 19n, 20n, 0x7fffffffn, 0x80000000n, 0xffffffffn].map((n): [bigint, Record<string, string>] => [
      n,
      { nullary: UNDEFINED, unary: UNDEFINED },
    ]),
  ];
  const calls: Call[] = [];
  for (const how of ['call_indirect', 'return_call_indirect']) {
    const tail = op(how, module.type([], ['i32']), 0);
    module.export(`${how} nullary`, ['i32'], ['i32'], [...get(0), ...tail]);
    const tail1 = op(how, module.type(['i32'], ['i32']), 0);
    module.export(`${how} unary`, ['i32'], ['i32'], [...i32(42), ...get(0), ...tail1]);
    for (const [index, traps] of expected) {
      for (const shape of ['nullary', 'unary']) {
        calls.push({ name: `${how} ${shape}`, args: [index], trap: traps[shape] });
      }
    }
  }
  for (const [index, traps] of expected) {
    const name = `constant ${index}`;
    const code = op('call_indirect', module.type([], ['i32']), 0);
    module.export(name, [], ['i32'], [...i32(Number(index)), ...code]);
    calls.push({ name, args: [], trap: traps.nullary });
  }
  await expectSame('calls-indirect', module, calls);
});

test('calls: imported functions, directly and through a table', async () => {
  const module = new ModuleBuilder();
  const prints = new Map<string, number>();
  for (const [name, params] of [
    ['print', []],
    ['print_i32', ['i32']],
    ['print_i64', ['i64']],
    ['print_f32', ['f32']],
    ['print_f64', ['f64']],
    ['print_i32_f32', ['i32', 'f32']],
    ['print_f64_f64', ['f64', 'f64']],
  ] as [string, NumType[]][]) {
    prints.set(name, module.importFunction('spectest', name, params, []));
  }
  module.addTable('funcref', 10);
  module.addElements(0, [...prints.values()]);
  const calls: Call[] = [];
  [...prints.keys()].forEach((name, i) => {
    const types = name.split('_').slice(1) as NumType[];
    const args = types.flatMap((_, k) => get(k));
    const keep = types.flatMap((_, k) => get(k));
    const indirect = [...i32(i), ...op('call_indirect', module.type(types, []), 0)];
    module.export(`direct ${name}`, types, types, [...args, ...op('call', prints.get(name)!), ...keep]);
    module.export(`indirect ${name}`, types, types, [...args, ...indirect, ...keep]);
    module.export(`tail ${name}`, types, [], [...args, ...op('return_call', prints.get(name)!)]);
    module.export(
      `tail indirect ${name}`,
      types,
      [],
      [...[...args, ...i32(i), ...op('return_call_indirect', module.type(types, []), 0)]],
    );
    const values = types.map((t, k) => EDGES[t].at(-1 - k)!);
    for (const how of ['direct', 'indirect', 'tail', 'tail indirect'])
      calls.push({ name: `${how} ${name}`, args: values });
  });
  await expectSame('calls-imports', module, calls);
});

test('calls: recursion with values live across', async () => {
  const module = new ModuleBuilder();
  const self = () => module.nextFunction;
  const less = (n: number): Bytes => [...get(0), ...i32(n), ...op('i32.sub'), ...op('call', self())];
  const base = (type: number, value: Bytes): Bytes => [
    ...get(0),
    ...i32(2),
    ...op('i32.lt_s'),
    ...op('if'),
    type,
    ...value,
    ...op('else'),
  ];
  module.export(
    'fib',
    ['i32'],
    ['i32'],
    [...base(0x7f, get(0)), ...less(1), ...less(2), ...op('i32.add'), ...op('end')],
  );
  module.export(
    'fib-f64',
    ['i32'],
    ['f64'],
    [
      ...base(0x7c, [...get(0), ...op('f64.convert_i32_s')]),
      ...[...less(1), ...less(2), ...op('f64.add'), ...op('end')],
    ],
  );
  module.export(
    'ackermann',
    ['i32', 'i32'],
    ['i32'],
    [
      ...[
        ...get(0),
        ...op('i32.eqz'),
        ...op('if'),
        0x7f,
        ...get(1),
        ...i32(1),
        ...op('i32.add'),
        ...op('else'),
      ],
      ...[...get(0), ...i32(1), ...op('i32.sub')],
      ...[...get(1), ...op('i32.eqz'), ...op('if'), 0x7f, ...i32(1), ...op('else')],
      ...[...get(0), ...get(1), ...i32(1), ...op('i32.sub'), ...op('call', self()), ...op('end')],
      ...[...op('call', self()), ...op('end')],
    ],
  );
  const eight: NumType[] = Array.from({ length: 24 }, (_, i) => NUMBERS[i % 4]);
  const rotated = eight.map((_, i) => (i + 4) % 24);
  module.export('rotate', ['i32', ...eight], eight, [
    ...[...get(0), ...op('i32.eqz'), ...op('if'), ...module.blockType([], eight)],
    ...[...eight.flatMap((_, i) => get(1 + i)), ...op('else'), ...get(0), ...i32(1), ...op('i32.sub')],
    ...[...rotated.flatMap((i) => get(1 + i)), ...op('call', self()), ...op('end')],
  ]);
  const calls: Call[] = [];
  for (const n of [0n, 1n, 2n, 15n, 20n])
    calls.push({ name: 'fib', args: [n] }, { name: 'fib-f64', args: [n] });
  for (const n of [0n, 1n, 5n, 6n, 100n])
    calls.push({ name: 'rotate', args: [n, ...eight.map((_, i) => BigInt(i))] });
  calls.push({ name: 'ackermann', args: [2n, 9n] });
  await expectSame('calls-recursion', module, calls);
});

/** Random operations on a funcref and an externref table, whose whole contents are read after each. */
test('calls: tables are read, written, grown, filled, copied, initialised', async () => {
  const module = new ModuleBuilder();
  const random = new Random(17);
  const functions = [0, 1, 2, 3].map((i) => module.internal([], ['i32'], i32(100 + i)));
  const tables = [
    { index: module.addTable('funcref', 8, 20), type: 'funcref' as const },
    { index: module.addTable('externref', 5), type: 'externref' as const },
    { index: module.addTable('funcref', 0, 3), type: 'funcref' as const },
  ];
  const elements = module.addPassiveElements([functions[3], functions[1], functions[2]]);
  module.addElements(1, functions);
  const three = [...get(0), ...get(1), ...get(2)];
  const three32: ValType[] = ['i32', 'i32', 'i32'];
  for (const { index: t, type } of tables) {
    module.export(`get ${t}`, ['i32'], [type], [...get(0), ...op('table.get', t)]);
    module.export(`null ${t}`, ['i32'], ['i32'], [...get(0), ...op('table.get', t), ...op('ref.is_null')]);
    module.export(`size ${t}`, [], ['i32'], op('table.size', t));
    module.export(`clear ${t}`, ['i32'], [], [...get(0), ...refNull(type), ...op('table.set', t)]);
    module.export(`grow-null ${t}`, ['i32'], ['i32'], [...refNull(type), ...get(0), ...op('table.grow', t)]);
    for (const from of tables) {
      if (from.type !== type) continue;
      module.export(`copy ${t} ${from.index}`, three32, [], [...three, ...op('table.copy', t, from.index)]);
    }
    if (type === 'externref') {
      module.export(`set ${t}`, ['i32', type], [], [...get(0), ...get(1), ...op('table.set', t)]);
      module.export(`grow ${t}`, ['i32', type], ['i32'], [...get(1), ...get(0), ...op('table.grow', t)]);
      module.export(`fill ${t}`, ['i32', type, 'i32'], [], [...three, ...op('table.fill', t)]);
      continue;
    }
    const chosen: Bytes = [...get(1), ...i32(3), ...op('i32.and'), ...op('table.get', 0)];
    module.export(`set ${t}`, ['i32', 'i32'], [], [...get(0), ...chosen, ...op('table.set', t)]);
    module.export(`grow ${t}`, ['i32', 'i32'], ['i32'], [...chosen, ...get(0), ...op('table.grow', t)]);
    module.export(
      `fill ${t}`,
      three32,
      [],
      [...get(0), ...op('ref.func', functions[2]), ...get(2), ...op('table.fill', t)],
    );
    module.export(`init ${t}`, three32, [], [...three, ...op('table.init', elements, t)]);
    module.export(
      `call ${t}`,
      ['i32'],
      ['i32'],
      [...get(0), ...op('call_indirect', module.type([], ['i32']), t)],
    );
  }
  module.export('drop', [], [], op('elem.drop', elements));
  const names = module.functions.filter((f) => f.exported && f.name !== 'drop').map((f) => f.name);
  const calls: Call[] = [];
  const near = () =>
    random.chance(0.05) ? BigInt.asUintN(32, BigInt(-1 - random.below(3))) : BigInt(random.below(9));
  for (let i = 0; i < 3000; i++) {
    const name = i === 2000 ? 'drop' : random.pick(names);
    const { params } = module.signature(name);
    const args = params.map((type) => (type === 'externref' && random.chance(0.2) ? null : near()));
    const call: Call = { name, args };
    const undefinedElement = name.startsWith('call') ? undefined : 'out of bounds table access';
    call.trap = undefinedElement;
    calls.push(call);
    for (const t of tables) {
      calls.push({ name: `size ${t.index}`, args: [] });
      calls.push({ name: `get ${t.index}`, args: [BigInt(i % 20)], trap: 'out of bounds table access' });
    }
  }
  await expectSame('calls-tables', module, calls);
});

test('calls: globals of every type', async () => {
  const module = new ModuleBuilder();
  const i = module.importGlobal('spectest', 'global_i32', 'i32');
  module.importGlobal('spectest', 'global_i64', 'i64');
  const calls: Call[] = [];
  module.export('imported', [], ['i32', 'i64'], [...op('global.get', i), ...op('global.get', 1)]);
  calls.push({ name: 'imported', args: [] });
  for (const type of NUMBERS) {
    const fixed = module.addGlobal(type, false, constant(type, EDGES[type].at(-3)!));
    const g = module.addGlobal(type, true, constant(type, EDGES[type].at(-2)!));
    module.export(`fixed ${type}`, [], [type], op('global.get', fixed));
    module.export(
      `swap ${type}`,
      [type],
      [type],
      [...op('global.get', g), ...get(0), ...op('global.set', g)],
    );
    module.export(
      `twice ${type}`,
      [type],
      [type, type, type],
      [...[...op('global.get', g), ...get(0), ...op('global.set', g), ...op('global.get', g), ...get(0)]],
    );
    calls.push({ name: `fixed ${type}`, args: [] });
    for (const x of EDGES[type])
      calls.push({ name: `swap ${type}`, args: [x] }, { name: `twice ${type}`, args: [x] });
  }
  const copied = module.addGlobal('i32', false, op('global.get', i));
  module.export('copied', [], ['i32'], op('global.get', copied));
  const reference = module.addGlobal('externref', true, refNull('externref'));
  module.export(
    'swap externref',
    ['externref'],
    ['externref'],
    [...[...op('global.get', reference), ...get(0), ...op('global.set', reference)]],
  );
  const f = module.internal([], [], []);
  const functionGlobal = module.addGlobal('funcref', true, op('ref.func', f));
  module.export(
    'swap funcref',
    [],
    ['funcref', 'i32'],
    [
      ...[...op('global.get', functionGlobal), ...refNull('funcref'), ...op('global.set', functionGlobal)],
      ...[...op('global.get', functionGlobal), ...op('ref.is_null')],
    ],
  );
  const start = module.internal(
    [],
    [],
    [...i32(77), ...op('global.set', module.addGlobal('i32', true, i32(1)))],
  );
  module.export('started', [], ['i32'], op('global.get', functionGlobal + 1));
  module.setStart(start);
  calls.push({ name: 'copied', args: [] }, { name: 'started', args: [] });
  for (const x of [5n, null, 7n]) calls.push({ name: 'swap externref', args: [x] });
  calls.push({ name: 'swap funcref', args: [] }, { name: 'swap funcref', args: [] });
  await expectSame('calls-globals', module, calls);
});

test('calls: a chain of thousands of small functions, each of which could be inlined into the one before', async () => {
  const module = new ModuleBuilder();
  const last = 5000;
  for (let i = 0; i < last; i++)
    module.internal(['i32'], ['i32'], [...get(0), ...i32(3), ...op('i32.mul'), ...op('call', i + 1)]);
  module.internal(['i32'], ['i32'], [...get(0), ...i32(1), ...op('i32.add')]);
  module.export('first', ['i32'], ['i32'], [...get(0), ...op('call', 0)]);
  await expectSame('calls-chain', module, [{ name: 'first', args: [5n] }]);
});
