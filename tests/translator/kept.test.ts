// Code that is kept from one translation to the next: the object is the same, byte for byte, as one that is made from nothing.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { KeptCode, NEEDS_OTHERS } from '../../build/kept.ts';
import { readSourceMap } from '../../build/object/sourcemap.ts';
import { translate } from '../../build/translate.ts';
import { wat } from '../wasm/wat.ts';

const OPTIONS = { memory: 'fixed', name: 'm', disabledPasses: NEEDS_OTHERS } as const;

interface Parts {
  first?: string;
  table?: string;
  extra?: string;
  result?: string;
}

/** A caller, jump tables, constants of floats, a call through a table, memory; parts of it differ. */
const module = ({ first = '', table = '$far', extra = '', result = '(i32.const 3)' }: Parts): Uint8Array =>
  wat(`(module (memory 1) (type $t (func (param i32) (result i32))) (table 2 funcref) (elem (i32.const 0) ${table} $last)
    (global $g (mut i32) (i32.const 5)) ${extra}
    (func $changed (export "changed") (param i32) (result i32) ${first} (i32.add (local.get 0) ${result}))
    (func $floats (export "floats") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 3.25)))
    (func $jumps (export "jumps") (param i32) (result i32)
      (block $c (block $b (block $a (br_table $a $b $c $a $b (local.get 0))) (return (i32.const 7)))
        (return (call $changed (i32.const 9)))) (global.get $g))
    (func $far (param i32) (result i32) (i32.load offset=16 (call $last (local.get 0))))
    (func $last (param i32) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 1)))
    (func $unused (export "late") (result i32) (call $far (i32.div_u (i32.const 1) (global.get $g)))))`);

test('after changes of each kind', () => {
  const kept = new KeptCode();
  const versions = [
    {},
    { first: '(drop (i32.div_s (local.get 0) (local.get 0)))' },
    { result: '(call $last (local.get 0))' },
    { table: '$changed' },
    { extra: '(global $h (mut i64) (i64.const 1))' },
    { extra: '(func $more (param i64))' },
    {},
  ];
  for (const parts of versions) {
    const bytes = module(parts);
    const fresh = translate(bytes, OPTIONS).object;
    expect(Buffer.compare(translate(bytes, { ...OPTIONS, kept }).object, fresh), JSON.stringify(parts)).toBe(
      0,
    );
    expect(Buffer.compare(translate(bytes, { ...OPTIONS, kept }).object, fresh), 'again').toBe(0);
  }
});

test('of the kernel, with its lines', () => {
  const bytes = readFileSync('out/kernel.wasm');
  const sourceMap = () => readSourceMap('out/kernel.wasm.map');
  const kept = new KeptCode();
  const objects = [1, 2].map(() => translate(bytes, { ...OPTIONS, sourceMap: sourceMap(), kept }).object);
  expect(Buffer.compare(objects[0], objects[1])).toBe(0);
});
