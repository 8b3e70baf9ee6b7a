// What is noted of variables for debuggers, and what passes leave of it.

import { expect, test } from 'vitest';
import { buildFunction } from '../../build/ir/build.ts';
import type { Func } from '../../build/ir/ir.ts';
import { layOutContext } from '../../build/object/layout.ts';
import { simplifyBits } from '../../build/opt/bits.ts';
import { removeDeadCode } from '../../build/opt/dce.ts';
import { readModule } from '../../build/wasm/validate.ts';
import { wat } from '../wasm/wat.ts';

function build(source: string): Func {
  const module = readModule(wat(source));
  const env = { module, layout: layOutContext(module), model: 'fixed', isIntrinsic: () => false } as const;
  return buildFunction({ ...env, debug: true }, 0);
}

/** Operations of the values that a local has, in the order of the code. */
function valuesOf(func: Func, local: number): string[] {
  return func.bindings
    .filter((binding) => binding.local === local)
    .sort((a, b) => a.from - b.from)
    .map(({ value }) => value.op);
}

test('a parameter, an assignment, a join', () => {
  const func = build(`(module (func (param $a i32) (result i32) (local $x i32)
    (if (local.get $a) (then (local.set $x (i32.const 3))) (else (local.set $x (i32.mul (local.get $a) (local.get $a)))))
    (local.get $x)))`);
  expect(valuesOf(func, 0)).toEqual(['param']);
  expect(valuesOf(func, 1)).toEqual(['const', 'mul', 'param']);
});

test('a value of which only some bits are looked at is no variable any more when the others change', () => {
  const func = build(`(module (memory 1) (func (param $a i32) (local $low i32) (local $whole i32)
    (local.set $low (i32.and (local.get $a) (i32.const 255)))
    (local.set $whole (i32.add (local.get $a) (i32.const 7)))
    (i32.store8 (i32.const 16) (local.get $low))
    (i32.store (i32.const 20) (local.get $whole))))`);
  expect(valuesOf(func, 1)).toEqual(['and']);
  simplifyBits(func);
  expect(valuesOf(func, 1)).toEqual([]);
  expect(valuesOf(func, 2)).toEqual(['add']);
});

test('what is removed is no variable any more, but for constants', () => {
  const func = build(`(module (func (param $a i32) (local $gone i32) (local $known i32)
    (local.set $gone (i32.add (local.get $a) (i32.const 7)))
    (local.set $known (i32.const 5))))`);
  removeDeadCode(func);
  expect(valuesOf(func, 1)).toEqual([]);
  expect(valuesOf(func, 2)).toEqual(['const']);
});
