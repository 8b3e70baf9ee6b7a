// One request trace through every kind of ring, in the model and in QEMU: the same requests in the same order, the same data,
// and exactly the notifications and interrupts that virtio 1.2 §2.7.7 and §2.7.10 make necessary, past the wrap of the
// 16-bit indices. Who expects what is in trace.ts; kicks and interrupts are counted by QEMU's trace and by the model's hooks.

import { copyFileSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { VirtioBlk, type VirtioBlkOptions } from '../../machine/index.ts';
import { Workbench } from '../qemu/machine.ts';
import { commandLine, type Expected, expectedOf, type Replay, replay, type Words } from './trace.ts';
import { checkData, checkNumbers, type Run, runModel, told } from './trace-run.ts';

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

const packed: Variant = { name: 'packed', blk: ['packed=on'], options: { packed: true } };
const rings: Variant[] = [
  { name: 'split, modern', blk: ['disable-legacy=on'], options: { legacy: false } },
  { name: 'split, legacy', blk: ['disable-modern=on'], options: { modern: false } },
  packed,
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

const every = product(rings, chains, events);
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
  ...product([packed], [small, { name: 'a ring of 4', blk: ['queue-size=4'], options: { queueSize: 4 } }]),
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
const few: Words = { ...single, requests: 10_000 };

function expectation({ options }: Pick<Variant, 'options'>, words: Words): Expected {
  return expectedOf(replayOf(words, (options.blockSize ?? 512) / 512), words, {
    queueSize: options.queueSize ?? QUEUE_SIZE,
    indirect: options.indirect ?? true,
    events: options.eventIndex ?? true,
    packed: options.packed,
    inOrder: options.inOrder,
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

let runs = 0;

async function runQemu(blk: string[], words: Words, objects = ''): Promise<Run> {
  const path = `${bench.directory}/${bench.seed}-${runs++}.img`;
  copyFileSync(original.path, path);
  // `yaos run` keeps its disk as it is; this one is to be written.
  const device = ['virtio-blk-pci', 'drive=extra', 'addr=4', ...blk].join(',');
  const QEMUEXTRA = `${objects} -drive if=none,id=extra,format=raw,file=${path} -device ${device}`;
  const outcome = await bench.boot(
    { DISK: 'none', SMP: '1', QEMUEXTRA, APPEND: commandLine(words) },
    true,
    RUN_MS_MAX,
  );
  return { ...outcome, disk: readFileSync(path) };
}

/** Each notification is served within the access: QEMU makes none of its own and counts all. */
const COUNTED = 'ioeventfd=off';

/** What the device said of itself, and the trace. */
function logged({ lines }: Run, { interrupts, taken_min }: Expected): string[] {
  const log = lines.filter((line) => /^(virtio-blk|trace|yaos)/.test(line));
  return taken_min === interrupts ? log : log.filter((line) => !line.startsWith('trace: kicks'));
}

async function compare(variant: Variant, words: Words): Promise<void> {
  const expected = expectation(variant, words);
  const disk = Buffer.from(image);
  const device = new VirtioBlk(disk, variant.options);
  const blk = [...variant.blk, COUNTED];
  const [qemu, model] = await Promise.all([runQemu(blk, words), runModel(device, disk, words)]);
  for (const run of [model, qemu]) {
    checkData(run, expected);
    checkNumbers(run, expected);
  }
  expect(logged(qemu, expected)).toEqual(logged(model, expected));
}

describe.each([
  [`${deep.requests} requests, up to ${deep.depth} in flight`, deep, every],
  [`${single.requests} requests, one at a time`, single, [every[0]!, every[5]!]],
  [`${few.requests} requests, one at a time`, few, [every[9]!, every[10]!]],
  [`${short.requests} requests, up to ${short.depth} in flight`, short, special],
])('%s', (_, words, variants) => {
  test.each(variants)('$name', (variant) => compare(variant, words), RUN_MS_MAX);
});

// What QEMU 7.2 has not: devices that use chains in their order and report them as one, and packed rings whose size is no
// power of two.
describe('the model alone', () => {
  const inOrder = product([{ name: 'IN_ORDER', blk: [], options: { inOrder: true } }], rings, chains, events);
  const odd = [3, 7, 100, 255].flatMap((queueSize) =>
    product([packed], [{ name: `a ring of ${queueSize}`, blk: [], options: { queueSize } }], chains, events),
  );
  const variants = [...inOrder.filter(({ options }) => options.modern !== false), ...odd];
  test.each(variants)('$name', async ({ options }) => {
    const words = options.inOrder && options.indirect === options.eventIndex ? deep : short;
    const expected = expectation({ options }, words);
    const disk = Buffer.from(image);
    const run = await runModel(new VirtioBlk(disk, options), disk, words);
    checkData(run, expected);
    checkNumbers(run, expected);
  });
});

// QEMU's device works beside the CPU: its trace may have two notifications as one, and has one of its own at the start; so
// the driver's number counts. Without EVENT_IDX it reports at once what completes together. An I/O thread looks for requests
// for a while before it waits for a notification, which then is not made.
describe('beside the CPU', () => {
  test.each(events)('an ioeventfd, $name', async ({ blk, options }) => {
    const expected = expectation({ options }, short);
    const run = await runQemu(blk, short);
    checkData(run, expected);
    const { kicks, interrupts } = told(run);
    expect(kicks).toBe(expected.kicks);
    if (options.eventIndex ?? true) expect(run.interrupts).toBe(kicks);
    expect(interrupts).toBeGreaterThanOrEqual(kicks);
    expect(interrupts).toBeLessThanOrEqual(run.interrupts);
  });

  test.each(events)('an I/O thread, $name', async ({ blk, options }) => {
    const expected = expectation({ options }, short);
    const run = await runQemu([...blk, 'iothread=io'], short, '-object iothread,id=io');
    checkData(run, expected);
    const { kicks, interrupts } = told(run);
    expect(kicks).toBeLessThanOrEqual(expected.kicks);
    expect(interrupts).toBeGreaterThanOrEqual(expected.taken_min);
    expect(interrupts).toBeLessThanOrEqual(run.interrupts);
  });
});
