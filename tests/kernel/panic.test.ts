// Panics on the real machine: the reason, the registers and the back trace by the translator's tables, with the
// functions' names and lines of the source; what the driver in charge was doing.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { STATUS_PANIC } from '../../build/qemu/command.ts';
import { Workbench } from '../qemu/machine.ts';
import { root } from './compile.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

async function panic(job: string): Promise<string[]> {
  const outcome = await bench.boot({ DISK: bench.disk().path, APPEND: job });
  expect(outcome.status, outcome.lines.join('\n')).toBe(STATUS_PANIC);
  return outcome.lines.slice(outcome.lines.findIndex((line) => line.startsWith('panic: ')));
}

/** The lines of a source file that hold `text`. */
function linesWith(file: string, text: string): string[] {
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  return lines.flatMap((line, i) => (line.includes(text) ? [`${file}:${i + 1}`] : []));
}

const faults: [string, RegExp, string, string][] = [
  ['fault-memory', /^panic: out of bounds memory access at 0x00000000$/, 'memoryFault', 'store<u32>('],
  [
    'fault-memory address=720896',
    /^panic: out of bounds memory access at 0x000b0000$/,
    'memoryFault',
    'store<u32>(',
  ],
  [
    'fault-memory address=1048576',
    /^panic: out of bounds memory access at 0x00100000$/,
    'memoryFault',
    'store<u32>(',
  ],
  [
    'fault-memory address=4294967295',
    /^panic: out of bounds memory access at 0xffffffff$/,
    'memoryFault',
    'store<u32>(',
  ],
  ['fault-field', /^panic: out of bounds memory access at 0x10000003f$/, 'fieldFault', 'store<u32>(object'],
  ['fault-copy address=4294967295', /^panic: out of bounds memory access$/, 'copyFault', 'memory.copy('],
  ['fault-division', /^panic: integer divide by zero$/, 'divisionFault', '1000 / divisor'],
  ['fault-overflow', /^panic: integer overflow$/, 'overflowFault', 'i32.MIN_VALUE / divisor'],
  ['fault-unreachable', /^panic: unreachable$/, 'unreachableFault', 'unreachable();'],
  ['fault-call', /^panic: undefined element$/, 'callFault', 'call_indirect<'],
  ['fault-call function=0', /^panic: uninitialized element$/, 'callFault', 'call_indirect<'],
  ['fault-call function=1', /^panic: indirect call type mismatch$/, 'callFault', 'call_indirect<'],
  ['fault-atomic', /^panic: unaligned atomic$/, 'atomicFault', 'atomic.add<u32>'],
  ['fault-stack', /^panic: kernel stack overflow$/, 'stackFault', 'stackFault(depth + 1)'],
];
test.each(faults)('job=%s', async (job, reason, name, text) => {
  const lines = await panic(`job=${job}`);
  expect(lines[0]).toMatch(reason);
  expect(lines[1]).toBe('panic: thread main, CPU 0');
  const log = lines.join('\n');
  expect(log).toMatch(/^panic: rip [0-9a-f]{16} rsp [0-9a-f]{16} rflags [0-9a-f]{8} cr2 [0-9a-f]{16}$/m);
  expect(log).toMatch(/^panic: r13 [0-9a-f]{16} r14 [0-9a-f]{16} r15 [0-9a-f]{16}$/m);
  const first = /^panic: #0 (\S+) \((\S+)\)$/m.exec(log);
  expect(first?.[1], log).toBe(name);
  expect(linesWith('kernel/jobs/fault.ts', text)).toContain(first?.[2]);
});

// The host's work: the image has no columns. In a bulk operator the instruction is assembly, and the line's beginning is shown.
test.each([
  ['fault-division', '1000 / divisor'],
  ['fault-overflow', 'i32.MIN_VALUE / divisor'],
  ['fault-copy', 'memory.copy('],
])('yaos run shows the line of job=%s, with a caret below the expression', (job, text) => {
  const env = { ...process.env, DISK: 'none', ACCEL: 'tcg', APPEND: `job=${job}` };
  const { stdout } = spawnSync('out/yaos', ['run', '--kernel'], { encoding: 'utf8', env });
  const [place] = linesWith('kernel/jobs/fault.ts', text);
  const line = place!.split(':')[1]!;
  const source = readFileSync(join(root, 'kernel/jobs/fault.ts'), 'utf8').split('\n')[Number(line) - 1]!;
  const column = source.indexOf(text) + 1;
  const [head, shown, caret] = stdout.trimEnd().split('\n').slice(-4);
  expect(head).toMatch(`${place}:${column}: `);
  expect(shown).toBe(`${line} | ${source}`);
  expect(caret).toBe(`${' '.repeat(line.length + 1)}| ${' '.repeat(column - 1)}^`);
});

