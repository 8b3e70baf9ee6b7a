// Profiles of machines in QEMU: a hot loop is found where it is, and every sample is unwound to where its stack begins.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { root } from '../../build/paths.ts';
import { runProfiled } from '../../build/profile/run.ts';
import { FROM_KERNEL, QEMU, qemuArguments, SOCKET_FD } from '../../build/qemu/command.ts';
import { openDisk } from '../../build/qemu/disk.ts';
import { parseOptions, type Variables } from '../../build/qemu/options.ts';
import { Workbench } from '../qemu/machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());
const RUN_MS_MAX = 60_000;

interface Speedscope {
  $schema: string;
  shared: { frames: { name: string; file?: string; line?: number }[] };
  profiles: {
    type: string;
    name: string;
    unit: string;
    startValue: number;
    endValue: number;
    samples: number[][];
    weights: number[];
  }[];
}

async function profile(variables: Variables) {
  const options = parseOptions({ DISK: bench.disk().path, ...variables, ACCEL: 'tcg' });
  const args = qemuArguments({ options, disk: openDisk(options.disk), accel: 'tcg', from: FROM_KERNEL });
  const boot = (more: string[], attend: (socket: Socket) => void) =>
    new Promise<number>((resolve) => {
      const stdio = ['ignore', 'ignore', 'inherit', 'pipe'] as const;
      const qemu = spawn(QEMU, [...args, ...more], { stdio: [...stdio] });
      const timer = setTimeout(() => qemu.kill('SIGKILL'), RUN_MS_MAX);
      qemu.on('close', (status) => {
        clearTimeout(timer);
        resolve(status ?? -1);
      });
      attend(qemu.stdio[SOCKET_FD] as Socket);
    });
  const said: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((line: string) => void said.push(line));
  try {
    const status = await runProfiled(options.append, boot, bench.directory);
    const read = (name: string) => readFileSync(join(bench.directory, name), 'utf8');
    const speedscope: Speedscope = JSON.parse(read('profile.speedscope.json'));
    return {
      status,
      said,
      speedscope,
      summary: JSON.parse(read('profile.json')),
      page: read('profile.html'),
    };
  } finally {
    log.mockRestore();
  }
}

/** https://www.speedscope.app/file-format-schema.json, for the "sampled" kind. */
function checkSpeedscope({ $schema, shared, profiles }: Speedscope): void {
  expect($schema).toBe('https://www.speedscope.app/file-format-schema.json');
  for (const { name, line } of shared.frames) {
    expect(typeof name).toBe('string');
    if (line !== undefined) expect(Number.isInteger(line)).toBe(true);
  }
  for (const { type, unit, startValue, endValue, samples, weights } of profiles) {
    expect([type, unit, startValue]).toEqual(['sampled', 'milliseconds', 0]);
    expect(samples.length).toBe(weights.length);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(endValue, 3);
    for (const stack of samples) {
      expect(stack.length).toBeGreaterThan(0);
      for (const frame of stack) expect(shared.frames[frame]).toBeDefined();
    }
  }
}

function stacksOf({ shared, profiles }: Speedscope): string[][] {
  return profiles.flatMap(({ samples }) => samples.map((stack) => stack.map((i) => shared.frames[i]!.name)));
}

test('a hot loop comes out on top, with its function, file and line; the other CPU is idle', async () => {
  const { status, said, speedscope, summary, page } = await profile({ SMP: '2', APPEND: 'job=memory' });
  expect(status, said.join('\n')).toBe(0);
  checkSpeedscope(speedscope);
  const [hot] = summary.functions;
  expect(hot.name).toBe('kernel/jobs/memory/fill');
  expect(hot.file).toBe('kernel/jobs/memory.ts');
  const source = readFileSync(join(root, hot.file), 'utf8').split('\n');
  expect(source[hot.line - 1]).toMatch(/for \(|store/);
  expect(said[1]).toMatch(
    new RegExp(`^ +\\d+\\.\\d % +\\d+\\.\\d %  fill \\(kernel/jobs/memory.ts:${hot.line}\\)$`),
  );
  expect(page).toContain(`kernel/jobs/memory.ts:${hot.line}`);
  expect(page).not.toMatch(/https?:|\b(src|href|import)\b *[=(]/); // all of it is in the one file
  const [first, second] = speedscope.profiles;
  const frames = speedscope.shared.frames.map(({ name }) => name);
  const calls = first!.samples
    .map((stack) => stack.map((i) => frames[i]))
    .find((stack) => stack.at(-1) === 'fill')!;
  expect(calls.slice(0, 2)).toEqual(['thread_start', 'thread_main']);
  expect(calls.join(' > ')).toMatch(
    / > MainProgram#run > (.* > )?runJob > (.* > )?memoryJob > (.* > )?fill$/,
  );
  const idle = second!.samples.filter((stack) => frames[stack[0]!] === '(idle)').length;
  expect(idle).toBeGreaterThan(second!.samples.length * 0.8);
  expect(summary.idle).toBeGreaterThanOrEqual(idle);
  const byAddress: number[] = Object.values(summary.addresses);
  expect(byAddress.reduce((sum, count) => sum + count, 0) + summary.idle).toBe(summary.samples);
});

test('through interrupts and switches, to where each stack begins', async () => {
  const APPEND = 'job=threads threads=16 rounds=8000';
  const { status, said, speedscope } = await profile({ SMP: '3', APPEND });
  expect(status, said.join('\n')).toBe(0);
  checkSpeedscope(speedscope);
  expect(speedscope.profiles.map(({ name }) => name)).toEqual(['CPU 0', 'CPU 1', 'CPU 2']);
  const stacks = stacksOf(speedscope).filter(([outermost]) => outermost !== '(idle)');
  const roots = new Set(stacks.map(([outermost]) => outermost));
  expect([...roots].filter((name) => !['start', 'thread_start', 'ap_start'].includes(name!))).toEqual([]);
  const interrupted = stacks.filter((stack) => stack.some((name) => name.startsWith('interrupt_')));
  expect(interrupted.length).toBeGreaterThan(0);
});

test('a panic is profiled too', async () => {
  const { status, speedscope } = await profile({ APPEND: 'job=fault-stack' });
  expect(status).toBe(35);
  checkSpeedscope(speedscope);
});
