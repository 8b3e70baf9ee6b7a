// build/setup.sh on machines that lack tools: stand-ins for uname, id and the package managers in a PATH of their
// own, and an os-release file for each distribution.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'yaos-setup-'));
  for (const tool of ['sh', 'awk', 'tr', 'chmod']) {
    const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' });
    symlinkSync(found.stdout.trim(), join(directory, tool));
  }
});

afterEach(() => rmSync(directory, { recursive: true }));

function program(name: string, script: string): void {
  writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(directory, name), 0o755);
}

function machine(system: string, os: string, user: 'root' | 'user'): void {
  const [name, cpu] = system.split(' ');
  program('uname', `case $1 in -s) echo ${name};; -m) echo ${cpu};; *) echo ${system};; esac`);
  program('id', `echo ${user === 'root' ? 0 : 1000}`);
  writeFileSync(join(directory, 'os-release'), os);
}

function setup(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('sh', ['build/setup.sh', ...args], {
    encoding: 'utf8',
    env: { PATH: directory, OS_RELEASE: join(directory, 'os-release') },
  });
}

const NEEDS = ['as', 'gcc', 'qemu', 'qemu-img', 'gdb'];

test('names what is missing', () => {
  machine('Linux x86_64', 'ID=debian', 'root');
  expect(setup('missing', ...NEEDS).stdout).toBe('as gcc qemu qemu-img gdb\n');
  program('as', '');
  program('ld', '');
  program('gdb', '');
  expect(setup('missing', 'as', 'gdb').stdout).toBe('as\n');
  program('objcopy', '');
  expect(setup('missing', 'as', 'gdb').stdout).toBe('');
});

describe('binutils', () => {
  const binutils = (prefix: string) => {
    for (const tool of ['as', 'ld', 'objcopy']) program(`${prefix}${tool}`, '');
  };

  test('the host’s own serve on x86-64 Linux only', () => {
    binutils('');
    machine('Linux x86_64', 'ID=debian', 'user');
    expect(setup('prefix')).toMatchObject({ status: 0, stdout: '\n' });
    machine('Linux aarch64', 'ID=debian', 'user');
    expect(setup('prefix').status).toBe(1);
    expect(setup('missing', 'as').stdout).toBe('as\n');
    machine('Darwin arm64', '', 'user');
    expect(setup('prefix').status).toBe(1);
  });

  test('a prefix is found, and CROSS= says another', () => {
    machine('Darwin arm64', '', 'user');
    binutils('x86_64-elf-');
    expect(setup('prefix').stdout).toBe('x86_64-elf-\n');
    binutils('my-');
    const env = { PATH: directory, CROSS: 'my-' };
    expect(spawnSync('sh', ['build/setup.sh', 'prefix'], { encoding: 'utf8', env }).stdout).toBe('my-\n');
  });
});

describe('installs with apt', () => {
  const APT = `echo "$@" >>"$0.log"; case $1 in install) printf '#!/bin/sh\\n' >"\${0%apt-get}gdb"; chmod +x "\${0%apt-get}gdb";; esac`;

  test('as root', () => {
    machine('Linux x86_64', 'ID=debian', 'root');
    program('apt-get', APT);
    const { status, stdout } = setup('install', 'gdb');
    expect(stdout).toBe(
      'setup: missing: gdb; running: apt-get update && apt-get install -y --no-install-recommends gdb\n',
    );
    expect(status).toBe(0);
    expect(readFileSync(join(directory, 'apt-get.log'), 'utf8')).toBe(
      'update\ninstall -y --no-install-recommends gdb\n',
    );
  });

  test('through sudo, on what is like Ubuntu', () => {
    machine('Linux x86_64', 'ID=pop\nID_LIKE="ubuntu debian"', 'user');
    program('apt-get', APT);
    program('sudo', '"$@"');
    const { status, stdout } = setup('install', 'gdb');
    expect(stdout).toMatch('running: sudo apt-get update && sudo apt-get install');
    expect(status).toBe(0);
  });

  test('not without root and sudo', () => {
    machine('Linux x86_64', 'ID=debian', 'user');
    program('apt-get', APT);
    const { status, stdout, stderr } = setup('install', 'as', 'qemu');
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toBe(
      'setup: missing: as qemu. As root run: apt-get update && apt-get install -y --no-install-recommends binutils qemu-system-x86\n',
    );
    expect(existsSync(join(directory, 'apt-get.log'))).toBe(false);
  });

  test('and says when that failed or did not help', () => {
    machine('Linux x86_64', 'ID=debian', 'root');
    program('apt-get', 'exit 100');
    expect(setup('install', 'gdb').stderr).toMatch(/^setup: 'apt-get update && .* gdb' failed\n$/);
    program('apt-get', '');
    expect(setup('install', 'gdb').stderr).toMatch(/^setup: still missing after 'apt-get .*': gdb\n$/);
  });
});

test.each([
  ['Linux x86_64', 'ID=fedora', 'sudo dnf install -y binutils gcc qemu-system-x86-core qemu-img gdb'],
  [
    'Linux aarch64',
    'ID=fedora',
    'sudo dnf install -y binutils-x86_64-linux-gnu gcc qemu-system-x86-core qemu-img gdb',
  ],
  ['Linux x86_64', 'ID=arch', 'sudo pacman -S --needed binutils gcc qemu-system-x86 qemu-img gdb'],
  ['Darwin arm64', '', 'brew install x86_64-elf-binutils gcc qemu x86_64-elf-gdb'],
])('tells the command on %s %s', (system, os, command) => {
  machine(system, os, 'user');
  const { status, stdout, stderr } = setup('install', ...NEEDS);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toBe(`setup: missing: as gcc qemu qemu-img gdb. Run: ${command}\n`);
});

test('names the programs where the system is unknown, and Node’s home when npm is missing', () => {
  machine('Linux x86_64', 'ID=other', 'root');
  expect(setup('install', 'as', 'qemu')).toMatchObject({
    status: 1,
    stderr:
      'setup: missing: as qemu. Install them (as: GNU binutils for x86-64, qemu: qemu-system-x86_64) and run make again\n',
  });
  expect(setup('install', 'npm', 'as').stderr).toMatch('Node.js 20.19 or newer with npm: https://nodejs.org');
});

test('an old Node is refused', () => {
  machine('Linux x86_64', 'ID=debian', 'root');
  program('node', 'case $1 in --version) echo v18.20.4;; *) exit 1;; esac');
  expect(setup('npm').stderr).toBe(
    'setup: Node.js v18.20.4 is too old: yaos needs 20.19 or newer (https://nodejs.org)\n',
  );
});
