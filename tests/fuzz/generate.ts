// A module of random programs in the text format. A program is a few functions that call each other; its entry is
// exported, takes nothing, and works on the memory and globals that `reset` has set from a seed; `hash` mixes all that
// can be seen afterwards. Fuel in a global and loops that count make every call end.

import { type NumType, Random } from '../translator/values.ts';
import { Body } from './body.ts';
import { type Signature, TABLE_SLOTS } from './expressions.ts';

const TYPES: NumType[] = ['i32', 'i64', 'f32', 'f64'];
const FUEL = 40;

const globals = TYPES.flatMap((t) => [0, 1].map((i) => ({ type: t, name: `$${t}_${i}` })));

/** Reads a global as an i64. */
function bitsOf({ type, name }: (typeof globals)[number]): string {
  const value = `(global.get ${name})`;
  if (type === 'i64') return value;
  if (type === 'i32') return `(i64.extend_i32_u ${value})`;
  const bits = `(i${type.slice(1)}.reinterpret_${type} (call $canonical_${type} ${value}))`;
  return type === 'f32' ? `(i64.extend_i32_u ${bits})` : bits;
}

function setFromSeed({ type, name }: (typeof globals)[number]): string {
  const seed = '(local.get $seed)';
  const value =
    { i32: `(i32.wrap_i64 ${seed})`, i64: seed }[type as string] ?? `(${type}.convert_i64_s ${seed})`;
  return `(global.set ${name} ${value})`;
}

const canonical = (type: string) =>
  `(func $canonical_${type} (param ${type}) (result ${type})
    (select (local.get 0) (${type}.const nan) (${type}.eq (local.get 0) (local.get 0))))`;

const RESET = `(func (export "reset") (param $seed i64) (local $at i32)
    (global.set $fuel (i32.const ${FUEL}))
    (loop $next
      (local.set $seed (i64.add (i64.mul (local.get $seed) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
      (i64.store (local.get $at) (i64.rotl (local.get $seed) (i64.const 17)))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 65536))))
    ${globals.map(setFromSeed).join('\n    ')})`;

const HASH = `(func (export "hash") (result i64) (local $at i32) (local $sum i64)
    (loop $next
      (local.set $sum (i64.mul (i64.xor (local.get $sum) (i64.load (local.get $at))) (i64.const 0x100000001b3)))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.shl (memory.size) (i32.const 16)))))
    ${globals.map((g) => `(local.set $sum (i64.mul (i64.xor (local.get $sum) ${bitsOf(g)}) (i64.const 0x100000001b3)))`).join('\n    ')}
    (i64.add (local.get $sum) (i64.extend_i32_u (global.get $fuel))))`;

/** The module of the programs with the seeds from `start` to below `end`; each depends on its seed alone. */
export function generate(start: number, end: number): string {
  const programs = Array.from({ length: end - start }, (_, i) => program(start + i));
  const declared = globals.map(({ type, name }) => `(global ${name} (mut ${type}) (${type}.const 0))`);
  return [
    '(module',
    '(memory 1 2)',
    '(global $fuel (mut i32) (i32.const 0))',
    ...declared,
    ...programs.flat(),
    canonical('f32'),
    canonical('f64'),
    RESET,
    HASH,
  ]
    .join('\n  ')
    .concat(')\n');
}

function program(seed: number): string[] {
  const random = new Random(seed);
  const types = (max: number): NumType[] =>
    Array.from({ length: random.below(max + 1) }, () => random.pick(TYPES));
  const functions: Signature[] = Array.from({ length: 1 + random.below(3) }, (_, i) => ({
    name: `$p${seed}_${i}`,
    params: i === 0 ? [] : types(random.chance(0.15) ? 12 : 4),
    results: i === 0 ? ['i64'] : random.chance(0.15) ? types(4) : [random.pick(TYPES)],
    type: `$type${seed}_${i}`,
  }));
  const table = `$table${seed}`;
  const elements = functions.map((f) => f.name).join(' ');
  return [
    ...functions.map(
      (f) => `(type ${f.type} (func (param ${f.params.join(' ')}) (result ${f.results.join(' ')})))`,
    ),
    `(table ${table} ${TABLE_SLOTS} funcref)`,
    `(elem (table ${table}) (i32.const 0) func ${elements})`,
    ...functions.map((f, i) =>
      new Body(random, f, functions, table).text(i === 0 ? `(export "p${seed}")` : ''),
    ),
  ];
}
