// The package that npm makes, put where npm would install it: the toolchain and the machine in Node work there, outside of any
// checkout, with nothing but the dependencies that package.json names.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { wat } from '../wasm/wat.ts';

const ADD =
  '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))';
const HOST = `#include <stdio.h>
#include "add.h"
int main(void)
{
	struct add_imports imports = {0};
	struct add *instance = add_new(&imports, NULL);
	uint32_t sum = 0;
	if (!instance || add_add(instance, 2, 40, &sum)) return 1;
	printf("%u\\n", sum);
	add_free(instance);
}
`;
const TIMEOUT_MS = 120_000;

let app: string;

beforeAll(() => {
  app = mkdtempSync(join(tmpdir(), 'yaos-package-'));
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', app];
  const [{ filename }] = JSON.parse(
    execFileSync('npm', pack, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  const modules = join(app, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  execFileSync('tar', ['-xzf', join(app, filename), '-C', modules]);
  execFileSync('mv', [join(modules, 'package'), join(modules, 'yaos')]);
  symlinkSync('../yaos/out/yaos', join(modules, '.bin/yaos'));
  const { dependencies } = JSON.parse(readFileSync(join(modules, 'yaos/package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(resolve('node_modules', name), join(modules, name));
  }
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "version": "1.0.0", "type": "module" }\n');
  writeFileSync(join(app, 'add.wasm'), wat(ADD));
}, TIMEOUT_MS);

afterAll(() => rmSync(app, { recursive: true }));

function run(command: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: app, encoding: 'utf8' });
  return { status, stdout, stderr };
}

const yaos = (...args: string[]) => run('npx', '--no-install', 'yaos', ...args);

test('makes a program of a module', { timeout: TIMEOUT_MS }, () => {
  expect(yaos('exe', 'add.wasm', '-o', 'add').status).toBe(0);
  expect(run('./add', 'add', '2', '40').stdout).toBe('i32:0x0000002a\n');
});

test('makes an object and its header, and links them with the runtime', { timeout: TIMEOUT_MS }, () => {
  expect(yaos('compile', 'add.wasm', '-o', 'add.o').status).toBe(0);
  expect(yaos('header', 'add.wasm', '-o', 'add.h').status).toBe(0);
  writeFileSync(join(app, 'host.c'), HOST);
  const library = 'node_modules/yaos/out/libyaosrt.a';
  const include = '-Inode_modules/yaos/runtime';
  expect(run('gcc', include, '-o', 'host', 'host.c', 'add.o', library, '-pthread').stderr).toBe('');
  expect(run('./host').stdout).toBe('42\n');
});

test('makes a listing', { timeout: TIMEOUT_MS }, () => {
  expect(yaos('listing', 'add.wasm', '-o', 'add.html').status).toBe(0);
  expect(readFileSync(join(app, 'add.html'), 'utf8')).toContain('<title>add.wasm');
});

test('boots its kernel on the machine in Node', { timeout: TIMEOUT_MS }, () => {
  const program = `import { Machine, VirtioBlk } from 'yaos/machine';
    const pc = new Machine();
    pc.pci.add(new VirtioBlk(new Uint8Array(1024 * 512)), { slot: 4 });
    const { end, lines } = await pc.boot();
    console.log(end, lines.at(-1));`;
  expect(run(process.execPath, '--input-type=module', '-e', program)).toEqual({
    status: 0,
    stdout: 'off yaos: done\n',
    stderr: '',
  });
});

test.each(['build', 'run', 'watch'])('yaos %s asks for a checkout', { timeout: TIMEOUT_MS }, (command) => {
  const { status, stderr } = yaos(command);
  expect(status).toBe(1);
  expect(stderr).toMatch(
    new RegExp(`^yaos ${command}: \\S+/node_modules/yaos is no checkout of yaos: .*$`, 'm'),
  );
});
