// The layers of the kernel and of the machine in Node: a folder imports only from itself and from those before it.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './compile.ts';

const trees: [string, string[]][] = [
  [
    'kernel',
    [
      ...['x86.ts', 'version.ts', 'lib', 'mm', 'boot', 'acpi', 'irq', 'time', 'sched', 'net'],
      ...['bus', 'virtio', 'drivers', 'jobs', 'panic', 'main.ts'],
    ],
  ],
  [
    'machine',
    [
      ...['error.ts', 'random.ts', 'trace.ts', 'time', 'bus', 'devices', 'cpu', 'pci', 'virtio', 'firmware'],
      ...['kernel', 'options.ts', 'machine.ts', 'hostile', 'index.ts'],
    ],
  ],
];

test.each(trees)('imports point one way in %s', (tree, order) => {
  const folder = join(root, tree);
  const wrong: string[] = [];
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const layer = order.indexOf(file.split('/')[0]!);
    expect(layer, `${file} is in no layer`).toBeGreaterThanOrEqual(0);
    for (const [, path] of readFileSync(join(folder, file), 'utf8').matchAll(/ from '(\.[^']*)'/g)) {
      const target = normalize(join(dirname(file), path!));
      const found = order.indexOf(target.split('/')[0]!);
      if (found > layer || found < 0) wrong.push(`${file} imports ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});
