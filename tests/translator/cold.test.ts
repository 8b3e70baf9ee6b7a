// The custom section `yaos.hot`: calls stay calls in what it does not name, and no padding lies in front of that.

import { expect, test } from 'vitest';
import { translate } from '../../build/translate.ts';
import { section } from '../wasm/encode.ts';
import { wat } from '../wasm/wat.ts';

const MODULE = wat(`(module
  (func $fast/mix (param i32) (result i32)
    (i32.mul (i32.sub (i32.rotl (local.get 0) (i32.const 5)) (i32.const 9))
      (i32.xor (i32.mul (local.get 0) (i32.shl (local.get 0) (i32.const 3))) (i32.add (local.get 0) (i32.const 77)))))
  (func $fast/path (export "a") (param i32) (result i32) (call $fast/mix (i32.add (local.get 0) (i32.const 1))))
  (func $slow/path (export "b") (param i32) (result i32) (call $fast/mix (i32.add (local.get 0) (i32.const 2))))
  (func $slow/loop (export "c") (param i32) (result i32)
    (loop $top (br_if $top (local.tee 0 (i32.sub (local.get 0) (i32.const 3))))) (local.get 0)))`);

function hot(...names: string[]): Uint8Array {
  const text = (s: string) => [...new TextEncoder().encode(s)];
  const content = [8, ...text('yaos.hot'), ...text(names.join('\n'))];
  return Uint8Array.from([...MODULE, ...section(0, content)]);
}

/** Of each function's listing: whether it calls, and where it begins. */
function functionsOf(module: Uint8Array): Map<string, { calls: boolean; at: number }> {
  const { listing } = translate(module, { memory: 'fixed', listing: true });
  const found = new Map<string, { calls: boolean; at: number }>();
  for (const part of listing!.split(/^(?=[a-z]\S+:$)/m)) {
    const name = part.slice(0, part.indexOf(':'));
    const at = /^ *([0-9a-f]+)/m.exec(part.slice(name.length + 1))?.[1];
    if (at !== undefined) found.set(name, { calls: /\bcall\b/.test(part), at: Number.parseInt(at, 16) });
  }
  return found;
}

test('functions that are not named are small', () => {
  for (const { calls, at } of functionsOf(MODULE).values()) expect([calls, at % 16]).toEqual([false, 0]);
  const functions = functionsOf(hot('fast/', 'other'));
  expect(functions.get('fast/path')!.calls).toBe(false);
  expect(functions.get('slow/path')!.calls).toBe(true);
  expect(functions.get('slow/loop')!.at % 16).not.toBe(0);
});
