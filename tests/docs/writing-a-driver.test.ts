// docs/writing-a-driver.md: all code in it is in the tree as it stands there, and every command prints what it says.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../kernel/compile.ts';

const text = readFileSync(join(root, 'docs/writing-a-driver.md'), 'utf8');
const code = [...text.matchAll(/```ts file=(\S+)\n(.*?)```/gs)].map(([, file, block]) => [file, block]);
const sessions = [...text.matchAll(/```console\n\$ ([^\n]*)\n(.*?)```/gs)].map(([, command, output]) => [
  command,
  output,
]);

test('there is something to test', () => {
  expect(code.length).toBeGreaterThan(8);
  expect(sessions.length).toBeGreaterThan(4);
  // Every block of the text is one or the other.
  expect(code.length + sessions.length).toBe((text.match(/^```\w/gm) ?? []).length);
});

test.each(code)('code of %s', (file, block) => {
  expect(readFileSync(join(root, file), 'utf8')).toContain(block);
});

/** A line as it may be: `…` stands for anything. */
function pattern(line: string): RegExp {
  const parts = line.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}

test.each(sessions)(
  '%s',
  (command, output) => {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' });
    const printed = `${stdout}\n${stderr}`.split(/\r?\n/);
    expect(status, printed.join('\n')).toBe(0);
    let at = 0;
    for (const line of output.trimEnd().split('\n')) {
      const found = printed.findIndex((other, i) => i >= at && pattern(line).test(other));
      expect(found, `${line}\nis not printed, in its turn, by\n${printed.join('\n')}`).toBeGreaterThanOrEqual(
        0,
      );
      at = found + 1;
    }
  },
  120_000,
);
