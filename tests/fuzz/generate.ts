// A module of random programs in the text format. A program is a few functions that call each other. Two are exported and
// take nothing: its entry, and one that calls the small ones in a loop. They work on the memory and globals that `reset`
// has set from a seed; `hash` mixes all that can be seen afterwards. Fuel in a global and loops that count make every
// call end.

import { type NumType, Random } from '../translator/values.ts';
import { Body } from './body.ts';
import { DEVICE, declarations } from './device.ts';
import { type Signature, type Surroundings, TABLE_SLOTS } from './expressions.ts';
import { driver, Small } from './small.ts';

const TYPES: NumType[] = ['i32', 'i64', 'f32', 'f64'];
const FUEL = 40;

const globals = TYPES.flatMap((t) => [0, 1].map((i) => ({ type: t, name: `$${t}_${i}` })));
/** What has been seen on the way; nothing depends on it. */
globals.push({ type: 'i64', name: '$shown' });

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

const reset = (base: number) => `(func (export "reset") (param $seed i64) (local $at i32)
    (global.set $fuel (i32.const ${FUEL}))
    (loop $next
      (local.set $seed (i64.add (i64.mul (local.get $seed) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
      (i64.store offset=${base} (local.get $at) (i64.rotl (local.get $seed) (i64.const 17)))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 65536))))
    ${globals.map(setFromSeed).join('\n    ')})`;

const hash = (base: number) => `(func (export "hash") (result i64) (local $at i32) (local $sum i64)
    ${base > 0 ? `(local.set $sum (call $load64 (i32.const ${DEVICE})))` : ''}
    (loop $next
      (local.set $sum (i64.mul (i64.xor (local.get $sum) (i64.load offset=${base} (local.get $at))) (i64.const 0x100000001b3)))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const ${base})))))
    ${globals.map((g) => `(local.set $sum (i64.mul (i64.xor (local.get $sum) ${bitsOf(g)}) (i64.const 0x100000001b3)))`).join('\n    ')}
    (i64.add (local.get $sum) (i64.extend_i32_u (global.get $fuel))))`;

/** Programs with neighbouring seeds that are of one memory model. */
export const BATCH = 50;
/** One batch in so many is of the fixed model. */
const FIXED_EVERY = 4;
const PAGE = 0x10000;

/** The module of the programs with the seeds from `start` to below `end`; each depends on its seed alone. */
export function generate(start: number, end: number): string {
  // Below 64 KiB nothing can be mapped in a process; then come the device's registers.
  const fixed = Math.floor(start / BATCH) % FIXED_EVERY === FIXED_EVERY - 1;
  const base = fixed ? 2 * PAGE : 0;
  const programs = Array.from({ length: end - start }, (_, i) => program(start + i, base));
  const declared = globals.map(({ type, name }) => `(global ${name} (mut ${type}) (${type}.const 0))`);
  return [
    '(module',
    ...(fixed ? declarations : []),
    `(memory ${base / PAGE + 1} ${base / PAGE + 2})`,
    '(global $fuel (mut i32) (i32.const 0))',
    ...declared,
    ...programs.flat(),
    canonical('f32'),
    canonical('f64'),
    reset(base),
    hash(base),
  ]
    .join('\n  ')
    .concat(')\n');
}

function program(seed: number, base: number): string[] {
  const random = new Random(seed);
  const types = (max: number): NumType[] =>
    Array.from({ length: random.below(max + 1) }, () => random.pick(TYPES));
  const functions: Signature[] = Array.from({ length: 1 + random.below(3) }, (_, i) => ({
    name: `$p${seed}_${i}`,
    params: i === 0 ? [] : types(random.chance(0.15) ? 12 : 4),
    results: i === 0 ? ['i64'] : random.chance(0.15) ? types(4) : [random.pick(TYPES)],
    type: `$type${seed}_${i}`,
  }));
  const small: Signature[] = Array.from({ length: 1 + random.below(4) }, (_, i) => ({
    name: `$s${seed}_${i}`,
    params: ['i32', ...types(2)],
    results: random.chance(0.2) ? types(2) : [random.pick(TYPES)],
    type: `$small${seed}_${i}`,
  }));
  const table = `$table${seed}`;
  const surroundings: Surroundings = { table, base };
  const all = [...functions, ...small];
  const elements = all.map((f) => f.name).join(' ');
  return [
    ...all.map(
      (f) => `(type ${f.type} (func (param ${f.params.join(' ')}) (result ${f.results.join(' ')})))`,
    ),
    `(table ${table} ${TABLE_SLOTS} funcref)`,
    `(elem (table ${table}) (i32.const 0) func ${elements})`,
    ...functions.map((f, i) =>
      new Body(random, f, all, surroundings).text(i === 0 ? `(export "p${seed}")` : ''),
    ),
    ...small.map((f, i) => new Small(random, f, small.slice(0, i), surroundings).text()),
    driver(random, small, `(export "d${seed}")`),
  ];
}
