// Two modules in one C program (link.c): functions, tables, memory and globals of one that the other imports,
// call_indirect into another instance, traps and their places, the host's own traps, threads, what is refused.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { compileFile } from '../../build/compile.ts';
import { makeHeader } from '../../build/host/header.ts';
import { out, root } from '../../build/paths.ts';
import { wat } from '../wasm/wat.ts';
import { run } from './program.ts';

const I32 = (n: number) => Array(n).fill('i32').join(' ');
const MANY_PARAMS = 'i32 f64 i64 i32 i32 f32 i32 i32 i64 i32 f64 i64';
const MANY_RESULTS = 'i64 f32 i32 f64 i32 i64';

const LEFT = `(module
  (import "env" "host" (func $host (param i32) (result i32)))
  (memory (export "memory") 1 4 shared)
  (table (export "table") 8 funcref)
  (elem (i32.const 0) $double $other $long $longer)
  (global $counter (export "counter") (mut i32) (i32.const 100))
  (type $unary (func (param i32) (result i32)))
  (func (export "host") (param i32) (result i32) (call $host (local.get 0)))
  (func (export "add") (param i32 i32) (result i32)
    (global.set $counter (i32.add (global.get $counter) (i32.const 1)))
    (i32.store (i32.const 65532) (i32.const 4711))
    (i32.add (global.get $counter) (i32.add (local.get 0) (local.get 1))))
  (func (export "many") (param ${MANY_PARAMS}) (result ${MANY_RESULTS})
    (local.get 8) (local.get 5) (local.get 9) (local.get 10) (local.get 0)
    (i64.add (local.get 11) (i64.extend_i32_s (global.get $counter))))
  (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func $other (param i64) (result i32) (i32.const 1))
  (func $long (export "long") (param ${I32(10)}) (result i32) (i32.sub (local.get 9) (local.get 0)))
  (func $longer (param ${I32(11)}) (result i32) (i32.const 1))
  (func (export "indirect") (param i32 i32) (result i32)
    (call_indirect (type $unary) (local.get 1) (local.get 0)))
  (func $recurse (export "recurse") (result i32)
    (i32.add (call_indirect (result i32) (i32.const 7)) (i32.const 1)))
  (func $divide (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "divide64") (param i64 i64) (result i32) (i32.const 0))
  (start $main)
  (func $main))`;

const RIGHT = `(module
  (import "left" "add" (func $add (param i32 i32) (result i32)))
  (import "left" "many" (func $many (param ${MANY_PARAMS}) (result ${MANY_RESULTS})))
  (import "left" "long" (func $long (param ${I32(10)}) (result i32)))
  (import "left" "recurse" (func $recurse (result i32)))
  (import "left" "table" (table 7 funcref))
  (import "left" "memory" (memory 1 4 shared))
  (import "left" "counter" (global $counter (mut i32)))
  (global $own (mut i32) (i32.const 1000))
  (type $nothing (func (param externref externref externref)))
  (type $unary (func (param i32) (result i32)))
  (type $binary (func (param i32 i32) (result i32)))
  (elem (i32.const 4) $triple $unary_of_left)
  (elem (i32.const 7) $again)
  (func $triple (param i32) (result i32)
    (global.set $counter (i32.add (global.get $counter) (i32.const 50)))
    (i32.add (global.get $own) (i32.mul (local.get 0) (i32.const 3))))
  (func $unary_of_left (param i32) (result i32) (call $add (local.get 0) (i32.const 1)))
  (func $again (result i32) (call $recurse))
  (func (export "add") (param i32 i32) (result i32) (call $add (local.get 0) (local.get 1)))
  (func (export "many") (result i32) (local i64 f32 i32 f64 i32 i64)
    (call $many (i32.const -1) (f64.const 2) (i64.const 3) (i32.const 4) (i32.const 5) (f32.const 6)
      (i32.const 7) (i32.const 8) (i64.const -9) (i32.const 10) (f64.const 11) (i64.const 12))
    (local.set 5) (local.set 4) (local.set 3) (local.set 2) (local.set 1) (local.set 0)
    (i32.add (i32.mul (i32.const 1000) (global.get $own)) (i32.wrap_i64 (i64.add
      (i64.add (i64.add (local.get 0) (local.get 5)) (i64.extend_i32_s (local.get 2)))
      (i64.add (i64.extend_i32_s (local.get 4))
        (i64.add (i64.trunc_f32_s (local.get 1)) (i64.trunc_f64_s (local.get 3))))))))
  (func (export "indirect") (param i32 i32) (result i32)
    (i32.add (call_indirect (type $unary) (local.get 1) (local.get 0))
      (i32.sub (global.get $own) (i32.const 1000))))
  (func (export "long_indirect") (param i32) (result i32)
    ${Array.from({ length: 10 }, (_, i) => `(i32.const ${i * i})`).join(' ')}
    (call_indirect (param ${I32(10)}) (result i32) (local.get 0)))
  (func (export "long") (result i32) (call $long ${'(i32.const 3)'.repeat(10)}))
  (func (export "recurse") (result i32) (call $recurse))
  (func $divide (export "divide") (param i32 i32) (result i32)
    (i32.div_s (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))`;

