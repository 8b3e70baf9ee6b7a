// Checks in front of plain accesses below the kernel's memory: where they are, what they ask, and that nothing else changes.

import { expect, test } from 'vitest';
import wabt from 'wabt';
import { transformKernel } from '../../machine/kernel/transform.ts';
import { wasm } from '../../machine/kernel/wasm.ts';

const MIB = 2 ** 20;

const SOURCE = `(module
  (import "test" "value" (func $value (param i32) (result i32)))
  (memory (export "memory") 48)
  (func (export "load") (param i32) (result i32) (i32.load8_u offset=8 (local.get 0)))
  (func (export "far") (param i32) (result i32) (i32.load offset=0x200000 (local.get 0)))
  (func (export "constant") (result i32) (i32.add (i32.load (i32.const 0x200000)) (i32.load (i32.const 0x1ffffc))))
  (func (export "store") (param i32 i64) (i64.store offset=16 (local.get 0) (local.get 1)))
  (func (export "nested") (param i32 i32)
    (i32.store (call $value (i32.load (local.get 0)))
      (i32.add (i32.load offset=4 (i32.load (local.get 1))) (i32.load16_s (local.get 1)))))
  (func (export "update") (param i32) (result i32) (i32.atomic.rmw.add (local.get 0) (i32.const 1)))
  (func (export "fill") (param i32 i32) (memory.fill (local.get 0) (i32.const 7) (local.get 1)))
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2))))`;

const { parseWat } = await wabt();
const features = { threads: true, bulk_memory: true };
const { buffer } = parseWat('checks.wat', SOURCE, features).toBinary({});
const { bytes } = await transformKernel(buffer);

/** Runs a function of the module in both forms; returns what was asked. */
function run(name: string, ...args: unknown[]): [address: number, write: number][] {
  const asked: [number, number][] = [];
  const value = (x: number) => x;
  const memory = new wasm.Memory({ initial: 48 });
  const unused = () => {
    throw new Error('not called');
  };
  const access = (address: number, write: number) => void asked.push([address, write]);
  const machine = { memory, access, memory_size: unused, memory_grow: unused };
  const checked = new wasm.Instance(new wasm.Module(bytes), { test: { value }, machine });
  const plain = new wasm.Instance(new wasm.Module(buffer), { test: { value } });
  const content = new Uint8Array((plain.exports.memory as typeof memory).buffer);
  for (const all of [content, new Uint8Array(memory.buffer)]) {
    for (let i = 0; i < 256; i++) all[2 * MIB + i] = all[i] = i;
    all[257] = 2; // a pointer at 256, to 512
  }
  const call = (exports: Record<string, unknown>) =>
    (exports[name] as (...args: unknown[]) => unknown)(...args);
  expect(call(checked.exports)).toEqual(call(plain.exports));
  expect(Buffer.compare(new Uint8Array(memory.buffer), content)).toBe(0);
  return asked;
}

test('an access below 2 MiB asks, with the address that it has', () => {
  expect(run('load', 0)).toEqual([[8, 0]]);
  expect(run('load', 2 * MIB - 9)).toEqual([[2 * MIB - 1, 0]]);
  expect(run('load', 2 * MIB - 8)).toEqual([]);
  expect(run('store', 40, 5n)).toEqual([[56, 1]]);
  expect(run('update', 64)).toEqual([[64, 1]]);
  expect(run('far', 0)).toEqual([]);
  expect(run('constant')).toEqual([[2 * MIB - 4, 0]]);
});

test('an access in the operand of another one', () => {
  expect(run('nested', 256, 256)).toEqual([
    [256, 0],
    [512, 1],
    [256, 0],
    [516, 0],
    [256, 0],
  ]);
});

test('a bulk operator asks if it has something to do', () => {
  expect(run('fill', 0, 0)).toEqual([]);
  expect(run('fill', 0, 3)).toEqual([[0, 1]]);
  expect(run('copy', 0, 0, 0)).toEqual([]);
  expect(run('copy', 2 * MIB, 12, 4)).toEqual([[12, 0]]);
  expect(run('copy', 12, 2 * MIB, 4)).toEqual([[12, 1]]);
});
