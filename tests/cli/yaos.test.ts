// out/yaos as a program: every error is one line and status 1, and leaves no file behind.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wat } from '../wasm/wat.ts';

const YAOS = resolve('out/yaos');
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'yaos-cli-'));
  writeFileSync(join(directory, 'good.wasm'), GOOD);
  writeFileSync(join(directory, 'cut.wasm'), GOOD.subarray(0, GOOD.length - 1));
  writeFileSync(join(directory, 'type.wasm'), TYPE_ERROR);
  writeFileSync(join(directory, 'simd.wasm'), SIMD);
  writeFileSync(join(directory, 'text.wasm'), 'not wasm at all');
  writeFileSync(join(directory, 'empty.wasm'), '');
});

afterAll(() => rmSync(directory, { recursive: true }));

// (module (func (export "f") (result i32) i32.const 42))
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const TYPE = [1, 5, 1, 0x60, 0, 1, 0x7f];
const FUNCTION = [3, 2, 1, 0];
const EXPORT = [7, 5, 1, 1, 0x66, 0, 0];
const GOOD = Buffer.from([...HEADER, ...TYPE, ...FUNCTION, ...EXPORT, 10, 6, 1, 4, 0, 0x41, 42, 0x0b]);
// The body is i64.const 42, at byte 36.
const TYPE_ERROR = Buffer.from([...HEADER, ...TYPE, ...FUNCTION, ...EXPORT, 10, 6, 1, 4, 0, 0x42, 42, 0x0b]);
// A function type with a v128 parameter.
const SIMD = Buffer.from([...HEADER, 1, 5, 1, 0x60, 1, 0x7b, 0]);

