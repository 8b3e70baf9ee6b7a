// The launcher's kept bytecode (build/launch.ts): made by a first run, used by the next, never for another bundle.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';

const directory = mkdtempSync(join(tmpdir(), 'yaos-launch-'));
const [bundle, kept] = ['yaos.cjs', 'yaos.cache'].map((name) => join(directory, 'out', name));
const module = join(directory, 'empty.wasm');

beforeEach(() => {
  for (const path of [
    'package.json',
    'out/yaos',
    'out/yaos.cjs',
    'out/build/launch.js',
    'out/build/engine.js',
  ])
    cpSync(path, join(directory, path));
  rmSync(kept, { force: true });
  writeFileSync(module, Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
});

afterAll(() => rmSync(directory, { recursive: true }));

function yaos(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(join(directory, 'out/yaos'), args, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

const compile = () => yaos('compile', module, '-o', join(directory, 'empty.o'));
const DONE = { status: 0, stdout: '', stderr: '' };

test('a command that runs the translator leaves bytecode behind, and the next runs by it', () => {
  expect(yaos('--help').status).toBe(0);
  expect(existsSync(kept)).toBe(false);
  expect(compile()).toEqual(DONE);
  const first = readFileSync(kept);
  const object = readFileSync(join(directory, 'empty.o'));
  expect(compile()).toEqual(DONE);
  expect(readFileSync(kept).equals(first)).toBe(true);
  expect(readFileSync(join(directory, 'empty.o')).equals(object)).toBe(true);
});

test('a bundle of the same length with another text runs as it is', () => {
  compile();
  const text = readFileSync(bundle, 'utf8');
  const changed = text.replace('usage: yaos COMMAND', 'Usage: yaos COMMAND');
  expect(changed).not.toBe(text);
  writeFileSync(bundle, changed);
  expect(yaos('--help').stdout).toMatch(/^Usage: yaos COMMAND/);
});

test('what another version of V8 kept is replaced', () => {
  compile();
  const good = readFileSync(kept);
  const foreign = Buffer.from(good);
  foreign.fill(0x55, 32, 48); // V8's header, behind our key
  writeFileSync(kept, foreign);
  expect(compile()).toEqual(DONE);
  expect(readFileSync(kept).subarray(0, 48).equals(good.subarray(0, 48))).toBe(true);
});
