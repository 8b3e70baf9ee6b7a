// What selection and emission melt together: comparisons with bytes and halfwords in memory, branches on the flags of
// arithmetic, sums and scales in addresses. Each form is run with values around the edges.

import { test } from 'vitest';
import { type Call, expectSame } from './harness.ts';
import { access, type Bytes, constant, get, i32, i64, ModuleBuilder, op, set } from './wasm.ts';

const COMPARE = ['eq', 'ne', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u'];
const LOADS = ['i32.load8_u', 'i32.load8_s', 'i32.load16_u', 'i32.load16_s', 'i32.load'];
const CONSTANTS = [0, 1, 5, 127, 128, 200, 255, 256, 0x7fff, 0x8000, 0xffff, -1, -5, -128, -129];
const BYTES = [0, 1, 5, 127, 128, 129, 200, 255, 0x7f, 0x80, 0xff, 0xfb, 0x7fff, 0xffff];

/** 1 where the condition on the stack holds, else 2: by a branch. */
const branch = (condition: Bytes): Bytes => [
  ...condition,
  ...op('if'),
  0x7f,
  ...i32(1),
  ...op('else'),
  ...i32(2),
  ...op('end'),
];
/** …by calls, which nothing can turn into a select. */
const diverge = (condition: Bytes, callee: number): Bytes => [
  ...[...condition, ...op('if'), 0x7f, ...i32(11), ...op('call', callee)],
  ...[...op('else'), ...i32(22), ...op('call', callee), ...op('end')],
];

test('fusion: comparisons with bytes and halfwords in memory', async () => {
  const module = new ModuleBuilder();
  module.setMemory(2, 2);
  const identity = module.internal(['i32'], ['i32'], get(0));
  const calls: Call[] = [];
  const add = (name: string, condition: Bytes): void => {
    const store = [...i32(0x10000), ...get(0), ...access('i32.store', 0)];
    module.export(name, ['i32'], ['i32'], [...store, ...diverge(condition, identity)]);
    module.export(`${name}-value`, ['i32'], ['i32'], [...store, ...condition]);
    for (const b of BYTES) {
      calls.push({ name, args: [BigInt(b)] }, { name: `${name}-value`, args: [BigInt(b)] });
    }
  };
  for (const load of LOADS) {
    const loaded = [...i32(0x10000), ...access(load, 0)];
    add(`${load} eqz`, [...loaded, ...op('i32.eqz')]);
    for (const n of CONSTANTS) {
      for (const c of COMPARE) add(`${load} ${c} ${n}`, [...loaded, ...i32(n), ...op(`i32.${c}`)]);
      add(`${load} and ${n}`, [...loaded, ...i32(n), ...op('i32.and'), ...op('i32.eqz')]);
    }
  }
  await expectSame('fusion-memory', module, calls);
});

test('fusion: branches on the flags of arithmetic', async () => {
  const module = new ModuleBuilder();
  const calls: Call[] = [];
  const values = [0n, 1n, 2n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0xfffffffen];
  for (const type of ['i32', 'i64'] as const) {
    const of = (n: bigint): Bytes => constant(type, n);
    const wide = type === 'i64' ? values.flatMap((v) => [v, v << 32n]) : values;
    for (const alu of ['add', 'sub', 'and', 'or', 'xor', 'shl', 'shr_u', 'shr_s']) {
      for (const c of COMPARE.filter((name) => !name.endsWith('_u'))) {
        for (const right of [get(1), of(1n), of(-1n)]) {
          const name = `${type}.${alu} ${c} ${right}`;
          const computed = [...get(0), ...right, ...op(`${type}.${alu}`), ...set(2)];
          const condition = [...get(2), ...of(0n), ...op(`${type}.${c}`)];
          const both = [...branch(condition), ...get(2), ...(type === 'i64' ? op('i32.wrap_i64') : [])];
          module.export(name, [type, type], ['i32'], [...computed, ...both, ...op('i32.xor')], [type]);
          for (const a of wide) for (const b of wide) calls.push({ name, args: [a, b] });
        }
      }
    }
    // A loop that counts down to nothing, and one that counts below it.
    for (const c of ['ne', 'gt_s', 'ge_s']) {
      const body = [
        ...[...op('loop'), 0x40, ...get(1), ...get(0), ...op(`${type}.add`), ...set(1)],
        ...[
          ...get(0),
          ...of(1n),
          ...op(`${type}.sub`),
          ...set(0),
          ...get(0),
          ...of(0n),
          ...op(`${type}.${c}`),
        ],
        ...[...op('br_if', 0), ...op('end'), ...get(1)],
      ];
      module.export(`${type} down ${c}`, [type], [type], body, [type]);
      for (const n of [1n, 2n, 7n]) calls.push({ name: `${type} down ${c}`, args: [n] });
    }
  }
  await expectSame('fusion-flags', module, calls);
});

test('fusion: sums and scales in addresses', async () => {
  const module = new ModuleBuilder();
  module.setMemory(2, 2);
  const calls: Call[] = [];
  const fill = [
    ...[...op('loop'), 0x40, ...get(0), ...get(0), ...i32(0x9e3779b1 | 0), ...op('i32.mul')],
    ...[...access('i32.store', 0), ...get(0), ...i32(4), ...op('i32.add'), ...set(0), ...get(0)],
    ...[...i32(0x20000), ...op('i32.lt_u'), ...op('br_if', 0), ...op('end')],
  ];
  module.export('fill', ['i32'], [], fill);
  calls.push({ name: 'fill', args: [0x10000n] });
  const narrowed: [string, Bytes][] = [
    ['x', get(0)],
    ['x&255', [...get(0), ...i32(255), ...op('i32.and')]],
    ['x>>>24', [...get(0), ...i32(24), ...op('i32.shr_u')]],
    ['x>>>2', [...get(0), ...i32(2), ...op('i32.shr_u')]],
    [
      'wrap',
      [...get(0), ...op('i64.extend_i32_s'), ...i64(-1n << 33n), ...op('i64.or'), ...op('i32.wrap_i64')],
    ],
  ];
  for (const [name, x] of narrowed) {
    for (const shift of [0, 1, 2, 3, 4]) {
      for (const sum of [0, 0x10000, -0x10000]) {
        for (const offset of [0, 0x10000, 0x7fffffff, 0xffff0000]) {
          const scaled = shift === 0 ? x : [...x, ...i32(shift), ...op('i32.shl')];
          const address = sum === 0 ? scaled : [...scaled, ...i32(sum), ...op('i32.add')];
          const key = `${name}<<${shift}+${sum}+${offset}`;
          module.export(key, ['i32'], ['i32'], [...address, ...access('i32.load', offset)]);
          for (const v of [0n, 3n, 0x10000n, 0x10100n, 0xff001234n, 0xfffffff0n, 0x40004000n]) {
            calls.push({ name: key, args: [v] });
          }
        }
      }
    }
  }
  await expectSame('fusion-addresses', module, calls);
});