function yaos(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(YAOS, args, { cwd: directory, encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('translates with both memory models', () => {
  for (const memory of ['fixed', 'register']) {
    const object = join(directory, `${memory}.o`);
    expect(yaos('compile', 'good.wasm', '-o', `${memory}.o`, '--memory', memory)).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    const symbols = spawnSync('nm', [object], { encoding: 'utf8' }).stdout;
    expect(symbols).toMatch(memory === 'fixed' ? /^\S+ T f$/m : /^\S+ D yaos_module_good$/m);
  }
});

test('works through a symbolic link and from any directory', () => {
  symlinkSync(YAOS, join(directory, 'linked'));
  const { status } = spawnSync('./linked', ['compile', 'good.wasm', '-o', 'linked.o'], { cwd: directory });
  expect(status).toBe(0);
  expect(existsSync(join(directory, 'linked.o'))).toBe(true);
});

test('makes a program', () => {
  expect(yaos('exe', 'good.wasm', '-o', 'good').stderr).toBe('');
  const { stdout } = spawnSync(join(directory, 'good'), ['f'], { encoding: 'utf8' });
  expect(stdout).toBe('i32:0x0000002a\n');
});

test('leaves passes out that are named', () => {
  const size = (...options: string[]): number => {
    expect(yaos('compile', 'sum.wasm', '-o', 'sum.o', '--verify-ir', ...options).stderr).toBe('');
    const { stdout } = spawnSync('nm', ['-S', join(directory, 'sum.o')], { encoding: 'utf8' });
    return Number.parseInt(/^\S+ (\S+) t sum$/m.exec(stdout)![1], 16);
  };
  writeFileSync(
    join(directory, 'sum.wasm'),
    wat(`(module (func $sum (export "f") (param i32) (result i32) (i32.add
      (i32.div_s (local.get 0) (i32.const 7)) (i32.div_s (local.get 0) (i32.const 7)))))`),
  );
  const both = size('--disable-pass=gvn', '--disable-pass=dce,cfg');
  expect(both).toBe(size('--disable-pass', 'gvn,dce,cfg'));
  expect(both).toBeGreaterThan(size());
});

describe('refuses in one line', () => {
  test.each([
    ['a command that is none', ['frob'], /^yaos: unknown command 'frob'/],
    ['a name that every object has', ['toString'], /^yaos: unknown command 'toString'/],
    [
      'an option that is none',
      ['compile', 'good.wasm', '-o', 'x.o', '--frob'],
      /^yaos compile: Unknown option '--frob'/,
    ],
    ['an option in the place of the command', ['--frob'], /^yaos: unknown command '--frob'/],
    [
      'a missing value',
      ['compile', 'good.wasm', '-o'],
      /^yaos compile: Option '-o, --output <value>' argument missing/,
    ],
    ['no input', ['compile', '-o', 'x.o'], /^yaos compile: IN\.wasm is missing/],
    ['no output', ['compile', 'good.wasm'], /^yaos compile: --output is missing/],
    [
      'the input as output',
      ['exe', 'good.wasm', '-o', './good.wasm'],
      /--output .\/good.wasm: it is the input/,
    ],
    [
      'two inputs',
      ['compile', 'good.wasm', 'b.wasm', '-o', 'x.o'],
      /^yaos compile: unexpected argument 'b\.wasm'/,
    ],
    [
      'another model',
      ['compile', 'good.wasm', '-o', 'x.o', '--memory', 'big'],
      /^yaos compile: --memory big: choose/,
    ],
    [
      'a pass that is none',
      ['compile', 'good.wasm', '-o', 'x.o', '--disable-pass=gvn,frob'],
      /^yaos compile: --disable-pass frob: choose among ssa, inline, .*\bdce\b/,
    ],
    [
      'a pass that is required',
      ['exe', 'good.wasm', '-o', 'x.o', '--disable-pass', 'legalise'],
      /^yaos exe: --disable-pass legalise: choose among ssa, inline, /,
    ],
    [
      'a source map that is none',
      ['compile', 'good.wasm', '-o', 'x.o', '--source-map', 'text.wasm'],
      /^yaos: text\.wasm: not a source map: /,
    ],
    [
      'a name that C has not',
      ['header', 'good.wasm', '-o', 'x.o', '--name', 'int'],
      /^yaos header: --name int: not a name for C/,
    ],
    [
      'a header of a bad module',
      ['header', 'type.wasm', '-o', 'x.o'],
      /^yaos: type\.wasm: at byte offset 0x2/,
    ],
    ['a file that is not there', ['compile', 'no.wasm', '-o', 'x.o'], /^yaos: no\.wasm: no such file/],
    ['a folder', ['compile', '.', '-o', 'x.o'], /^yaos: \.: it is a directory/],
    [
      'an empty file',
      ['compile', 'empty.wasm', '-o', 'x.o'],
      /^yaos: empty\.wasm: at byte offset 0x0 .*too short/,
    ],
    ['a text file', ['compile', 'text.wasm', '-o', 'x.o'], /^yaos: text\.wasm: at byte offset 0x0 .*magic/],
    ['a truncated module', ['compile', 'cut.wasm', '-o', 'x.o'], /^yaos: cut\.wasm: at byte offset 0x/],
    [
      'a type error',
      ['compile', 'type.wasm', '-o', 'x.o'],
      /^yaos: type\.wasm: at byte offset 0x2[0-9a-f] .*i32/,
    ],
    ['SIMD', ['compile', 'simd.wasm', '-o', 'x.o'], /^yaos: simd\.wasm: at byte offset 0xd \(13\): SIMD/],
    [
      'an output in no folder',
      ['compile', 'good.wasm', '-o', 'no/x.o'],
      /^yaos: no\/x\.o: no such file or directory/,
    ],
    ['an output that is a folder', ['compile', 'good.wasm', '-o', '.'], /^yaos: \.: it is a directory/],
    [
      'an output below a file',
      ['compile', 'good.wasm', '-o', 'good.wasm/x.o'],
      /^yaos: good\.wasm\/x\.o: what stands before a \/ is no directory/,
    ],
    ['a program of a bad module', ['exe', 'type.wasm', '-o', 'x.o'], /^yaos: type\.wasm: at byte offset/],
    [
      'a machine that is none',
      ['run', '--machine', 'isapc'],
      /^yaos: MACHINE=isapc: choose pc, q35 or microvm/,
    ],
  ])('%s', (_, args, message) => {
    const { status, stdout, stderr } = yaos(...args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain('\n');
    expect(readdirSync(directory).filter((name) => name.startsWith('x.o'))).toEqual([]);
  });
});

test('an error leaves the old output as it was', () => {
  writeFileSync(join(directory, 'old.o'), 'old');
  expect(yaos('compile', 'type.wasm', '-o', 'old.o').status).toBe(1);
  expect(spawnSync('cat', [join(directory, 'old.o')], { encoding: 'utf8' }).stdout).toBe('old');
});

test('writes to an output that is no regular file, and leaves it what it is', () => {
  yaos('compile', 'good.wasm', '-o', 'whole.o');
  const script = `mkfifo pipe && { cat pipe >copy.o & } && "${YAOS}" compile good.wasm -o pipe; test -p pipe && wait`;
  expect(spawnSync('sh', ['-c', script], { cwd: directory, timeout: 20_000 }).status).toBe(0);
  expect(readFileSync(join(directory, 'copy.o'))).toEqual(readFileSync(join(directory, 'whole.o')));
});

test('tells its commands and their options', () => {
  expect(yaos('--help')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^ {2}compile .*\n {2}exe /m),
  });
  expect(yaos('run', '--help').stdout).toMatch(/^ {2}--timeout SECONDS /m);
  expect(yaos('--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(yaos().status).toBe(1);
});