test('on another CPU', async () => {
  const lines = await panic('job=fault-division cpu=1');
  expect(lines[1]).toBe('panic: thread job, CPU 1');
  const [division] = linesWith('kernel/jobs/fault.ts', '1000 / divisor');
  expect(lines).toContain(`panic: #0 divisionFault (${division})`);
});

test('job=fault-copy: a bulk operator is assembly, and its caller is named', async () => {
  const lines = await panic('job=fault-copy');
  expect(lines[0]).toBe('panic: out of bounds memory access at 0x00000000');
  const calls = lines.filter((line) => line.startsWith('panic: #'));
  expect(calls[0]).toMatch(/^panic: #0 assembly at 0xffffffff[0-9a-f]{8}$/);
  const [copy] = linesWith('kernel/jobs/fault.ts', 'memory.copy(');
  expect(calls[1]).toBe(`panic: #1 copyFault (${copy})`);
  expect(calls.at(-1)).toMatch(/assembly at/);
});

test('job=fault-arguments: calls with arguments on the stack are unwound', async () => {
  const calls = (await panic('job=fault-arguments')).filter((line) => line.startsWith('panic: #'));
  const names = calls.map((line) => line.replace(/^panic: #\d+ /, '').replace(/ .*/, ''));
  const [even, odd] = ['argumentsFault', 'manyArguments'];
  expect(names.slice(0, 5)).toEqual([even, odd, even, odd, even]);
  expect(names).toContain('thread_main');
});

test('the stack is unwound to its beginning', async () => {
  const calls = (await panic('job=fault-assert')).filter((line) => line.startsWith('panic: #'));
  const names = calls.map((line) => line.replace(/^panic: #\d+ /, '').replace(/ .*/, ''));
  expect(names.slice(0, 3)).toEqual(['panic', 'abort', 'assertFault']);
  expect(names).toContain('thread_main');
  expect(calls.at(-1)).toMatch(/^panic: #\d+ assembly at 0xffffffff[0-9a-f]{8}$/);
  const [assertion] = linesWith('kernel/jobs/fault.ts', "'job=fault-assert'");
  expect(calls[2]).toContain(`(${assertion})`);
});

test('an assertion says where it is', async () => {
  const [assertion] = linesWith('kernel/jobs/fault.ts', "'job=fault-assert'");
  expect((await panic('job=fault-assert'))[0]).toBe(`panic: job=fault-assert (${assertion})`);
});

test('rings of a trace that do not fit into RAM are made smaller', async () => {
  const options = { SMP: '8', MEM: '96M', DISK: bench.disk().path, APPEND: 'trace=1048576' };
  const { failure, lines } = await bench.boot(options);
  expect(failure, lines.join('\n')).toBeNull();
  expect(lines.join('\n')).toMatch(
    /^trace: the last 262144 events of each CPU: for 1048576 there must be 256 MiB of free RAM, there are \d+ KiB$/m,
  );
});

test('an unknown job', async () => {
  expect((await panic('job=what'))[0]).toBe('panic: unknown job');
});

test.each(['pc', 'q35'])('panic=1 resets a %s, with its report before', async (MACHINE) => {
  const outcome = await bench.boot({ MACHINE, DISK: 'none', APPEND: 'job=fault-division panic=1' }, true);
  expect(outcome.status, outcome.stderr).toBe(0); // what QEMU does with a reset is to end
  expect(outcome.failure).toBe('panicked: integer divide by zero');
  expect(outcome.lines.at(-1)).toBe('panic: reset in 1 s');
});

test('panic=halt leaves the machine as it is', async () => {
  const outcome = await bench.boot({ DISK: 'none', APPEND: 'job=fault-division panic=halt' }, true, 3000);
  expect(outcome.status).toBeNull();
  expect(outcome.lines.at(-1)).toMatch(/^panic: /);
});
