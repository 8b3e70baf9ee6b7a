// `make gdb` in batch mode: gdb finds the paused machine, and TypeScript in it: functions, lines, inlined calls, and a way
// out of every frame, of interrupts too. Lines are those of a text in the sources.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

function debug(options: string, ...commands: string[]): string {
  const flags = [...commands, 'disconnect'].map((command) => `-ex '${command}'`);
  const env = { ...process.env, GDBFLAGS: `-batch ${flags.join(' ')}`, ACCEL: 'tcg', SMP: '1' };
  const { status, stdout, stderr } = spawnSync('out/yaos', ['run', ...options.split(' ')], {
    encoding: 'utf8',
    env,
    timeout: 30_000,
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

/** Of the only line of a source with this text. */
function lineOf(path: string, text: string): number {
  const lines = readFileSync(path, 'utf8').split('\n');
  const found = lines.flatMap((line, i) => (line.includes(text) ? [i + 1] : []));
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** `FUNCTION file:line` of each frame of a back trace. */
function frames(told: string): string[] {
  return [...told.matchAll(/^#\d+ +(?:0x\w+ in )?(.*?) \(.*?\)(?: at (?:\.\/)?(\S+))?$/gm)].map(
    ([, name, place]) => `${name} ${place ?? '-'}`,
  );
}

test.each(['--gdb', '--gdb --kernel'])('yaos run %s', (options) => {
  const told = debug(options, 'hbreak kmain', 'continue', 'backtrace');
  expect(told).toMatch(/Breakpoint 1, kmain \(.*\) at \.?\/?kernel\/main\.ts:\d+/);
  const line = lineOf('asm/start.S', 'call kmain');
  expect(frames(told).slice(-1)).toEqual([`start asm/start.S:${line}`]);
});

test('in a thread, from the driver to where the thread begins', () => {
  const told = debug('--gdb --kernel', 'break BlockQueue::finishOldest', 'continue', 'backtrace');
  const trace = frames(told);
  const first = lineOf('kernel/drivers/virtio-blk-queue.ts', 'return this.giveUp()');
  expect(trace[0]).toBe(`BlockQueue::finishOldest kernel/drivers/virtio-blk-queue.ts:${first}`);
  const run = lineOf('kernel/main.ts', "runOnCpu(cmdline.number('cpu'");
  expect(trace).toContain(`MainProgram::run kernel/main.ts:${run}`);
  expect(trace.at(-1)).toMatch(/^thread_start asm\/threads\.S:\d+$/);
});

test('values in a thread, of an inlined call too, and the objects that they refer to', () => {
  const kick = ['print *this', 'print this->unannounced + 41', 'ptype this'];
  const steps = [...kick, 'up', 'info locals', 'print *this.queue', 'up', 'info args'];
  const told = debug('--gdb --kernel', 'hbreak Virtqueue::kick', 'continue', ...steps);
  // The first request: sector 1, for which nothing has been told to the device.
  expect(told).toMatch(/^\$1 = \{.*kicks = 0,.* unannounced = 1,/m);
  expect(told).toMatch(/^\$2 = 42$/m);
  expect(told).toMatch(
    /^type = struct Virtqueue \{\n(.*\n)* {4}RingLayout \*ring;\n(.*\n)* {4}void kick\(void\);\n/m,
  );
  expect(told).toMatch(/^\$3 = \{.*kicks = 0,.* unannounced = 1,/m);
  for (const value of ['good = true', 'write = false', 'sector = 1', 'count = 1'])
    expect(told).toMatch(new RegExp(`^${value}$`, 'm'));
});

test('yaos threads, rings and pci, by a plain breakpoint', () => {
  const told = debug('--gdb', 'break Virtqueue::kick', 'continue', 'yaos threads', 'yaos rings', 'yaos pci');
  expect(told).toMatch(/^16 +0 +running +- +main$/m);
  expect(told).toMatch(/^virtio-blk 0000:00:04\.0 +0 +SplitQueue +256 +255 +0 +0 +1 +ok$/m);
  // QEMU's i440FX and its virtio-blk.
  expect(told).toMatch(/^0000:00:00\.0 +8086:1237 +060000$/m);
  expect(told).toMatch(/^0000:00:04\.0 +1af4:1001 +010000$/m);
});

test('strings are text, variables of files have their types', () => {
  const prints = ['print this->name', 'print tsc_khz > 0', 'print *cpus[0]->current'];
  const told = debug('--gdb --kernel', 'break Virtqueue::kick', 'continue', ...prints);
  expect(told).toMatch(/^\$1 = "virtio-blk 0000:00:04\.0"$/m);
  expect(told).toMatch(/^\$2 = true$/m);
  expect(told).toMatch(/^\$3 = \{.*slot = 16, home = 0, name = "main", /m);
});

test('what .vscode has gdb do: a breakpoint before there is a machine', () => {
  const { configurations } = JSON.parse(readFileSync('.vscode/launch.json', 'utf8'));
  const [{ setupCommands, program, preLaunchTask }] = configurations;
  const { tasks } = JSON.parse(readFileSync('.vscode/tasks.json', 'utf8'));
  expect(tasks.map((task: { label: string }) => task.label)).toContain(preLaunchTask);
  const commands = [
    ...setupCommands.map((command: { text: string }) => command.text),
    `-file-exec-and-symbols ${program.replace(/^[^/]*/, '.')}`,
    '-break-insert -f kernel/virtio/queue.ts:Virtqueue::kick',
    '-gdb-exit',
  ];
  const input = `${commands.join('\n')}\n`;
  const { stdout } = spawnSync('gdb', ['-q', '-nx', '--interpreter=mi'], { input, encoding: 'utf8' });
  expect(stdout).not.toContain('^error');
  expect(stdout).toMatch(/bkpt=\{.*fullname=".*\/kernel\/virtio\/queue\.ts"/);
});

test('in an interrupt handler, through the interrupt', () => {
  const told = debug('--gdb --kernel', 'hbreak collectFrom', 'continue', 'backtrace');
  const [handler, interrupted] = told.split('<signal handler called>').map(frames);
  const call = lineOf('kernel/irq/vectors.ts', 'handler.interrupt(vector)');
  expect(handler!.at(-1)).toBe(`interrupt kernel/irq/vectors.ts:${call}`);
  expect(interrupted!.at(-1)).toMatch(/^(start asm\/start|thread_start asm\/threads)\.S:\d+$/);
});
