// What the kernel records on the machine in Node: the model itself, which knows what it was asked for, is the judge.

import { expect, test } from 'vitest';
import { chromeTrace } from '../../build/trace/chrome.ts';
import {
  type CpuTrace,
  KINDS,
  type Memory,
  type Recording,
  readRecording,
} from '../../build/trace/memory.ts';
import { phasesOf, phaseTable } from '../../build/trace/phases.ts';
import { traceFile } from '../../build/trace/run.ts';
import { loadKernel, Machine, type MachineOptions, type Result, VirtioBlk } from '../../machine/index.ts';
import { checkTraceFile } from './check.ts';

const kernel = await loadKernel();
const disk = new Uint8Array(64 * 512).map((_, i) => i & 0xff);

interface Run {
  result: Result;
  recording: Recording;
  requests: number;
  interrupts: { cpu: number; vector: number }[];
}

function record(commandLine: string, options: MachineOptions = {}): Run {
  const interrupts: Run['interrupts'] = [];
  const trace = { interrupt: (cpu: number, vector: number) => void interrupts.push({ cpu, vector }) };
  const pc = new Machine({ memory_mib: 32, commandLine, trace, ...options });
  const blk = new VirtioBlk(disk);
  pc.pci.add(blk, { slot: 4 });
  const result = pc.run(kernel);
  const recording = readRecording(memoryOf(pc.ram.bytes))!;
  return { result, recording, requests: blk.requests.length, interrupts };
}

function memoryOf(bytes: Uint8Array): Memory {
  return { read: (address, count) => bytes.subarray(address, address + count) };
}

function count(cpus: CpuTrace[], kind: number): number {
  return cpus.reduce((sum, { events }) => sum + events.filter((event) => event.kind === kind).length, 0);
}

test('two CPUs, with all that happens on them', () => {
  const { result, recording, requests, interrupts } = record('repeat=20 cpu=1 trace=8192', { cpus: 2 });
  expect(result.end, result.lines.join('\n')).toBe('off');
  const { cpus, name } = recording;
  expect(cpus.map(({ cpu, lost }) => [cpu, lost])).toEqual([
    [0, 0],
    [1, 0],
  ]);
  for (const { cpu, events } of cpus) {
    const times = events.map(({ ticks }) => ticks);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const handled = events.filter(({ kind }) => kind === KINDS.interrupt).map(({ first }) => first);
    expect(handled).toEqual(interrupts.filter((i) => i.cpu === cpu).map(({ vector }) => vector));
  }
  expect(requests).toBe(22);
  expect(count(cpus, KINDS.submit)).toBe(requests);
  expect(count(cpus, KINDS.complete)).toBe(requests);
  const runs = cpus[1].events.filter(({ kind }) => kind === KINDS.switch).map(({ second }) => name(second));
  expect(new Set(runs)).toEqual(new Set(['idle', 'job']));
});

test('the file is in the format, and an arrow leads from the interrupt to the thread', () => {
  const { recording } = record('repeat=20 cpu=1 trace=8192', { cpus: 2 });
  const trace = chromeTrace(recording);
  const events = checkTraceFile(traceFile(recording, trace));
  const requests = events.filter(({ cat }) => cat === 'request');
  expect(requests.filter(({ ph }) => ph === 'b').map(({ id }) => id)).toEqual(
    requests.filter(({ ph }) => ph === 'e').map(({ id }) => id),
  );
  expect(requests[0].name).toBe('virtio-blk 0000:00:04.0 queue 0');
  expect([trace.unanswered, trace.unasked]).toEqual([0, 0]);
  const interrupts = events.filter(
    ({ cat, name }) => cat === 'interrupt' && name.startsWith('0000:00:04.0 '),
  );
  const fromInterrupt = events.filter(
    ({ ph, tid, ts }) =>
      ph === 's' && interrupts.some((i) => i.tid === tid && i.ts! <= ts! && ts! <= i.ts! + i.dur!),
  );
  const ends = events.filter(({ ph, id }) => ph === 'f' && fromInterrupt.some((start) => start.id === id));
  expect(ends.length).toBeGreaterThanOrEqual(20);
  expect(new Set(ends.map(({ tid }) => tid))).toEqual(new Set([1]));
});

test('tasklets, and the timer behind them', () => {
  const { result, recording } = record('job=threads threads=8 rounds=20 trace=8192', { cpus: 2 });
  expect(result.end, result.lines.join('\n')).toBe('off');
  const { cpus } = recording;
  expect(count(cpus, KINDS.tasklet)).toBeGreaterThan(0);
  expect(count(cpus, KINDS.taskletEnd)).toBe(count(cpus, KINDS.tasklet));
  const events = checkTraceFile(traceFile(recording, chromeTrace(recording)));
  const tasklets = events.filter(({ cat }) => cat === 'tasklet');
  const woken = events.filter(
    ({ ph, tid, ts }) =>
      ph === 's' && tasklets.some((t) => t.tid === tid && t.ts! <= ts! && ts! <= t.ts! + t.dur!),
  );
  expect(woken.length).toBeGreaterThan(0);
});

