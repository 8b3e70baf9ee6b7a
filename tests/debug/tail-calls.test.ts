// Frames of functions with arguments on the stack, and of those that leave by a tail call to one with more or fewer: gdb
// finds the callers at every instruction, as no register or return address is where it is not said to be.

import { beforeAll, expect, test } from 'vitest';
import { wat } from '../wasm/wat.ts';
import { DebugFolder } from './gdb.ts';

/** Parameters of each function, of which the first 6 are in registers; each leaves to the next by a tail call. */
const CHAIN = { first: 8, more: 21, none: 2, some: 9, fewer: 7, last: 12 };

const NAMES = Object.keys(CHAIN);

function functions(): string {
  return Object.entries(CHAIN)
    .map(([name, count], i) => {
      const type = `(type $${name} (func (param ${'i64 '.repeat(count)}) (result i64)))`;
      return `${type} (func $${name} (type $${name}) ${body(count, i + 1)})`;
    })
    .join('\n');
}

/** Calls number `next` of the chain, directly or through the table. */
function body(count: number, next: number): string {
  const name = NAMES[next];
  if (name === undefined) return `(i64.add (call $leaf (local.get 0)) (local.get ${count - 1}))`;
  // Some arguments are results of calls, so that the others are kept in saved registers.
  const args = Array.from({ length: CHAIN[name as keyof typeof CHAIN] }, (_, k) => {
    const value = `(local.get ${k % count})`;
    return k % 3 === 0 ? `(call $leaf ${value})` : value;
  }).join(' ');
  return next % 2 === 0
    ? `(return_call $${name} ${args})`
    : `(return_call_indirect (type $${name}) ${args} (i32.const ${next}))`;
}

const SOURCE = `(module
  (table funcref (elem $${NAMES.join(' $')}))
  (global $calls (mut i64) (i64.const 0))
  (func $leaf (param i64) (result i64)
    (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
    (i64.mul (local.get 0) (global.get $calls)))
  ${functions()}
  (func $outer (export "outer") (param i64) (result i64)
    (i64.add (call $first ${'(local.get 0)'.repeat(CHAIN.first)}) (call $leaf (local.get 0)))))`;

const folder = new DebugFolder();

beforeAll(() => {
  folder.write('program.wasm', wat(SOURCE));
  folder.write('program.wasm.map', '{ "version": 3, "sources": [], "mappings": "" }');
  folder.makeProgram('--disable-pass', 'inline');
});

test('every frame is left from every instruction', () => {
  const traces = folder.tracesAtEachStep(['break *outer', 'run outer 3'], 600);
  const inside = traces.slice(0, traces.findLastIndex((frames) => frames.includes('outer')) + 1);
  const seen = new Set(inside.flat());
  for (const name of NAMES) expect(seen).toContain(name);
  for (const frames of inside) {
    const at = frames.indexOf('outer');
    expect(frames.slice(at + 1, at + 3), frames.join(' < ')).toEqual([
      expect.stringMatching(/^yaos_invoke_/),
      'yaos_switch',
    ]);
    // One function of the chain at a time, and what it calls.
    const below = frames.slice(0, at).filter((name) => name !== 'leaf');
    expect(below.length, frames.join(' < ')).toBeLessThanOrEqual(1);
    for (const name of below) expect(NAMES).toContain(name);
  }
});
