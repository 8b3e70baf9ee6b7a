// One request trace through every kind of ring, in the model and in QEMU: the same requests in the same order, the same data,
// and exactly the notifications and interrupts that virtio 1.2 §2.7.7 and §2.7.10 make necessary, past the wrap of the
// 16-bit indices. Who expects what is in trace.ts; kicks and interrupts are counted by QEMU's trace and by the model's hooks.

import { copyFileSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { Machine, VirtioBlk, type VirtioBlkOptions } from '../../machine/index.ts';
import { type Outcome, Workbench } from '../qemu/machine.ts';
import { commandLine, type Expected, expectedOf, type Replay, replay, type Words } from './trace.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const SECTORS = 2048;
/** More than the indices can count. */
const BEYOND_WRAP = 70_000;
const QUEUE_SIZE = 256;
const RUN_MS_MAX = 120_000;
const original = bench.disk(SECTORS, SECTORS);
const image = readFileSync(original.path);

/** A device, as QEMU's properties say it and as the model's options do. */
interface Variant {
  name: string;
  blk: string[];
  options: VirtioBlkOptions;
}

/** Packed rings join here when the kernel has them. */
const rings: Variant[] = [{ name: 'split', blk: [], options: {} }];
const interfaces: Variant[] = [
  { name: 'modern', blk: ['disable-legacy=on'], options: { legacy: false } },
  { name: 'legacy', blk: ['disable-modern=on'], options: { modern: false } },
];
const chains: Variant[] = [
  { name: 'indirect', blk: [], options: {} },
  { name: 'direct', blk: ['indirect_desc=off'], options: { indirect: false } },
];
const events: Variant[] = [
  { name: 'EVENT_IDX', blk: [], options: {} },
  { name: 'no EVENT_IDX', blk: ['event_idx=off'], options: { eventIndex: false } },
];

/** All combinations. */
function product(...dimensions: Variant[][]): Variant[] {
  return dimensions.reduce((all, dimension) =>
    all.flatMap((one) =>
      dimension.map((other) => ({
        name: `${one.name}, ${other.name}`,
        blk: [...one.blk, ...other.blk],
        options: { ...one.options, ...other.options },
      })),
    ),
  );
}

const every = product(rings, interfaces, chains, events);
const small: Variant = {
  name: 'a ring of 16, direct',
  blk: ['queue-size=16', 'indirect_desc=off'],
  options: { queueSize: 16, indirect: false },
};
const special: Variant[] = [
  small,
  {
    ...small,
    name: `${small.name}, legacy`,
    blk: [...small.blk, 'disable-modern=on'],
    options: { ...small.options, modern: false },
  },
  { name: 'a ring of 1024', blk: ['queue-size=1024'], options: { queueSize: 1024 } },
  {
    name: 'blocks of 4096 bytes',
    blk: ['logical_block_size=4096', 'physical_block_size=4096'],
    options: { blockSize: 4096 },
  },
  { name: 'one vector', blk: ['vectors=1'], options: { vectors: 1 } },
];

const deep: Words = { seed: Number(bench.seed), requests: BEYOND_WRAP, depth: 16, blocks: 2, writes: 30 };
const short: Words = { ...deep, requests: 10_000, depth: 32, blocks: 4 };
const single: Words = { ...deep, depth: 1, blocks: 1 };

function expectation({ options }: Variant, words: Words): Expected {
  return expectedOf(replayOf(words, (options.blockSize ?? 512) / 512), words, {
    queueSize: options.queueSize ?? QUEUE_SIZE,
    indirect: options.indirect ?? true,
    events: options.eventIndex ?? true,
  });
}

/** The same for many variants. */
const replays = new Map<string, Replay>();

function replayOf(words: Words, blockSectors: number): Replay {
  const key = `${commandLine(words)} ${blockSectors}`;
  const found = replays.get(key) ?? replay(image, words, blockSectors);
  replays.set(key, found);
  return found;
}

interface Run extends Pick<Outcome, 'lines' | 'kicks' | 'interrupts' | 'requests'> {
  disk: Uint8Array;
}

async function runModel({ options }: Variant, words: Words): Promise<Run> {
  const counted = { kicks: 0, interrupts: 0 };
  const trace = {
    kick: () => counted.kicks++,
    message: () => counted.interrupts++,
  };
  const pc = new Machine({ commandLine: commandLine(words), trace });
  const disk = Buffer.from(image);
  const device = new VirtioBlk(disk, options);
  pc.pci.add(device, { slot: 4 });
  const { lines } = await pc.boot();
  const requests = device.requests.map(
    ({ type, sector, bytes }) => `${type === 0 ? 'read' : 'write'} ${sector}+${bytes / 512}`,
  );
  return { lines, ...counted, requests, disk };
}

let runs = 0;

async function runQemu({ blk }: Variant, words: Words): Promise<Run> {
  const path = `${bench.directory}/${bench.seed}-${runs++}.img`;
  copyFileSync(original.path, path);
  // `yaos run` keeps its disk as it is; this one is to be written. Without an ioeventfd each notification is one of QEMU's
  // trace: see tests/qemu/configurations.test.ts.
  const device = ['virtio-blk-pci', 'drive=extra', 'addr=4', 'ioeventfd=off', ...blk].join(',');
  const QEMUEXTRA = `-drive if=none,id=extra,format=raw,file=${path} -device ${device}`;
  const outcome = await bench.boot(
    { DISK: 'none', SMP: '1', QEMUEXTRA, APPEND: commandLine(words) },
    true,
    RUN_MS_MAX,
  );
  return { ...outcome, disk: readFileSync(path) };
}

function check(run: Run, expected: Expected): void {
  const log = run.lines.slice(-20).join('\n');
  expect(run.lines.at(-1), log).toBe('yaos: done');
  const lines = run.lines.filter((line) => line.startsWith('trace: '));
  const taken = Number(/\d+$/.exec(lines.at(-1)!)![0]);
  expect([...lines.slice(0, -1), lines.at(-1)!.replace(/\d+$/, '')]).toEqual(expected.lines);
  expect({ kicks: run.kicks, interrupts: run.interrupts }).toEqual({
    kicks: expected.kicks,
    interrupts: expected.interrupts,
  });
  expect(taken).toBeGreaterThanOrEqual(expected.taken_min);
  expect(taken).toBeLessThanOrEqual(expected.interrupts);
  const wrong = expected.requests.findIndex((request, i) => request !== run.requests[i]);
  expect(`request ${wrong}: ${run.requests[wrong]}`).toBe(`request ${wrong}: ${expected.requests[wrong]}`);
  expect(run.requests.length).toBe(expected.requests.length);
  expect(expected.disk.equals(run.disk)).toBe(true);
}

/** What the device said of itself, and the trace. */
function logged({ lines }: Run, { interrupts, taken_min }: Expected): string[] {
  const told = lines.filter((line) => /^(virtio-blk|trace|yaos)/.test(line));
  return taken_min === interrupts ? told : told.filter((line) => !line.startsWith('trace: kicks'));
}

async function compare(variant: Variant, words: Words): Promise<void> {
  const expected = expectation(variant, words);
  const [qemu, model] = await Promise.all([runQemu(variant, words), runModel(variant, words)]);
  check(model, expected);
  check(qemu, expected);
  expect(logged(qemu, expected)).toEqual(logged(model, expected));
}

describe.each([
  [`${deep.requests} requests, up to ${deep.depth} in flight`, deep, every],
  [`${single.requests} requests, one at a time`, single, every.filter((_, i) => i % 5 === 0)],
  [`${short.requests} requests, up to ${short.depth} in flight`, short, special],
])('%s', (_, words, variants) => {
  test.each(variants)('$name', (variant) => compare(variant, words), RUN_MS_MAX);
});
