// `yaos exe`: what spectest provides, what is refused and how, and how instantiation fails.

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeExe } from '../../build/host/exe.ts';
import { wat } from '../wasm/wat.ts';
import { ask, makeProgram, run } from './program.ts';

describe('spectest', () => {
  it('provides globals, table, memory and functions', async () => {
    const program = await makeProgram(
      'spectest',
      `(module
        (import "spectest" "global_i32" (global $i32 i32))
        (import "spectest" "global_i64" (global $i64 i64))
        (import "spectest" "global_f32" (global $f32 f32))
        (import "spectest" "global_f64" (global $f64 f64))
        (import "spectest" "table" (table 5 funcref))
        (import "spectest" "memory" (memory 1 2))
        (import "spectest" "print" (func $print))
        (import "spectest" "print_i32" (func $print_i32 (param i32)))
        (import "spectest" "print_i64" (func $print_i64 (param i64)))
        (import "spectest" "print_f32" (func $print_f32 (param f32)))
        (import "spectest" "print_f64" (func $print_f64 (param f64)))
        (import "spectest" "print_i32_f32" (func $print_i32_f32 (param i32 f32)))
        (import "spectest" "print_f64_f64" (func $print_f64_f64 (param f64 f64)))
        (export "print_i64" (func $print_i64))
        (export "memory" (memory 0))
        (global $mine i32 (global.get $i32))
        (elem (i32.const 9) $print_i32)
        (data (i32.const 65535) "!")
        (func (export "globals") (result i32 i64 f32 f64 i32)
          (global.get $i32) (global.get $i64) (global.get $f32) (global.get $f64) (global.get $mine))
        (func (export "print")
          (call $print) (call $print_i32 (i32.const -1)) (call $print_i64 (i64.const 2))
          (call $print_f32 (f32.const 0.5)) (call $print_f64 (f64.const 0.25))
          (call $print_i32_f32 (i32.const 3) (f32.const 1)) (call $print_f64_f64 (f64.const 1) (f64.const 2)))
        (func (export "tail") (param i32) (return_call $print_i32 (local.get 0)))
        (func (export "by_table") (param i32 i32) (call_indirect (param i32) (local.get 0) (local.get 1)))
        (func (export "entry") (param i32) (result funcref) (table.get (local.get 0)))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "table_grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0)))
        (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
        (func $forever (export "forever") (call $print_i32 (i32.const 8)) (call $forever) (call $print)))`,
      { spectest: true },
    );
    const lines: [string, string][] = [
      [
        'globals',
        'i32:0x0000029a i64:0x000000000000029a f32:0x4426a666 f64:0x4084d4cccccccccd i32:0x0000029a',
      ],
      ['print', ''],
      ['print_i64 77', ''],
      ['tail 5', ''],
      ['by_table 6 9', ''],
      ['by_table 6 8', 'trap: uninitialized element'],
      ['by_table 6 10', 'trap: undefined element'],
      ['entry 9', 'funcref:1'],
      ['load 65535', 'i32:0x00000021'],
      ['load 65536', 'trap: out of bounds memory access'],
      ['grow 1', 'i32:0x00000001'],
      ['load 65536', 'i32:0x00000000'],
      ['grow 1', 'i32:0xffffffff'],
      ['table_grow 10', 'i32:0x0000000a'],
      ['table_grow 1', 'i32:0xffffffff'],
    ];
    const input = `${lines.map(([line]) => line).join('\n')}\n`;
    const ended = run(program, ['-'], { input });
    expect(ended.stdout.split('\n').slice(0, -1)).toEqual(lines.map(([, answer]) => answer));
    expect(ended.stderr.split('\n').slice(0, -1)).toEqual([
      ...[
        'print',
        'print_i32 i32:0xffffffff',
        'print_i64 i64:0x0000000000000002',
        'print_f32 f32:0x3f000000',
      ],
      ...['print_f64 f64:0x3fd0000000000000', 'print_i32_f32 i32:0x00000003 f32:0x3f800000'],
      ...['print_f64_f64 f64:0x3ff0000000000000 f64:0x4000000000000000', 'print_i64 i64:0x000000000000004d'],
      ...['print_i32 i32:0x00000005', 'print_i32 i32:0x00000006'],
    ]);
    // The stack runs out in C code as well.
    const env = { YAOS_STACK_BYTES: '262144' };
    expect(ask(program, ['forever', 'load 65535'], { env })).toEqual([
      'trap: call stack exhausted',
      'i32:0x00000021',
    ]);
  });

  it('has a shared memory, on which threads wait', async () => {
    const program = await makeProgram(
      'shared',
      `(module
        (import "spectest" "shared_memory" (memory 1 2 shared))
        (func (export "wait32") (param i32 i32 i64) (result i32)
          (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
        (func (export "wait64") (param i32 i64 i64) (result i32)
          (memory.atomic.wait64 (local.get 0) (local.get 1) (local.get 2)))
        (func (export "notify") (param i32 i32) (result i32)
          (memory.atomic.notify (local.get 0) (local.get 1)))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "add") (param i32 i32) (result i32) (i32.atomic.rmw.add (local.get 0) (local.get 1))))`,
      { spectest: true },
    );
    const lines: [string, string][] = [
      ['wait32 0 1 -1', 'i32:0x00000001'],
      ['wait32 0 0 1000', 'i32:0x00000002'],
      ['wait64 8 0 0', 'i32:0x00000002'],
      ['wait64 8 4294967296 -1', 'i32:0x00000001'],
      ['wait32 2 0 0', 'trap: unaligned atomic'],
      ['wait32 65536 0 0', 'trap: out of bounds memory access'],
      ['notify 0 10', 'i32:0x00000000'],
      ['add 4 3', 'i32:0x00000000'],
      ['add 4 3', 'i32:0x00000003'],
      ['add 6 3', 'trap: unaligned atomic'],
      ['grow 1', 'i32:0x00000001'],
      ['grow 1', 'i32:0xffffffff'],
    ];
    const answers = ask(
      program,
      lines.map(([line]) => line),
    );
    expect(answers).toEqual(lines.map(([, answer]) => answer));
  });
});

