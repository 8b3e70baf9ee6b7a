// The surroundings in which an operator is tested: the selector folds constants, loads, stores and the users of a
// result into one instruction, the allocator has to keep what is live. Each shape adds exports for an operator to a
// module and returns the calls to make.

import type { Call } from './node.ts';
import { OPERATORS, type Operator, operatorCall, tuples } from './operators.ts';
import { EDGES, type NumType, Random, SHARP, widthOf } from './values.ts';
import {
  access,
  type Bytes,
  constant,
  fromBits,
  get,
  i32,
  i64,
  littleEndian,
  type ModuleBuilder,
  op,
  set,
  tee,
  toBits,
  type ValType,
} from './wasm.ts';

const TYPES: NumType[] = ['i32', 'i64', 'f32', 'f64'];

/**
 * Where the operands of a type lie in memory, 8 bytes each; scratch space, and values for registers. All of it is above
 * the first page, which a Linux process cannot map (fixed.test.ts).
 */
const OPERANDS: Record<NumType, number> = { i32: 0x10100, i64: 0x10200, f32: 0x10300, f64: 0x10400 };
const SCRATCH = 0x10020;
const FILLER = 0x10800;
const FILLERS = 20;

const indices = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const params = (o: Operator): Bytes => o.params.flatMap((_, i) => get(i));
const sharpTuples = (o: Operator): bigint[][] => tuples(o.params.map((type) => SHARP[type]));

/** Two pages, filled with what shapes load. */
export function addOperandMemory(module: ModuleBuilder): void {
  module.setMemory(2, 2);
  for (const type of TYPES) {
    module.addData(
      OPERANDS[type],
      SHARP[type].flatMap((bits) => littleEndian(bits, 8)),
    );
  }
  const random = new Random(7);
  module.addData(
    FILLER,
    indices(2 * FILLERS).flatMap(() => littleEndian(random.u64(), 8)),
  );
}

export type Shape = (module: ModuleBuilder, operator: Operator) => Call[];

/** All edge cases, and random operands. */
export const plain: Shape = (module, o) => {
  module.export(o.name, o.params, [o.result], [...params(o), ...op(o.name)]);
  const random = new Random(11);
  const operands = tuples(o.params.map((type) => EDGES[type]));
  for (let i = 0; i < 100; i++) operands.push(o.params.map((type) => random.bits(type)));
  return operands.map((values) => operatorCall(o.name, o, values));
};

/** One value as both operands. */
export const same: Shape = (module, o) => {
  if (o.params.length === 1) return [];
  const name = `${o.name} x x`;
  module.export(name, [o.params[0]], [o.result], [...get(0), ...get(0), ...op(o.name)]);
  return EDGES[o.params[0]].map((x) => operatorCall(name, o, [x, x], [x]));
};

/** One operand constant: an immediate where it fits. */
export const constants: Shape = (module, o) => {
  const calls: Call[] = [];
  SHARP[o.params[0]].forEach((c, i) => {
    const fixed = constant(o.params[0], c);
    if (o.params.length === 1) {
      const name = `${o.name} c${i}`;
      module.export(name, [], [o.result], [...fixed, ...op(o.name)]);
      calls.push(operatorCall(name, o, [c], []));
      return;
    }
    const [left, right] = [`${o.name} c${i} x`, `${o.name} x c${i}`];
    module.export(left, [o.params[1]], [o.result], [...fixed, ...get(0), ...op(o.name)]);
    module.export(right, [o.params[0]], [o.result], [...get(0), ...constant(o.params[1], c), ...op(o.name)]);
    for (const x of SHARP[o.params[1]]) {
      calls.push(operatorCall(left, o, [c, x], [x]), operatorCall(right, o, [x, c], [x]));
    }
  });
  return calls;
};

const load = (type: NumType): Bytes => access(`${type}.load`);
const store = (type: NumType): Bytes => access(`${type}.store`);

