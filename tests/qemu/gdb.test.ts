// `make gdb` in batch mode: gdb finds the paused machine and the kernel's symbols.

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

test.each(['--gdb', '--gdb --kernel'])('yaos run %s', (options) => {
  const GDBFLAGS = `-batch -ex 'hbreak kmain' -ex continue -ex 'backtrace 2' -ex disconnect`;
  const env = { ...process.env, GDBFLAGS, ACCEL: 'tcg', DISK: 'none' };
  const { status, stdout } = spawnSync('out/yaos', ['run', ...options.split(' ')], {
    encoding: 'utf8',
    env,
    timeout: 30_000,
  });
  expect(stdout).toMatch(/Breakpoint 1, 0xffffffff8[0-9a-f]+ in kmain \(\)/);
  expect(stdout).toMatch(/#1 .* in start \(\) at asm\/start\.S:\d+/);
  expect(status).toBe(0);
});
