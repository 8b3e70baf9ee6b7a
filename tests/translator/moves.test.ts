// Functions of a kernel that are called from one place move there, whatever their size; what a table or a second call can
// reach stays, and what moves into a small function would keep that from being copied.

import { expect, test } from 'vitest';
import { translate } from '../../build/translate.ts';
import { wat } from '../wasm/wat.ts';

/** More than is copied to two places. */
const LARGE = Array.from(
  { length: 15 },
  (_, i) => `(local.set 0 (i32.rotl (local.get 0) (i32.const ${i + 1})))
  (if (i32.eqz (local.get 0)) (then (local.set 0 (i32.const ${i + 7}))))`,
).join('\n');

const MODULE = wat(`(module
  (table 1 funcref) (elem (i32.const 0) $referenced)
  (func $once (param i32) (result i32) ${LARGE} (local.get 0))
  (func $traps (param i32) (result i32) ${LARGE} (if (local.get 0) (then (unreachable))) (local.get 0))
  (func $twice (param i32) (result i32) ${LARGE} (local.get 0))
  (func $referenced (param i32) (result i32) ${LARGE} (local.get 0))
  (func $rare (param i32) (result i32) ${LARGE} (local.get 0))
  (func $common (param i32) (result i32)
    (if (result i32) (local.get 0) (then (local.get 0)) (else (call $rare (local.get 0)))))
  (func (export "a") (param i32) (result i32)
    ${LARGE} (i32.add
      (i32.add (call $once (local.get 0)) (call $traps (local.get 0)))
      (i32.add (call $twice (i32.const 1)) (i32.add (call $twice (local.get 0)) (call $referenced (local.get 0))))))
  (func (export "b") (param i32) (result i32)
    ${LARGE} (i32.add (call $common (local.get 0)) (call $common (i32.const 3)))))`);

function functionsOf(memory: 'fixed' | 'register', disabledPasses?: ReadonlySet<string>): string[] {
  const { listing } = translate(MODULE, { memory, listing: true, disabledPasses });
  return [...listing!.matchAll(/^([a-z]\S*):$/gm)].map(([, name]) => name!);
}

test('what is called once has no code of its own', () => {
  const kernel = functionsOf('fixed');
  expect(kernel).not.toContain('once');
  expect(kernel).not.toContain('traps');
  expect(kernel).not.toContain('common'); // small, and so copied to both places
  for (const name of ['twice', 'referenced', 'rare']) expect(kernel).toContain(name);
});

test('only in a kernel, and only where functions are inlined', () => {
  expect(functionsOf('register')).toContain('once');
  expect(functionsOf('fixed', new Set(['inline']))).toContain('once');
});
