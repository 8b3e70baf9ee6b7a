// The reducer on a module that "fails" for as long as Node still finds a certain trap in it.

import { expect, test } from 'vitest';
import { engine } from '../translator/engine.ts';
import { wat } from '../wasm/wat.ts';
import { prepare } from './execute.ts';
import { reduce } from './reduce.ts';
import { flat, parse, pretty, size } from './text.ts';

const LOOP = `(module
  (memory 1)
  (global $zero (mut i32) (i32.const 0))
  (func $helper (param f64) (result i32) (i32.trunc_sat_f64_s (local.get 0)))
  (func (export "run") (result i64) (local $i i32) (local $sum i64)
    (i32.store offset=4 (i32.const 8) (i32.const 77))
    (loop $again
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (call $helper (f64.const 2.5)))))
      (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9))))
    (if (i32.load offset=4 (i32.const 8))
      (then (drop (i32.div_u (local.get $i) (global.get $zero)))))
    (local.get $sum)))`;

function traps(text: string): boolean {
  try {
    return prepare(wat(text)).wanted.some((w) => 'traps' in w && w.traps.includes('integer divide by zero'));
  } catch {
    return false;
  }
}

function isValid(text: string): boolean {
  try {
    return engine.validate(wat(text));
  } catch {
    return false;
  }
}

test('a division by zero is left alone', async () => {
  expect(traps(LOOP)).toBe(true);
  const small = await reduce(parse(LOOP), async (node) => traps(flat(node)), Date.now() + 30_000);
  expect(traps(pretty(small))).toBe(true);
  expect(size(small)).toBeLessThan(20);
  expect(flat(small)).toMatch(/div_u/);
  expect(flat(small)).not.toMatch(/loop|store|helper/);
});

test('what is locked stays as it is', async () => {
  const text = `(module (func $canonical_f64 (param f64) (result f64) (f64.neg (local.get 0)))
    (func (export "f") (result i64) (i64.reinterpret_f64 (call $canonical_f64 (f64.add (f64.const 1) (f64.const 2))))))`;
  const small = await reduce(
    parse(text),
    async (node) => /reinterpret_f64.*f64.add/.test(flat(node)) && isValid(flat(node)),
    Date.now() + 30_000,
  );
  expect(flat(small)).toMatch(/reinterpret_f64 \(call \$canonical_f64 \(f64.add/);
});
