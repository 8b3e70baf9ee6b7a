// The runtime as a library of a C program (embed.c): instances that call each other, threads, and faults that are not
// Wasm traps and must not be swallowed.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { out, root } from '../../build/paths.ts';
import { translate } from '../../build/translate.ts';
import { wat } from '../wasm/wat.ts';
import { run } from './program.ts';

/** Palindromic, so that a host function can reverse values of these types. */
const TYPES = Array.from(
  { length: 20 },
  (_, i) => ['i64', 'f32', 'i32', 'f64', 'i64'][Math.min(i, 19 - i) % 5],
);

/** Counts the values that come back from the host as they should. */
const REVERSED = `(func (export "reversed") (param i32) (result i32)
    ${TYPES.map((t, i) => `(local $r${i} ${t})`).join(' ')}
    ${TYPES.map((t, i) => `(${t}.const ${i - 10})`).join(' ')} (call $reverse)
    ${TYPES.map((_, i) => `(local.set $r${19 - i})`).join(' ')}
    ${TYPES.map((t, i) => `(i32.add (${t}.eq (local.get $r${i}) (${t}.const ${9 - i})))`).reduce(
      (sum, term) => term.replace('(i32.add ', `(i32.add ${sum} `),
      '(i32.const 0)',
    )})`;

const MODULE = `(module
  (import "env" "f" (func $f (param i32) (result i32)))
  (import "env" "reverse" (func $reverse (param ${TYPES.join(' ')}) (result ${TYPES.join(' ')})))
  (import "env" "memory" (memory 1 4 shared))
  (global $count (mut i32) (i32.const 0))
  (func (export "imported") (param i32) (result i32) (call $f (local.get 0)))
  ${REVERSED}
  (func $forever (export "forever") (param i32) (result i32)
    (i32.add (call $forever (local.get 0)) (i32.const 1)))
  (func (export "count") (param i32) (result i32)
    (global.set $count (i32.add (global.get $count) (local.get 0))) (global.get $count))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "store") (param i32) (result i32) (i32.store (local.get 0) (i32.const 321)) (i32.const 0))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "wait") (param i32) (result i32)
    (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const -1)))
  (func (export "notify") (param i32) (result i32) (memory.atomic.notify (local.get 0) (i32.const 9))))`;

const directory = join(out, 'tests/hosted');
const program = join(directory, 'embed');

beforeAll(() => {
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${program}.o`, translate(wat(MODULE), { memory: 'register' }).object);
  const sources = [join(root, 'tests/hosted/embed.c'), `${program}.o`, join(out, 'libyaosrt.a')];
  const options = ['-O1', '-Wall', '-Wno-unused-result', `-I${join(root, 'runtime')}`, '-pthread'];
  const done = spawnSync('gcc', [...options, '-o', program, ...sources], { encoding: 'utf8' });
  expect([done.stderr, done.status]).toEqual(['', 0]);
});

it('runs instances side by side', () => {
  const { stdout, status } = run(program, []);
  expect(stdout.split('\n')).toEqual([
    'host function: 11',
    'values that came back right: 20',
    'function of another instance: 12',
    'stack exhausted in another instance: trap: call stack exhausted',
    'stack exhausted in another instance: trap: call stack exhausted',
    'stack exhausted in another instance: trap: call stack exhausted',
    "trap of the host's: trap: unreachable",
    'count in a: 5',
    'count in a: 10',
    'count in b: 1',
    'grow: 1',
    'store in what grew: 0',
    'load what b stored: 321',
    'load behind it: trap: out of bounds memory access',
    'a thread that was notified: 0',
    'a trap in that thread: trap: out of bounds memory access',
    'after c was freed: 13',
    'no instance: import "env" "memory" is a memory that is not shared',
    '',
  ]);
  expect(status).toBe(0);
});

it('does not swallow faults that are no traps', () => {
  expect(spawnSync(program, ['crash']).signal).toBe('SIGSEGV');
  expect(run(program, ['handler'])).toEqual({ stdout: 'the handler before ours\n', stderr: '', status: 7 });
});
