// Random expressions full of awkward constants, optimised, against Node: what the folding rules are for. SEED=7 N=1000
// chooses others.

import { expect, test } from 'vitest';
import type { Func } from '../../build/ir/ir.ts';
import { optimise } from '../../build/opt/passes.ts';
import { compare } from '../ir/differential.ts';
import { Random } from '../translator/values.ts';
import { wat } from '../wasm/wat.ts';

const SEED = Number(process.env.SEED ?? 1);
const COUNT = Number(process.env.N ?? 300);
const DEPTH_MAX = 4;

type Int = 'i32' | 'i64';

const CONSTANTS = [
  0,
  1,
  2,
  3,
  4,
  7,
  8,
  16,
  24,
  31,
  32,
  48,
  56,
  63,
  64,
  127,
  128,
  255,
  256,
  65535,
  65536,
  2 ** 31 - 1,
  -1,
  -2,
  -128,
  -(2 ** 31),
];
const BINARY = 'add sub mul and or xor shl shr_s shr_u rotl rotr div_s div_u rem_s rem_u'.split(' ');
const COMPARE = 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'.split(' ');
const EXTEND: Record<Int, string[]> = {
  i32: ['extend8_s', 'extend16_s'],
  i64: ['extend8_s', 'extend16_s', 'extend32_s'],
};

function expression(random: Random, type: Int, depth: number): string {
  if (depth === 0 || random.chance(0.15)) return leaf(random, type);
  const other: Int = random.chance(0.7) ? type : type === 'i32' ? 'i64' : 'i32';
  const sub = (t: Int) => expression(random, t, depth - 1);
  const constant = () => `(${type}.const ${random.pick(CONSTANTS)})`;
  switch (random.below(9)) {
    case 0:
      return `(${type}.${random.pick(BINARY)} ${sub(type)} ${sub(type)})`;
    case 1:
    case 2:
    case 3:
      return `(${type}.${random.pick(BINARY)} ${sub(type)} ${constant()})`;
    case 4:
      return `(${type}.${random.pick(EXTEND[type])} ${sub(type)})`;
    case 5:
      return type === 'i32'
        ? `(i32.wrap_i64 ${sub('i64')})`
        : `(i64.extend_i32_${random.pick(['s', 'u'])} ${sub('i32')})`;
    case 6:
      return `(select ${sub(type)} ${sub(type)} ${condition(random, other, depth - 1)})`;
    case 7:
      return `(if (result ${type}) ${condition(random, other, depth - 1)} (then ${sub(type)}) (else ${sub(type)}))`;
    default:
      return type === 'i32'
        ? condition(random, other, depth - 1)
        : `(i64.load${random.pick(['8_s', '8_u', '16_s', '32_u'])} ${address(random)})`;
  }
}

function condition(random: Random, type: Int, depth: number): string {
  const a = expression(random, type, depth);
  if (random.chance(0.3)) return `(i32.eqz ${condition(random, type, Math.max(0, depth - 1))})`;
  if (random.chance(0.2)) return `(${type}.eqz ${a})`;
  const b = random.chance(0.5)
    ? `(${type}.const ${random.pick(CONSTANTS)})`
    : expression(random, type, depth);
  return `(${type}.${random.pick(COMPARE)} ${a} ${b})`;
}

function address(random: Random): string {
  return `(i32.and (local.get ${random.below(2)}) (i32.const 255))`;
}

function leaf(random: Random, type: Int): string {
  if (random.chance(0.3)) return `(${type}.const ${random.pick(CONSTANTS)})`;
  if (type === 'i32' && random.chance(0.2))
    return `(i32.load${random.pick(['8_s', '8_u', '16_s', '16_u'])} ${address(random)})`;
  return `(local.get ${(type === 'i32' ? 0 : 2) + random.below(2)})`;
}

function optimised(f: Func): void {
  optimise(f, { verify: true });
}

test(`expressions from seed ${SEED}`, () => {
  const random = new Random(SEED);
  const functions = Array.from({ length: COUNT }, (_, i) => {
    const type: Int = random.chance(0.5) ? 'i32' : 'i64';
    return `(func (export "f${i}") (param i32 i32 i64 i64) (result ${type}) ${expression(random, type, DEPTH_MAX)})`;
  });
  const data = Array.from({ length: 264 }, () => `\\${random.below(256).toString(16).padStart(2, '0')}`).join(
    '',
  );
  const bytes = wat(`(module (memory 1) (data (i32.const 0) "${data}") ${functions.join('\n')})`);
  for (let run = 0; run < 8; run++) {
    const compared = compare(bytes, {
      argument: (type) => {
        const n = random.chance(0.6) ? random.pick(CONSTANTS) : random.below(2 ** 32) - 2 ** 31;
        return type === 'i64' ? BigInt.asIntN(64, random.chance(0.5) ? BigInt(n) : random.u64()) : n | 0;
      },
      transform: optimised,
    });
    expect(compared).toBe(COUNT + 1);
  }
});

test('comparisons of neighbours: constants on either side, negated, as conditions', () => {
  const functions = (['i32', 'i64'] as const).flatMap((type) =>
    COMPARE.flatMap((op) => {
      const [x, y] = type === 'i32' ? [0, 1] : [2, 3];
      const compared = [
        ...[0, 1, 5, -1].flatMap((c) => [
          `(${type}.${op} (${type}.const ${c}) (local.get ${x}))`,
          `(${type}.${op} (local.get ${x}) (${type}.const ${c}))`,
        ]),
        `(${type}.${op} (local.get ${x}) (local.get ${y}))`,
      ];
      return compared.flatMap((c) => [
        c,
        `(i32.eqz ${c})`,
        `(i32.eqz (i32.eqz ${c}))`,
        `(if (result i32) ${c} (then (i32.const 7)) (else (i32.const 8)))`,
        `(select (i32.const 7) (i32.const 8) (i32.eqz ${c}))`,
      ]);
    }),
  );
  const exports = functions.map(
    (f, i) => `(func (export "f${i}") (param i32 i32 i64 i64) (result i32) ${f})`,
  );
  const bytes = wat(`(module ${exports.join('\n')})`);
  for (const a of [-1, 0, 1, 5]) {
    for (const b of [a - 1, a, a + 1]) {
      let k = 0;
      const argument = (type: string) => {
        const n = k++ % 2 === 0 ? a : b;
        return type === 'i64' ? BigInt(n) : n;
      };
      expect(compare(bytes, { argument, transform: optimised })).toBe(functions.length + 1);
    }
  }
});

test('narrow loads, masked and extended', () => {
  const functions = (['i32', 'i64'] as const).flatMap((type) =>
    ['8_s', '8_u', '16_s', '16_u'].flatMap((load) => {
      const loaded = `(${type}.load${load} (local.get 0))`;
      const masks = [1, 127, 128, 255, 256, 65535, 65536, -1, -256].map(
        (c) => `(${type}.and ${loaded} (${type}.const ${c}))`,
      );
      return [...masks, ...EXTEND[type].map((op) => `(${type}.${op} ${loaded})`)].map((code) => ({
        type,
        code,
      }));
    }),
  );
  const exports = functions.map(
    ({ type, code }, i) => `(func (export "f${i}") (param i32) (result ${type}) ${code})`,
  );
  const data = '\\80\\7f\\ff\\ff\\01\\fe\\81\\80';
  const bytes = wat(`(module (memory 1) (data (i32.const 0) "${data}") ${exports.join('\n')})`);
  for (let at = 0; at < 8; at++) {
    expect(compare(bytes, { argument: () => at, transform: optimised })).toBe(functions.length + 1);
  }
});
