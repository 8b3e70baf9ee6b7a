// The kernel's layers: a folder imports only from itself and from those before it.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './compile.ts';

const order = [
  ...['x86.ts', 'version.ts', 'lib', 'mm', 'boot', 'acpi', 'irq', 'time', 'sched'],
  ...['bus', 'virtio', 'drivers', 'jobs', 'panic', 'main.ts'],
];

test('imports point one way', () => {
  const kernel = join(root, 'kernel');
  const wrong: string[] = [];
  for (const file of readdirSync(kernel, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const layer = order.indexOf(file.split('/')[0]!);
    expect(layer, `${file} is in no layer`).toBeGreaterThanOrEqual(0);
    for (const [, path] of readFileSync(join(kernel, file), 'utf8').matchAll(/ from '(\.[^']*)'/g)) {
      const target = normalize(join(dirname(file), path!));
      if (order.indexOf(target.split('/')[0]!) > layer) wrong.push(`${file} imports ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});
