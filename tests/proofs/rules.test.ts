// Small modules that break one rule each, and the line that tells it, with the chain of calls.

import { expect, test } from 'vitest';
import { parseRules } from '../../build/proofs/rules.ts';
import { translate } from '../../build/translate.ts';
import { wat } from '../wasm/wat.ts';

const CONSTANTS = '\t.set PAGE, 4096\n\t.set SIZE, 0x1000\t# hexadecimal\n\t.set SUM, PAGE + 1\n';

function prove(module: string, rules: string): string {
  const parsed = parseRules(rules, 'rules.txt', () => CONSTANTS);
  return translate(wat(`(module ${module})`), { memory: 'fixed', proofs: parsed }).proofs!;
}

/** Eight values that live across a call of $far: a frame. */
const WIDE = `(func $wide (param i64) (result i64)
  ${Array.from({ length: 8 }, (_, i) => `(local $v${i} i64)`).join(' ')}
  ${Array.from({ length: 8 }, (_, i) => `(local.set $v${i} (call $far (i64.const ${i})))`).join(' ')}
  ${Array.from({ length: 7 }, (_, i) => `(i64.xor (i64.mul (local.get $v${i}) (local.get 0))`).join(' ')}
  (local.get $v7)${')'.repeat(7)})`;
const FAR = '(import "x86" "far" (func $far (param i64) (result i64)))';

test('what fits is told in tables', () => {
  const text = prove(
    `${FAR} ${WIDE} (func $main (export "go") (drop (call $wide (i64.const 1))))
     (func $tick (export "tick"))`,
    `constants layout.inc
     stack main SIZE go+8 below tick+100 # a comment
     assembly x86.far+16
     each main
     never tick reach-the-far-one x86.far`,
  );
  const row = /^main +4096 +go +(\d+) +(\d+) +(\d+)$/m.exec(text)!.slice(1).map(Number);
  // 9 values across calls, 6 callee-saved registers: 9 * 8 bytes in $wide, with padding 72; return addresses of three calls.
  expect(row[0]).toBeGreaterThanOrEqual(9 * 8 + 16 + 3 * 8);
  expect(row[0]).toBeLessThan(200);
  expect(row[1]).toBe(108); // $tick has no frame, but may save the flags
  expect(row[2]).toBe(row[0] + row[1]);
  expect(text).toMatch(/^main calls +deepest +chain\nwide +\d+ +x86\.far$/m);
  expect(text).toMatch(/^tick +reach the far one +1 +x86\.far$/m);
});

const DEEP = `${FAR} ${WIDE} (func $outer (export "go") (param i64) (result i64) (call $wide (local.get 0)))`;
const ASSEMBLY = 'assembly x86.far';
const CIRCLE = `${FAR}
  (func $a (param i64) (result i64)
    (if (i64.eqz (local.get 0)) (then (return (i64.const 1)))) (i64.add (call $b (local.get 0)) (i64.const 2)))
  (func $b (param i64) (result i64) (i64.mul (call $a (i64.sub (local.get 0) (i64.const 1))) (local.get 0)))
  (func $go (export "go") (drop (call $a (i64.const 5))))`;
const TABLE = `${FAR} (type $t (func (param i64) (result i64))) (table 4 funcref) (elem (i32.const 0) $up $down $flat)
  (func $up (param i64) (result i64) (i64.add (call $far (local.get 0)) (i64.const 1)))
  (func $down (param i64) (result i64) (i64.add (call $pick (local.get 0)) (i64.const 1)))
  (func $flat (param i32))
  (func $pick (param i64) (result i64)
    (i64.mul (call_indirect (type $t) (local.get 0) (i32.wrap_i64 (local.get 0))) (i64.const 3)))
  (func $go (export "go") (drop (call $pick (i64.const 5))))`;
/** Small enough to be inlined: no code has it, and the chain does. */
const INLINED = `(memory 1) (func $store (i32.store (i32.const 8) (i32.const 1))) (func $small (call $store))
  (func $go (export "go") (call $small))`;

test.each([
  [
    'too deep',
    DEEP,
    `stack s 64 go\n${ASSEMBLY}`,
    /^stack s has 64 bytes and needs \d+: \d+ by go: outer 8 > wide \d\d > x86\.far$/,
  ],
  [
    'with what interrupts it',
    `${DEEP} (func $tick (export "tick"))`,
    `stack s 300 go below tick+200\n${ASSEMBLY}`,
    /^stack s has 300 bytes and needs 3\d\d: \d+ by go, 208 by tick: outer/,
  ],
  [
    'recursion, of which the inliner has left one function',
    CIRCLE,
    `stack s 4096 go\n${ASSEMBLY}`,
    /^stack s has no bound: a calls itself: go > a > a: make it a loop$/,
  ],
  [
    'recursion through a table',
    TABLE,
    `stack s 4096 go\n${ASSEMBLY}`,
    /^stack s has no bound: pick calls itself: go > pick > down > pick: /,
  ],
  [
    'assembly of unknown size',
    DEEP,
    'stack s 4096 go',
    /^nobody says how much stack x86\.far takes \(outer > wide > x86\.far\): add 'assembly x86\.far\+BYTES'$/,
  ],
  ['a forbidden call', DEEP, 'never go go-far x86.far', /^go must never go far: outer > wide > x86\.far$/],
  [
    'a forbidden call through a table',
    TABLE,
    'never go go-far x86.far',
    /^go must never go far: go > pick > up > x86\.far$/,
  ],
  [
    'a forbidden function that has been inlined',
    INLINED,
    'never go store store',
    /^go must never store: go > small > store$/,
  ],
  [
    'a function that is not there',
    DEEP,
    'never go away gone',
    /^rules\.txt names gone, which is no function of the module$/,
  ],
  [
    'an entry that is no export',
    DEEP,
    'stack s 100 wide',
    /^rules\.txt names the entry wide, which is no export of the module$/,
  ],
])('%s fails', (_, module, rules, message) => {
  expect(() => prove(module, rules)).toThrow(message);
});

test('what overflows on purpose, and what a table holds of another type, is not counted', () => {
  expect(prove(CIRCLE, 'stack s 4096 go\nunbounded a')).toMatch(/^not counted, because they overflow: a$/m);
  expect(prove(TABLE, 'stack s 4096 go\nunbounded pick')).toContain('needed');
});

test.each([
  ['stack', 'stack NAME BYTES ENTRY… [below ENTRY…]: no entry is named'],
  ['stack s 4096 below x', 'stack NAME BYTES ENTRY… [below ENTRY…]: no entry is named'],
  ['stack s MUCH go', "'MUCH' is no number, and no constant of that name is known"],
  ['constants f\nstack s SUM go', "'SUM' is no number, and no constant of that name is known"],
  ['never go', 'never ENTRY WHAT FUNCTION…: no function is named'],
  [
    'always go',
    "no rule 'always': there are constants, stack, assembly, unbounded, each, never (docs/abi.md §10)",
  ],
])('%j is no rule', (text, message) => {
  const line = text.split('\n').length;
  expect(() => parseRules(text, 'rules.txt', () => CONSTANTS)).toThrow(`yaos: rules.txt:${line}: ${message}`);
});