test('a ring keeps the last events and counts those before', () => {
  const [all, some] = ['4096', '64'].map((size) => record(`repeat=20 trace=${size}`).recording.cpus[0]);
  const what = ({ events }: CpuTrace) => events.map(({ kind, first, second }) => [kind, first, second]);
  expect(all.lost).toBe(0);
  expect(some.events.length).toBe(64);
  expect(some.lost).toBe(all.events.length - 64);
  expect(what(some).map(([kind]) => kind)).toEqual(
    what(all)
      .map(([kind]) => kind)
      .slice(-64),
  );
});

test('a part of a trace makes a file in the format too', () => {
  const { recording } = record('repeat=20 trace=33', { cpus: 2, seed: 5 });
  expect(recording.cpus[0].events.length).toBe(32);
  checkTraceFile(traceFile(recording, chromeTrace(recording)));
});

test('a ring that does not fit is made smaller, with a line', () => {
  const { recording, result } = record('trace=1048576', { cpus: 4 });
  expect(result.end, result.lines.join('\n')).toBe('off');
  const line =
    /^trace: the last (\d+) events of each CPU: for 1048576 there must be 128 MiB of free RAM, there are (\d+) KiB$/m;
  const [, events, free_kib] = line.exec(result.lines.join('\n')) ?? [];
  // The largest power of two of which four take at most half.
  const bytes = Number(events) * 16 * 4;
  expect(bytes).toBeLessThanOrEqual(Number(free_kib) * 512);
  expect(2 * bytes).toBeGreaterThan(Number(free_kib) * 512);
  expect(recording.cpus.length).toBe(4);
  expect(recording.cpus[0].lost).toBe(0);
});

test('without trace= there are only the phases of the boot', () => {
  const { recording, result } = record('');
  expect(recording.cpus).toEqual([]);
  expect(recording.lostPhases).toBe(0);
  const end = recording.phases.at(-1)!.ticks;
  const phases = phasesOf(recording, end);
  expect(phases.map(({ name }) => name)).toContain('PCI scan');
  const devices = phases.find(({ name }) => name === 'devices')!;
  expect(devices.parts.map(({ name }) => name)).toEqual(['virtio-blk 0000:00:04.0']);
  for (const [i, phase] of phases.entries()) if (i > 0) expect(phase.start_ms).toBe(phases[i - 1].end_ms);
  expect(phases.at(-1)!.end_ms).toBeLessThanOrEqual(result.time_ns / 1e6);
  const times = phaseTable(phases)
    .filter((line) => /^ {2}\w.* %$/.test(line))
    .map((line) => Number(/([\d.]+) ms/.exec(line)![1]));
  expect(times.length).toBeGreaterThan(8);
  expect(times).toEqual(times.toSorted((a, b) => b - a));
});

test('what came before a panic is there', () => {
  const { result, recording } = record('job=fault-memory cpu=1 trace=256', { cpus: 2 });
  expect(result.end).toBe('panic');
  const { second } = recording.cpus[1].events.findLast(({ kind }) => kind === KINDS.switch)!;
  expect(recording.name(second)).toBe('job');
  checkTraceFile(traceFile(recording, chromeTrace(recording)));
});

test('a request without an answer stays open', () => {
  const pc = new Machine({ memory_mib: 32, commandLine: 'trace=1024 wait_ms=10 attempts=1' });
  class Silent extends VirtioBlk {
    override serve(): void {}
  }
  pc.pci.add(new Silent(disk), { slot: 4 });
  pc.run(kernel);
  const recording = readRecording(memoryOf(pc.ram.bytes))!;
  const trace = chromeTrace(recording);
  expect(trace.unanswered).toBeGreaterThan(0);
  checkTraceFile(traceFile(recording, trace));
});

test('memory that holds anything is no reason to fail', () => {
  const bytes = new Uint8Array(16 * 2 ** 20).fill(0xff);
  expect(readRecording(memoryOf(bytes))).toBeUndefined();
  bytes.set(Buffer.from('ystrace2'), 0x80_1240);
  const recording = readRecording(memoryOf(bytes))!;
  expect(recording.cpus).toEqual([]);
  expect(recording.phases.length).toBe(96);
  expect(recording.name(0xffff_ffff)).toBe('?');
  chromeTrace(recording);
});