const directory = join(out, 'tests/link');
const program = join(directory, 'link');

/** A map that says that all is from one line. */
function sourceMap(): string {
  // For each byte of the file: source 0, line 41 (from 0), column 0.
  const mappings = `AAyCA${',CAAA'.repeat(2000)}`;
  return JSON.stringify({ version: 3, sources: ['right.ts'], names: [], mappings });
}

beforeAll(() => {
  mkdirSync(directory, { recursive: true });
  for (const [name, source] of Object.entries({ left: LEFT, right: RIGHT })) {
    const path = join(directory, name);
    writeFileSync(`${path}.wasm`, wat(source, `${name}.wat`));
    writeFileSync(`${path}.wasm.map`, sourceMap());
    compileFile(`${path}.wasm`, `${path}.o`, 'register');
    makeHeader(`${path}.wasm`, `${path}.h`, undefined);
  }
  const objects = ['left.o', 'right.o'].map((name) => join(directory, name));
  const options = [
    '-std=c11',
    '-O1',
    '-Wall',
    '-Wextra',
    '-pedantic',
    '-Wno-implicit-fallthrough',
    '-pthread',
  ];
  const include = [`-I${directory}`, `-I${join(root, 'runtime')}`];
  const files = [join(root, 'tests/hosted/link.c'), ...objects, join(out, 'libyaosrt.a')];
  const done = spawnSync('gcc', [...options, ...include, '-o', program, ...files], { encoding: 'utf8' });
  expect([done.stderr, done.status]).toEqual(['', 0]);
});

const env = { YAOS_STACK_BYTES: String(1 << 20) };

it('links instances of two modules', () => {
  const { stdout, stderr, status } = run(program, [], { env });
  expect([stderr, status]).toEqual(['', 0]);
  expect(stdout.split('\n')).toEqual([
    'right: import "left" "add" is missing',
    'right: import "left" "memory" is missing',
    'right: import "left" "add" is a function of another type',
    'right: import "left" "add" is of another kind',
    'right: import "left" "counter" is a global of another type',
    'right: import "left" "table" is a table of other elements',
    'right: import "left" "memory" is a memory that is not shared',
    'right: import "left" "memory" is a memory whose limits do not match',
    "a linked function, with its own instance's global: 104",
    // 1000 * 1000 + (-9 + (12 + 101) + 10 - 1 + 6 + 11)
    'twelve arguments and six results: 1000130',
    "call_indirect of the other's function: 10",
    "call_indirect of one's own in the other's table: 1015",
    'and from the other side: 1015',
    "an imported function's reference: 208",
    'the wrong type: trap: indirect call type mismatch',
    'the right one, of eleven values: 81',
    'another of eleven values: trap: indirect call type mismatch',
    'null: trap: uninitialized element',
    'outside: trap: undefined element',
    'the shared counter: 202',
    'endless, between the two: trap: call stack exhausted',
    expect.stringMatching(/^in (again|recurse|yaos_.*)$/),
    'endless, between the two: trap: call stack exhausted',
    expect.stringMatching(/^in (again|recurse|yaos_.*)$/),
    'a trap in the other: trap: integer divide by zero',
    'integer divide by zero in divide at right.ts:42, right.ts:42',
    'and again: 5',
    'what the other stored: 4711',
    'behind it: trap: out of bounds memory access',
    'growing from the host: 1',
    'what is there: 0',
    'the host: 5',
    "a trap of the host's: trap: unreachable",
    'inside: trap: integer divide by zero',
    'a call back that traps: 6',
    'inside: trap: unreachable',
    'a call back into the host: 7',
    'a call back without end: trap: call stack exhausted',
    'in two threads: 40001 40001',
    '',
  ]);
});