/** Each operand, and both, as a load. */
export const loads: Shape = (module, o) => {
  const calls: Call[] = [];
  for (let mask = 1; mask < 1 << o.params.length; mask++) {
    const name = `${o.name} load${mask}`;
    const isLoad = (i: number) => (mask & (1 << i)) !== 0;
    const body = o.params.flatMap((type, i) => [...get(i), ...(isLoad(i) ? load(type) : [])]);
    const types = o.params.map((type, i): ValType => (isLoad(i) ? 'i32' : type));
    module.export(name, types, [o.result], [...body, ...op(o.name)]);
    for (const at of tuples(o.params.map((type) => SHARP[type].map((_, i) => BigInt(i))))) {
      const values = o.params.map((type, i) => SHARP[type][Number(at[i])]);
      const args = values.map((v, i) => (isLoad(i) ? BigInt(OPERANDS[o.params[i]]) + 8n * at[i] : v));
      calls.push(operatorCall(name, o, values, args));
    }
  }
  return calls;
};

/** memory = memory op y, and memory = y op memory, between guards that must stay. */
export const updates: Shape = (module, o) => {
  if (o.result !== o.params[0]) return [];
  const type = o.result;
  const size = widthOf(type) / 8;
  const guard = (at: number): Bytes => [
    ...i32(SCRATCH + at),
    ...i64(0x1122334455667788n),
    ...access('i64.store'),
  ];
  const guardsHash: Bytes = [
    ...i32(SCRATCH - 8),
    ...access('i64.load'),
    ...i32(SCRATCH + size),
    ...access('i64.load'),
    ...op('i64.xor'),
  ];
  const calls: Call[] = [];
  for (const side of ['memory-op-y', 'y-op-memory']) {
    if (o.params.length === 1 && side !== 'memory-op-y') continue;
    const name = `${o.name} ${side}`;
    const old: Bytes = [...i32(SCRATCH), ...load(type)];
    const operands =
      o.params.length === 1 ? old : side === 'memory-op-y' ? [...old, ...get(1)] : [...get(1), ...old];
    const body = [
      ...guard(-8),
      ...guard(size),
      ...[...i32(SCRATCH), ...get(0), ...store(type)],
      ...[...i32(SCRATCH), ...operands, ...op(o.name), ...store(type)],
      ...[...i32(SCRATCH), ...load(type), ...guardsHash],
    ];
    module.export(name, o.params, [type, 'i64'], body);
    for (const values of sharpTuples(o)) {
      const args = side === 'memory-op-y' ? values : values.toReversed();
      calls.push(operatorCall(name, o, values, args));
    }
  }
  return calls;
};

/** Turns the result into an i32 that is zero or not, without looking at a NaN's bits. */
function condition(type: NumType): Bytes {
  if (type === 'i32') return [];
  if (type === 'i64') return [...i64(0n), ...op('i64.ne')];
  return [...constant(type, 0n), ...op(`${type}.gt`)];
}

/** What uses the result of a comparison, as an i32 condition on the stack; locals 2 and 3 are free. */
const USERS: [string, (condition: Bytes) => Bytes][] = [
  ['eqz', (c) => [...c, ...op('i32.eqz')]],
  ['eqz-eqz', (c) => [...c, ...op('i32.eqz'), ...op('i32.eqz')]],
  ['if', (c) => [...c, ...op('if'), 0x7f, ...i32(11), ...op('else'), ...i32(22), ...op('end')]],
  [
    'if-not',
    (c) => [...c, ...op('i32.eqz'), ...op('if'), 0x7f, ...i32(11), ...op('else'), ...i32(22), ...op('end')],
  ],
  [
    'br_if',
    (c) => [
      ...op('block'),
      0x7f,
      ...i32(5),
      ...c,
      ...op('br_if', 0),
      ...i32(6),
      ...op('i32.add'),
      ...op('end'),
    ],
  ],
  [
    'br_if-ne',
    (c) => [
      ...op('block'),
      0x7f,
      ...i32(5),
      ...c,
      ...i32(0),
      ...op('i32.ne'),
      ...op('br_if', 0),
      ...i32(6),
      ...op('i32.add'),
      ...op('end'),
    ],
  ],
  ['select', (c) => [...i32(7), ...i32(-7), ...c, ...op('select')]],
  [
    'select-f64',
    (c) => [
      ...constant('f64', 5n),
      ...constant('f64', 6n),
      ...c,
      ...op('select'),
      ...op('i64.reinterpret_f64'),
      ...op('i32.wrap_i64'),
    ],
  ],
  ['select-i64', (c) => [...i64(5n), ...i64(6n), ...c, ...op('select'), ...op('i32.wrap_i64')]],
  [
    'store',
    (c) => [
      ...i32(SCRATCH),
      ...i32(-1),
      ...access('i32.store'),
      ...i32(SCRATCH),
      ...c,
      ...access('i32.store8'),
      ...i32(SCRATCH),
      ...access('i32.load'),
    ],
  ],
  [
    'twice',
    (c) => [...c, ...set(2), ...get(2), ...i32(3), ...i32(4), ...get(2), ...op('select'), ...op('i32.add')],
  ],
  ['arithmetic', (c) => [...c, ...i32(4), ...op('i32.shl'), ...c, ...op('i32.sub')]],
  [
    'br_table',
    (c) => [
      ...op('block'),
      0x40,
      ...op('block'),
      0x40,
      ...c,
      ...op('br_table'),
      1,
      0,
      1,
      ...op('end'),
      ...i32(100),
      ...op('return'),
      ...op('end'),
      ...i32(200),
    ],
  ],
  [
    'loop',
    (c) => [
      ...op('loop'),
      0x40,
      ...get(3),
      ...i32(1),
      ...op('i32.add'),
      ...tee(3),
      ...i32(3),
      ...op('i32.lt_u'),
      ...c,
      ...op('i32.and'),
      ...op('br_if', 0),
      ...op('end'),
      ...get(3),
    ],
  ],
  ['unreachable', (c) => [...c, ...op('if'), 0x40, ...op('unreachable'), ...op('end'), ...i32(1)]],
];

