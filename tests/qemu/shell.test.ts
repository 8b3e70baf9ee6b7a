// `make shell` as its users have it: QEMU's serial line on standard input and output, with somebody who types.

import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root } from '../../build/paths.ts';
import type { Variables } from '../../build/qemu/options.ts';
import { hexDump, Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const PROMPT = 'yaos> ';

/** Types each command when there is a prompt; all that was shown, and the exit status. */
function session(
  disk: string,
  commands: readonly string[],
  options = ['--shell'],
  variables: Variables = {},
): Promise<{ status: number | null; shown: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...variables, DISK: disk, ACCEL: 'tcg', TIMEOUT: '30' };
    const shell = spawn(join(root, 'out/yaos'), ['run', ...options], {
      env,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const left = [...commands];
    let shown = '';
    let answered = 0;
    shell.stdout.on('data', (bytes: Buffer) => {
      shown += bytes.toString('latin1');
      const prompts = shown.split(`${PROMPT}\x1b[K`).length - 1;
      if (prompts <= answered || left.length === 0) return;
      answered++;
      shell.stdin.write(`${left.shift()}\r`);
    });
    shell.on('close', (status) => resolve({ status, shown }));
  });
}

test('make shell: commands and their answers', async () => {
  const disk = bench.disk();
  const commands = ['help', 'read 1', 'irq', 'map 0x1000', 'map 0', 'nonsense', 'poweroff'];
  const { status, shown } = await session(disk.path, commands);
  expect(status, shown).toBe(0);
  const lines = shown.split('\r\n');
  const [address] = lines.filter((line) => line.startsWith('addr:')).map((line) => line.slice(5, 13));
  expect(lines.filter((line) => /^(addr:|~)/.test(line))).toEqual(
    hexDump(disk.sectorOne, Number.parseInt(address!, 16)),
  );
  expect(shown).toMatch(/GSI 4 \(\d+ interrupts\)/);
  expect(lines).toContain('00001000: physical 000000001000, page of 4 KiB, writable');
  expect(lines).toContain('00000000: not mapped');
  expect(lines).toContain('unknown command: help lists what there is');
  expect(lines).toContain('yaos: done');
});

test.each(['yaos-42', 'twenty bytes, no NUL'])('a disk tells its serial number: %s', async (serial) => {
  const { shown } = await session(bench.disk().path, ['blk', 'poweroff'], undefined, {
    BLK: `serial=${serial.replaceAll(',', ',,')}`,
  });
  expect(shown.split('\r\n')).toContain(`virtio-blk 0000:00:04.0: id ${serial}`);
});

test.each([
  ['qemu64,+pdpe1gb', '1024 MiB'],
  ['qemu64', '2 MiB'],
])('RAM is mapped by the largest pages of -cpu %s', async (cpu, page) => {
  const commands = ['map 0x7fffffff', 'map 0x3fffffff', 'map 0x80000000', 'poweroff'];
  const variables = { MEM: '3G', QEMUEXTRA: `-cpu ${cpu}` };
  const { status, shown } = await session(bench.disk().path, commands, ['--shell'], variables);
  expect(status, shown).toBe(0);
  const lines = shown.split('\r\n');
  expect(lines).toContain(`7fffffff: physical 00007fffffff, page of ${page}, writable`);
  // The image's GiB, and the one at whose end the firmware has its tables.
  expect(lines).toContain('3fffffff: physical 00003fffffff, page of 2 MiB, writable');
  expect(lines).toContain('80000000: physical 000080000000, page of 2 MiB, writable');
});

test('APPEND=job=shell: somebody types there too', async () => {
  const { status, shown } = await session(
    bench.disk().path,
    ['mem', 'poweroff'],
    ['--append', 'cpu=0 job=shell'],
  );
  expect(status, shown).toBe(0);
  expect(shown).toMatch(/^memory: \d+ KiB in frames/m);
});

test('make gives a session no bound of its own', () => {
  const rule = 'bound: ; @echo "TIMEOUT is $${TIMEOUT-not set}"';
  const env = { ...process.env, TIMEOUT: undefined };
  const { stdout } = spawnSync('make', ['-s', `--eval=${rule}`, 'bound'], {
    cwd: root,
    encoding: 'utf8',
    env,
  });
  expect(stdout).toBe('TIMEOUT is not set\n');
});