describe('instantiation', () => {
  const FAILING: [string, string, string][] = [
    ['data', '(module (memory 1) (data (i32.const 65535) "ab"))', 'out of bounds memory access'],
    ['elem', '(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))', 'out of bounds table access'],
    ['start', '(module (func $f unreachable) (start $f) (func (export "f")))', 'unreachable'],
  ];
  for (const [name, source, message] of FAILING) {
    it(`ends with status 3 when it traps: ${name}`, async () => {
      const program = await makeProgram(`instantiation-${name}`, source);
      const ending = { stdout: '', stderr: `trap: ${message}\n`, status: 3 };
      expect(run(program, ['f'])).toEqual(ending);
      expect(run(program, ['-'], { input: 'f\n' })).toEqual(ending);
    });
  }
});

describe('refusals', () => {
  const directory = mkdtempSync(join(tmpdir(), 'yaos-test-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'm.wasm');
  const refusal = async (source: string | Uint8Array, options = {}): Promise<string> => {
    writeFileSync(file, typeof source === 'string' ? wat(source) : source);
    const error = await makeExe(file, join(directory, 'program'), options).then(
      () => undefined,
      (e: Error) => e,
    );
    expect(existsSync(join(directory, 'program'))).toBe(false);
    expect(readdirSync(directory)).toEqual(['m.wasm']);
    expect(error?.name).toBe('UserError');
    expect(error?.message).toMatch(/^yaos: .*m\.wasm: /);
    expect(error?.message).not.toContain('\n');
    return error!.message.replace(`yaos: ${file}: `, '');
  };
  const spectest = { spectest: true };

  it('names a missing import', async () => {
    expect(await refusal('(module (import "env" "f\\n" (func)))')).toBe(
      'import "env" "f\\n": unknown import (only --spectest and --wasi provide modules)',
    );
    expect(await refusal('(module (import "spectest" "print" (func)))')).toBe(
      'import "spectest" "print": unknown import (--spectest provides that module)',
    );
    expect(await refusal('(module (import "spectest" "unknown" (func)))', spectest)).toBe(
      'import "spectest" "unknown": unknown import',
    );
    expect(await refusal('(module (import "wasi_snapshot_preview1" "fd_frob" (func)))', { wasi: true })).toBe(
      'import "wasi_snapshot_preview1" "fd_frob": unknown import',
    );
  });

  const INCOMPATIBLE = [
    ['(import "spectest" "print_i32" (func))', 'func () -> ()', 'func (i32) -> ()'],
    ['(import "spectest" "print_i32" (global i32))', 'global i32', 'func (i32) -> ()'],
    ['(import "spectest" "global_i32" (global i64))', 'global i64', 'global i32'],
    ['(import "spectest" "global_i32" (global (mut i32)))', 'global (mut i32)', 'global i32'],
    ['(import "spectest" "memory" (memory 2))', 'memory 2', 'memory 1 2'],
    ['(import "spectest" "memory" (memory 1 1))', 'memory 1 1', 'memory 1 2'],
    ['(import "spectest" "memory" (memory 1 2 shared))', 'memory 1 2 shared', 'memory 1 2'],
    ['(import "spectest" "table" (table 11 funcref))', 'table 11 funcref', 'table 10 20 funcref'],
    ['(import "spectest" "table" (table 10 19 funcref))', 'table 10 19 funcref', 'table 10 20 funcref'],
    ['(import "spectest" "table" (table 10 externref))', 'table 10 externref', 'table 10 20 funcref'],
  ];
  it.each(INCOMPATIBLE)('tells incompatible types: %s', async (source, wanted, given) => {
    const message = await refusal(`(module ${source})`, spectest);
    expect(message).toContain('incompatible import type: ');
    expect(message).toContain(`the module wants ${wanted}, the host has ${given}`);
  });

  it('passes on what is wrong with the module', async () => {
    expect(await refusal(wat('(module (func (result i32)))').slice(0, 20))).toMatch(/byte offset/);
    expect(await refusal('(module (memory 1) (memory 1))').catch(() => 'memory')).toMatch(/memor/);
  });

  it('leaves an existing program alone', async () => {
    const program = join(directory, 'program');
    writeFileSync(program, 'old');
    writeFileSync(file, wat('(module (import "a" "b" (func)))'));
    await expect(makeExe(file, program, {})).rejects.toThrow('unknown import');
    expect(readdirSync(directory).toSorted()).toEqual(['m.wasm', 'program']);
  });
});