/** The result as a condition of everything that takes one. */
export const users: Shape = (module, o) => {
  const calls: Call[] = [];
  const spare = o.params.length === 1 ? (['i32', 'i32', 'i32'] as const) : (['i32', 'i32'] as const);
  for (const [user, make] of USERS) {
    const name = `${o.name} ${user}`;
    module.export(name, o.params, ['i32'], make([...params(o), ...op(o.name), ...condition(o.result)]), [
      ...spare,
    ]);
    for (const values of sharpTuples(o)) {
      const call = operatorCall(name, { ...o, freeNan: false }, values);
      // `unreachable` is a trap of its own beside the operator's.
      if (user === 'unreachable') delete call.trap;
      calls.push(call);
    }
  }
  return calls;
};

/** A comparison with an operand from memory, by those who take its flags. */
export const loadedConditions: Shape = (module, o) => {
  if (
    o.result !== 'i32' ||
    o.params.length !== 2 ||
    o.params[0] !== o.params[1] ||
    /\.(div|rem)/.test(o.name)
  )
    return [];
  const calls: Call[] = [];
  const [type] = o.params;
  for (const [user, make] of USERS) {
    if (!/^(if|br_if|select|twice)$/.test(user)) continue;
    for (const left of [true, false]) {
      const name = `${o.name} ${left ? 'load y' : 'x load'} ${user}`;
      const code = left ? [...get(0), ...load(type), ...get(1)] : [...get(1), ...get(0), ...load(type)];
      module.export(name, ['i32', type], ['i32'], make([...code, ...op(o.name)]), ['i32', 'i32']);
      SHARP[type].forEach((_, i) => {
        for (const y of SHARP[type]) calls.push({ name, args: [BigInt(OPERANDS[type] + 8 * i), y] });
      });
    }
  }
  return calls;
};

/** Two conditions at once: one's flags must not outlive the other. */
export const pairs: Shape = (module, o) => {
  if (o.result !== 'i32' || o.params.length !== 2 || o.params[0] !== o.params[1]) return [];
  const name = `${o.name} pair`;
  const there = [...get(0), ...get(1), ...op(o.name)];
  const back = [...get(1), ...get(0), ...op(o.name)];
  module.export(
    name,
    o.params,
    ['i32', 'i32'],
    [
      ...[...there, ...back, ...op('i32.and')],
      ...[...i32(1), ...i32(2), ...there, ...back, ...op('i32.or'), ...op('select')],
    ],
  );
  return sharpTuples(o)
    .filter((values) => !/\.(div|rem)/.test(o.name) || !values.includes(0n))
    .map((values) => operatorCall(name, o, values));
};

