// Atomic operators of the threads proposal: results, what they leave in memory, alignment and bounds, on shared and
// unshared memories; waiting and notifying as far as one thread can tell.

import { test } from 'vitest';
import { type Call, expectSame } from './harness.ts';
import { type NumType, SHARP } from './values.ts';
import { access, type Bytes, get, ModuleBuilder, OPCODES, op, type ValType } from './wasm.ts';

const PAGE = 65536;
const ADDRESSES = [0, 8, 16, 1, 2, 3, 4, 6, PAGE - 16, PAGE - 8, PAGE - 4, PAGE - 2, PAGE - 1, PAGE, -8, -1];
const OFFSETS = [0, 1, 8, 0x80000000, 0xfffffff8];

const atomics = [...OPCODES.keys()].filter((n) => /^i(32|64)\.atomic/.test(n));

/** Bytes accessed: the natural alignment, which atomics must name. */
function widthOfAccess(name: string): number {
  const narrow = /(?:load|store|rmw)(8|16|32)/.exec(name);
  return narrow ? Number(narrow[1]) / 8 : name.startsWith('i32') ? 4 : 8;
}

function signature(name: string): { params: ValType[]; results: ValType[] } {
  const type = name.slice(0, 3) as NumType;
  if (name.includes('.load')) return { params: ['i32'], results: [type] };
  if (name.includes('.store')) return { params: ['i32', type], results: [] };
  if (name.includes('cmpxchg')) return { params: ['i32', type, type], results: [type] };
  return { params: ['i32', type], results: [type] };
}

function addReader(module: ModuleBuilder): void {
  module.export(
    'read',
    ['i32'],
    ['i64', 'i64'],
    [...[...get(0), ...access('i64.load'), ...get(0), ...access('i64.load', 8)]],
  );
  module.export('write', ['i32', 'i64'], [], [...get(0), ...get(1), ...access('i64.store')]);
}

test.each([true, false])('atomics: every operator, shared memory: %s', async (shared) => {
  const module = new ModuleBuilder();
  module.setMemory(1, 1, shared);
  addReader(module);
  const calls: Call[] = [];
  for (const name of atomics) {
    const { params, results } = signature(name);
    const width = widthOfAccess(name);
    const operands: Bytes = params.flatMap((_, i) => get(i));
    const values = SHARP[name.slice(0, 3) as NumType];
    for (const offset of OFFSETS) {
      const export_ = `${name} ${offset}`;
      module.export(export_, params, results, [...operands, ...access(name, offset, Math.log2(width))]);
      ADDRESSES.forEach((address, a) => {
        const at = BigInt.asUintN(32, BigInt(address));
        const value = values[a % values.length];
        const args = [at, value, values[(a + 5) % values.length]].slice(0, params.length);
        calls.push({ name: 'write', args: [BigInt(8 * a), 0x8877665544332211n] }, { name: export_, args });
        calls.push({ name: 'read', args: [BigInt(Math.min(PAGE - 16, Math.max(0, address - 4)))] });
      });
    }
    // Dropped results: other instructions may serve.
    if (results.length > 0 && params.length > 1) {
      const dropped = `${name} dropped`;
      module.export(dropped, params, [], [...operands, ...access(name, 0, Math.log2(width)), ...op('drop')]);
      for (const value of values) {
        calls.push({ name: 'write', args: [0n, value] });
        calls.push(
          { name: dropped, args: [0n, value, 7n].slice(0, params.length) },
          { name: 'read', args: [0n] },
        );
      }
    }
    if (!name.includes('cmpxchg')) continue;
    for (const old of values) {
      for (const expected of values) {
        calls.push({ name: 'write', args: [16n, old] });
        calls.push({ name: `${name} 8`, args: [8n, expected, 0x55n] }, { name: 'read', args: [16n] });
      }
    }
  }
  await expectSame(`atomics-${shared ? 'shared' : 'unshared'}`, module, calls);
});

test.each([true, false])('atomics: wait and notify, shared memory: %s', async (shared) => {
  const module = new ModuleBuilder();
  module.setMemory(1, 1, shared);
  addReader(module);
  module.export('fence', [], [], [...op('atomic.fence'), 0]);
  const calls: Call[] = [{ name: 'fence', args: [] }];
  for (const [name, type, align] of [
    ['memory.atomic.wait32', 'i32', 2],
    ['memory.atomic.wait64', 'i64', 3],
  ] as const) {
    for (const offset of [0, 8, 0xfffffff8]) {
      const export_ = `${name} ${offset}`;
      module.export(
        export_,
        ['i32', type, 'i64'],
        ['i32'],
        [...[...get(0), ...get(1), ...get(2), ...access(name, offset, align)]],
      );
      for (const timeout of [0n, 1000n]) {
        for (const at of [0n, 8n, BigInt(PAGE - 8), BigInt(PAGE), 0xfffffff8n]) {
          for (const expected of [0n, 1n]) calls.push({ name: export_, args: [at, expected, timeout] });
        }
        calls.push({ name: export_, args: [2n, 0n, timeout] });
      }
    }
  }
  for (const offset of [0, 4, 0xfffffffc]) {
    const name = `notify ${offset}`;
    const body = [...get(0), ...get(1), ...access('memory.atomic.notify', offset, 2)];
    module.export(name, ['i32', 'i32'], ['i32'], body);
    for (const at of [0n, 4n, 2n, BigInt(PAGE - 4), BigInt(PAGE), 0xfffffffcn]) {
      for (const count of [0n, 1n, 0xffffffffn]) calls.push({ name, args: [at, count] });
    }
  }
  await expectSame(`atomics-wait-${shared ? 'shared' : 'unshared'}`, module, calls);
});
