// The examples of machine/README.md, as a user would run them: the package is in node_modules, and what is imported is its
// built JavaScript. Its types are checked too.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root } from '../kernel/compile.ts';

const folder = mkdtempSync(join(tmpdir(), 'yaos-user-'));
mkdirSync(join(folder, 'node_modules'));
symlinkSync(root, join(folder, 'node_modules/yaos'));
afterAll(() => rmSync(folder, { recursive: true }));

const readme = readFileSync(join(root, 'machine/README.md'), 'utf8');
const blocks = [...readme.matchAll(/```ts(?: file=(\S+))?\n(.*?)```/gs)];
const tool = (name: string) => join(root, 'node_modules/.bin', name);
const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { cwd: folder, encoding: 'utf8' });

test('a device and a driver of one’s own', () => {
  for (const [, file, text] of blocks) if (file) writeFileSync(join(folder, file), text!);
  run(tool('asc'), ...'driver.ts -o driver.wasm --runtime stub --memoryBase 2097152'.split(' '));
  expect(run(process.execPath, 'sum.test.mjs')).toBe('ok\n');
});

test('the first example', () => {
  writeFileSync(join(folder, 'first.mjs'), blocks[0]![2]!);
  expect(run(process.execPath, 'first.mjs')).toBe('off yaos: done\n');
});

test('the package’s types', () => {
  const source = `import { Machine, VirtioBlk, type Result } from 'yaos/machine';
const pc = new Machine({ machine: 'q35', trace: { kick: ({ queue }) => void queue } });
pc.pci.add(new VirtioBlk(new Uint8Array(512), { queues: 2 }));
export const result: Promise<Result> = pc.boot();
// @ts-expect-error: no such machine
new Machine({ machine: 'isapc' });
`;
  writeFileSync(join(folder, 'types.mts'), source);
  const options = ['--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023', '--strict', '--noEmit'];
  expect(run(tool('tsc'), ...options, '--types', '', 'types.mts')).toBe('');
});
