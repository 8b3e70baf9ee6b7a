// `make gdb` in batch mode: gdb finds the paused machine, and TypeScript in it: functions, lines, inlined calls, and a way
// out of every frame, of interrupts too. Lines are those of a text in the sources.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Variables } from '../../build/qemu/options.ts';

function run(options: string, commands: string[], variables: Variables = {}) {
  const flags = commands.map((command) => `-ex '${command}'`);
  const env = { ...process.env, GDBFLAGS: `-batch ${flags.join(' ')}`, ACCEL: 'tcg', SMP: '1', ...variables };
  return spawnSync('out/yaos', ['run', ...options.split(' ')], { encoding: 'utf8', env, timeout: 30_000 });
}

function debug(options: string, ...commands: string[]): string {
  const { status, stdout, stderr } = run(options, [...commands, 'disconnect']);
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

// As Program#run@override, into which short methods of other files are moved.
test('functions that choose among overriding methods have no line', () => {
  const told = debug(
    '--gdb --kernel',
    'break VirtioDisk::move',
    'continue',
    'backtrace',
    'info line *thread_main',
  );
  const named = frames(told).filter((frame) => frame.includes('$override'));
  expect(named.length).toBeGreaterThan(0);
  for (const frame of named) expect(frame).toMatch(/ -$/);
  const run = lineOf('kernel/sched/scheduler.ts', 'current().program!.run()');
  expect(frames(told).at(-2)).toBe(`thread_main kernel/sched/scheduler.ts:${run}`);
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

// With all vectors of a device in one, and without any: the method is called by those that choose among overriding ones.
test.each([
  ['2', /^#1 .* QueuesInterrupt::interrupt \(/m, /^0x\w+ in InterruptHandler::interrupt\$override \(\)$/m],
  ['0', /^#1 .* DeviceInterrupts::serve \(/m, /^DeviceInterrupts::serve \(.*\) at \S+:\d+$/m],
])('a method of an interrupt handler, with %s vectors', (vectors, caller, back) => {
  const stop = ['break DeviceInterrupts::collect', 'continue', 'backtrace', 'print this->vectors'];
  const commands = [...stop, 'print this->queues', 'print this->taken', 'delete', 'finish', 'disconnect'];
  const { stdout } = run('--gdb --kernel', commands, { BLK: `vectors=${vectors}`, SMP: '2' });
  const line = lineOf('kernel/virtio/interrupts.ts', 'collectFrom(this.queues[i]);');
  expect(frames(stdout)[0]).toBe(`DeviceInterrupts::collect kernel/virtio/interrupts.ts:${line}`);
  expect(stdout).toMatch(caller);
  expect(stdout).toContain(`$1 = ${vectors}\n`);
  expect(stdout).toMatch(/^\$2 = 2 elements = \{0x\w+, 0x\w+\}$/m);
  const taken = vectors === '0' ? /^\$3 = 0 elements$/m : /^\$3 = 2 elements = \{\d+, \d+\}$/m;
  expect(stdout).toMatch(taken);
  expect(stdout).toMatch(back);
});

test('a condition on a field, and where an interrupt of another CPU changes one', () => {
  const stop = ['break Virtqueue::kick if this->unannounced == 1', 'continue', 'print this->unannounced'];
  const watch = ['watch -l this->usedCount', 'delete 1', 'continue', 'info args', 'up', 'info locals'];
  const variables = { SMP: '2', APPEND: 'job=read cpu=1' };
  const { stdout } = run('--gdb --kernel', [...stop, ...watch, 'disconnect'], variables);
  expect(stdout).toMatch(/^\$1 = 1$/m);
  expect(stdout).toMatch(/^Old value = 0\nNew value = 1\nVirtqueue::retire \(/m);
  expect(stdout).toMatch(/^length = 513$/m); // a sector and the status
  expect(stdout).toMatch(/^#1 .* SplitQueue::takeUsed \(this=0x\w+\) at [\s\S]*^seen = 0$/m);
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

test.each([
  ['job=none', 0, 'yaos: done', '[Inferior 1 (process 1) exited normally]'],
  ['job=fault-division', 1, 'yaos: panicked: integer divide by zero', ''],
])('a machine that comes to its end under gdb, with %s: %i', (APPEND, expected, line, end) => {
  const { status, stdout } = run('--gdb --kernel', ['continue'], { APPEND, DISK: 'none' });
  expect({ status, last: stdout.trimEnd().split('\n').at(-1) }).toEqual({ status: expected, last: line });
  expect(stdout).toContain(end);
});

test('on another CPU, to where it has come from', () => {
  const commands = ['break cpu_main', 'continue', 'backtrace', 'disconnect'];
  const { stdout, stderr } = run('--gdb --kernel', commands, { SMP: '2' });
  const line = lineOf('asm/ap.S', 'call cpu_main');
  expect(frames(stdout).at(-1)).toMatch(new RegExp(`^ap_start asm/ap\\.S:(${line}|${line + 1})$`));
  expect(stdout + stderr).not.toContain('Backtrace stopped');
});

// Without an error code, and with one.
test.each(['unreachable', 'memory'])(
  'from the first instructions of an exception, with job=fault-%s',
  (job) => {
    const stubs = [6, 14].map((vector) => `break *&exception_stubs + 16 * ${vector}`);
    const commands = [...stubs, 'continue', 'backtrace', 'stepi', 'backtrace', 'disconnect'];
    const { stdout } = run('--gdb --kernel', commands, { APPEND: `job=fault-${job}` });
    const traces = stdout
      .split(/^#0 +<signal handler called>$/m)
      .slice(1)
      .map(frames);
    expect(traces).toHaveLength(2);
    for (const trace of traces) {
      expect(trace[0]).toMatch(new RegExp(`^${job}Fault kernel/jobs/fault\\.ts:\\d+$`));
      expect(trace.at(-1)).toMatch(/^thread_start asm\/threads\.S:\d+$/);
    }
  },
);

test('what there is not yet', () => {
  const { stderr } = run('--gdb --kernel', ['yaos threads', 'yaos rings', 'yaos pci', 'disconnect']);
  expect(
    stderr.match(/^the kernel has not come so far yet: there is no (cpus|bindings|functions)$/gm),
  ).toHaveLength(3);
});

test('with the machine gdb ends too, and does not wait at its prompt', async () => {
  const env = { ...process.env, GDBFLAGS: '-ex continue', ACCEL: 'tcg', DISK: 'none', APPEND: 'job=none' };
  const child = spawn('out/yaos', ['run', '--gdb', '--kernel'], { env, stdio: 'pipe' });
  const told: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => told.push(bytes));
  expect(await once(child, 'close')).toEqual([0, null]);
  const text = Buffer.concat(told).toString();
  expect(text).toMatch(/\nyaos: done\n$/);
  expect(text).not.toMatch(/Remote (communication|connection)/);
});

test('a panic while the other CPUs are being started is told all the same', () => {
  const commands = ['break startAbsent', 'continue', 'set var cpus[7] = 0', 'delete', 'continue'];
  const { stdout } = run('--gdb --kernel', commands, { SMP: '8', DISK: 'none' });
  expect(stdout.trimEnd().split('\n').at(-1)).toMatch(
    /^yaos: panicked: Unexpected 'null' .*\(kernel\/sched\/smp\.ts:\d+\)$/,
  );
});

// gdb takes away the object that something works with, by an assignment at a breakpoint.
const FAULTS: [string, string, string, Variables, RegExp[]][] = [
  [
    'an entropy device',
    'VirtioEntropy::refill',
    'this = 0',
    { QEMUEXTRA: '-device virtio-rng-pci,addr=5', APPEND: 'job=rng', DISK: 'none' },
    [
      /^panic: thread main, CPU 0$/m,
      /^virtio-rng 0000:00:05\.0: (waiting for|giving out) random bytes, left in the pool \d+$/m,
      /^virtio-rng 0000:00:05\.0: queue 0 of \d+: available 1, /m,
    ],
  ],
  [
    'edu',
    'Edu::answered',
    'this = 0',
    { QEMUEXTRA: '-device edu,addr=5', APPEND: 'job=edu', DISK: 'none' },
    [/^edu 0000:00:05\.0: busy with a factorial: status 0x[0-9a-f]{2}, DMA command 0x00$/m],
  ],
  [
    'a disk, in its interrupt handler',
    'collectFrom',
    'queue = 0',
    {},
    [
      /^panic: interrupt handler of 0000:00:04\.0 in thread \w+, CPU 0$/m,
      /^virtio-blk 0000:00:04\.0: queue 0 of 256: available 1, announced 1, used 1, seen 0, /m,
      /^virtio-blk 0000:00:04\.0: device status 0x0f, ISR status 0x/m,
    ],
  ],
  [
    'a disk, in a thread',
    'BlockQueue::finishOldest',
    'this = 0',
    {},
    [/^panic: thread main, CPU 0$/m, /^virtio-blk 0000:00:04\.0: reading sector 1, requests in flight 1$/m],
  ],
  [
    "an interrupt handler of another CPU's",
    'collectFrom',
    'queue = 0',
    { SMP: '2', APPEND: 'job=read cpu=1' },
    [
      /^panic: interrupt handler of 0000:00:04\.0 in thread \w+, CPU 1$/m,
      /^panic: #0 collectFrom \(kernel\/virtio\/interrupts\.ts:\d+\)\n(panic: .*\n)*panic: #\d+ interrupt$/m,
    ],
  ],
  [
    'a tasklet',
    'Expiry::run',
    'this->cpu = 0',
    { APPEND: 'job=threads', DISK: 'none' },
    [
      /^panic: tasklet in thread \w+, CPU 0$/m,
      /^panic: #0 Expiry#run \(kernel\/sched\/scheduler\.ts:\d+\)\n(panic: .*\n)*panic: #\d+ Tasklets#run /m,
    ],
  ],
  [
    'the boot',
    'readCommandLine',
    'boot = 0',
    { DISK: 'none' },
    [
      /^panic: thread idle, CPU 0$/m,
      /^panic: #0 readCommandLine \(kernel\/main\.ts:\d+\)\npanic: #1 kmain \(kernel\/main\.ts:\d+\)$/m,
    ],
  ],
];
test.each(FAULTS)('a panic tells what was going on in %s', (_, name, assignment, variables, told) => {
  const commands = [`break ${name}`, 'continue', `set var ${assignment}`, 'delete', 'continue'];
  const { status, stderr } = run('--gdb --kernel', commands, variables);
  const log = readFileSync('out/gdb-serial.log', 'latin1').replaceAll('\r', '');
  expect(status, stderr).toBe(1);
  for (const line of told) expect(log).toMatch(line);
});

// gdb has the frames from .debug_frame, the panic from the code itself: an interrupt may come at any instruction.
test.each([1, 30, 200, 411])('a panic tells what an interrupt has interrupted: after %i', (count) => {
  const commands = ['break collectFrom', `ignore 1 ${count}`, 'continue', 'backtrace', 'set var queue = 0'];
  const variables = { APPEND: 'job=blkverify qd=4 size=1024' };
  const { stdout } = run('--gdb --kernel', [...commands, 'delete', 'continue'], variables);
  const log = readFileSync('out/gdb-serial.log', 'latin1').replaceAll('\r', '');
  const named = (text: string, frame: RegExp) => [...text.matchAll(frame)].map(([, name]) => name!);
  const seen = named(stdout, /^#\d+ +(?:0x\w+ in )?(<signal handler called>|\S+)/gm).map((name) =>
    name.replace('<signal handler called>', 'interrupt').replace('::', '#').replace('$override', '@override'),
  );
  const told = named(log, /^panic: #\d+ (\S+)/gm);
  expect(told.slice(0, -1)).toEqual(seen.slice(0, -1)); // the last is the assembly that everything began in
  expect(told).toContain('interrupt');
  expect(told.at(-1)).toBe('assembly');
});