/** Inside a loop, while 20 integers and 20 floats are live and have to come out unchanged. */
export const pressure: Shape = (module, o) => {
  const name = `${o.name} pressure`;
  const n = o.params.length;
  const [ints, floats, result, count] = [n, n + FILLERS, n + 2 * FILLERS, n + 2 * FILLERS + 1];
  const fill = (first: number, type: NumType, from: number): Bytes =>
    indices(FILLERS).flatMap((i) => [...i32(8 * i), ...access(`${type}.load`, from), ...set(first + i)]);
  const fold = (first: number, type: NumType): Bytes =>
    indices(FILLERS).flatMap((i) => [
      ...i64(7n),
      ...op('i64.rotl'),
      ...get(first + i),
      ...toBits(type),
      ...op('i64.xor'),
    ]);
  const body = [
    ...fill(ints, 'i64', FILLER),
    ...fill(floats, 'f64', FILLER + 8 * FILLERS),
    ...[...op('loop'), 0x40, ...params(o), ...op(o.name), ...set(result)],
    ...[...get(ints), ...i64(1n), ...op('i64.add'), ...set(ints)],
    ...[...get(count), ...i32(1), ...op('i32.add'), ...tee(count), ...i32(3), ...op('i32.lt_s')],
    ...[...op('br_if', 0), ...op('end')],
    ...[...get(result), ...i64(0n), ...fold(ints, 'i64'), ...fold(floats, 'f64')],
  ];
  const locals = [...Array(FILLERS).fill('i64'), ...Array(FILLERS).fill('f64'), o.result, 'i32'] as ValType[];
  module.export(name, o.params, [o.result, 'i64'], body, locals);
  return sharpTuples(o).map((values) => operatorCall(name, o, values));
};

/** One operand comes from a call, the other lives across it, the result is passed on: in a register and on the stack. */
export function acrossCalls(module: ModuleBuilder): Shape {
  const identity = new Map(TYPES.map((type) => [type, module.internal([type], [type], get(0))]));
  const many = TYPES.map((type): [NumType, number] => {
    const list: ValType[] = Array(10).fill(type);
    return [type, module.internal(list, [type], get(9))];
  });
  const last = new Map(many);
  return (_, o) => {
    const name = `${o.name} calls`;
    const body = [
      ...[...get(0), ...op('call', identity.get(o.params[0])!)],
      ...(o.params.length === 2 ? [...get(1), ...op('call', identity.get(o.params[1])!)] : []),
      ...op(o.name),
      ...set(o.params.length),
      ...indices(10).flatMap(() => get(o.params.length)),
      ...op('call', last.get(o.result)!),
      ...[...params(o), ...op(o.name), ...op('call', identity.get(o.result)!)],
    ];
    module.export(name, o.params, [o.result, o.result], body, [o.result]);
    return sharpTuples(o).map((values) => operatorCall(name, o, values));
  };
}

/** The bits of a float parameter, so that integer operators meet values that come from float registers and back. */
export const moved: Shape = (module, o) => {
  const name = `${o.name} moved`;
  const other = (type: NumType): NumType =>
    type === 'i32' ? 'f32' : type === 'i64' ? 'f64' : type === 'f32' ? 'i32' : 'i64';
  const cross = (type: NumType): Bytes => (type[0] === 'i' ? toBits(other(type)) : fromBits(type));
  const body = o.params.flatMap((type, i) => [...get(i), ...cross(type)]);
  const back: Bytes = o.freeNan ? [] : cross(other(o.result));
  const result = o.freeNan ? o.result : other(o.result);
  module.export(name, o.params.map(other), [result], [...body, ...op(o.name), ...back]);
  return sharpTuples(o).map((values) => operatorCall(name, o, values));
};

/** `o` behind each unary operator: what one leaves in a register's upper half the other must not see. */
export const chains: Shape = (module, o) => {
  const calls: Call[] = [];
  for (const inner of OPERATORS) {
    if (inner.params.length !== 1 || inner.result !== o.params[0]) continue;
    const free = inner.freeNan || o.freeNan;
    // Here bits that are the engine's choice would become a number.
    if (inner.freeNan && /reinterpret_f/.test(o.name)) continue;
    const name = `${o.name} ${inner.name}`;
    const types = [inner.params[0], ...o.params.slice(1)];
    module.export(
      name,
      types,
      [o.result],
      [...[...get(0), ...op(inner.name), ...(o.params.length === 2 ? get(1) : []), ...op(o.name)]],
    );
    for (const x of SHARP[types[0]]) {
      for (const y of types.length === 2 ? SHARP[types[1]].slice(3, 7) : [0n]) {
        calls.push({ name, args: [x, y].slice(0, types.length), nan: free ? 'arithmetic' : undefined });
      }
    }
  }
  return calls;
};
