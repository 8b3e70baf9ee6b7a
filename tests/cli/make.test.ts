// The Makefile in a copy of the checkout: a build from nothing, no work when there is none, and what is rebuilt
// after which change.

import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'yaos-make-'));
  const files = [
    'Makefile',
    'package.json',
    'package-lock.json',
    'kernel',
    'boot',
    'asm',
    'build',
    'machine',
    'runtime',
  ];
  for (const file of files) cpSync(file, join(copy, file), { recursive: true, preserveTimestamps: true });
  symlinkSync(resolve('node_modules'), join(copy, 'node_modules'));
});

afterAll(() => rmSync(copy, { recursive: true }));

function make(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  // Not the variables of the make that runs the tests.
  const { MAKEFLAGS, MFLAGS, MAKELEVEL, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync('make', args, { cwd: copy, encoding: 'utf8', env });
  return { status, stdout, stderr };
}

const modified = (file: string) => statSync(join(copy, 'out', file)).mtimeMs;

// It would do nothing, and pass.
test.each([
  ['fuzz', 'N=x', 'N=x: give a number from 1 on'],
  ['fuzz-drivers', 'N=10_000', 'N=10_000: give a number from 1 on'],
  ['cuts', 'N=0', 'N=0: give a number from 1 on'],
  ['fuzz-wasm', 'SECONDS=', 'SECONDS=: give a number from 1 on'],
  ['fuzz-drivers', 'SEED=x', 'SEED=x: give a number'],
])('make %s %s is refused', (target, variable, message) => {
  const { status, stderr } = make('-n', target, variable);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) });
});

describe('make', () => {
  test('builds everything from nothing, two jobs at once', () => {
    const { status, stderr } = make('-j2');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const file of ['yaos', 'kernel.wasm', 'kernel.wasm.map', 'kernel.o', 'kernel.elf', 'libyaosrt.a']) {
      expect(statSync(join(copy, 'out', file)).size, file).toBeGreaterThan(0);
    }
    expect(statSync(join(copy, 'out/yaos.img')).size).toBeGreaterThanOrEqual(1 << 20);
    expect(readFileSync(join(copy, 'out/yaos.img')).readUInt16LE(510)).toBe(0xaa55);
  });

  test('makes the same bytes as in the checkout', () => {
    for (const file of ['kernel.wasm', 'kernel.elf', 'yaos.img']) {
      expect(readFileSync(join(copy, 'out', file)).equals(readFileSync(join('out', file))), file).toBe(true);
    }
  });

  test('does nothing when there is nothing to do', () => {
    expect(make('-q').status).toBe(0);
    expect(make().stdout).toContain('Nothing to be done');
  });

  test('rebuilds the image after a change in the kernel, and nothing else', () => {
    const before = {
      object: modified('asm/start.o'),
      library: modified('libyaosrt.a'),
      toolchain: modified('yaos'),
    };
    const image = readFileSync(join(copy, 'out/yaos.img'));
    const version = join(copy, 'kernel/version.ts');
    spawnSync('sed', ['-i.old', "s/VERSION = '[^']*'/VERSION = '9.9.9'/", version]);
    unlinkSync(`${version}.old`);
    expect(make('-q').status).toBe(1);
    expect(make().status).toBe(0);
    expect(readFileSync(join(copy, 'out/yaos.img')).equals(image)).toBe(false);
    expect({
      object: modified('asm/start.o'),
      library: modified('libyaosrt.a'),
      toolchain: modified('yaos'),
    }).toEqual(before);
    expect(make('-q').status).toBe(0);
  });

  test('has what a microvm cannot boot from a disk booted directly', () => {
    for (const goal of ['gdb', 'shell', 'profile', 'trace', 'watch'])
      expect(make('-n', goal, 'MACHINE=microvm,acpi=off').stdout, goal).toMatch(
        /^(exec )?out\/yaos .* --kernel$|watch --kernel$/m,
      );
  });

  test('sees a change that comes right after a build', () => {
    const script =
      'for i in 1 2 3; do echo "# $i" >>asm/start.S; make -q && echo missed; make >make.log; done';
    const { MAKEFLAGS, MFLAGS, MAKELEVEL, ...env } = process.env;
    const { stdout } = spawnSync('sh', ['-c', script], { cwd: copy, encoding: 'utf8', env });
    expect(stdout).toBe('');
  });

  test('assembles and links again after a change in asm/, without asc', () => {
    const wasm = modified('kernel.wasm');
    appendFileSync(join(copy, 'asm/start.S'), '\tnop\n');
    expect(make().status).toBe(0);
    expect(modified('kernel.wasm')).toBe(wasm);
    expect(make('-q').status).toBe(0);
  });

  test('makes files again that are gone', () => {
    const files = ['kernel.o', 'yaos', 'libyaosrt.a'].map((file) => join(copy, 'out', file));
    for (const file of files) unlinkSync(file);
    expect(make().status).toBe(0);
    for (const file of files) expect(statSync(file).size).toBeGreaterThan(0);
    expect(make('-q').status).toBe(0);
  });

  test('says what is wrong in the kernel, and is not up to date then', () => {
    appendFileSync(join(copy, 'kernel/version.ts'), 'export const BAD: i32 = "text";\n');
    const { status, stderr } = make();
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/kernel\/version\.ts/);
    expect(make('-q').status).toBe(1);
  });

  test('clean removes out/', () => {
    expect(make('clean').status).toBe(0);
    expect(() => statSync(join(copy, 'out'))).toThrow('ENOENT');
  });
});
