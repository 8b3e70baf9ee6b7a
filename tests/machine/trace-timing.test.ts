// The trace on the machine in Node with a device whose timing varies: requests complete in any order, interrupts are taken
// late, and the device may look for requests before it is notified. Data and, where the device waits to be notified, the
// number of kicks and interrupts do not depend on any of that; and no completion is ever missed, also where the driver keeps
// the device busy and wants to hear of every one, which is how it reads what is too long for a request.

import { expect, test } from 'vitest';
import { type BlkRequest, Machine, VirtioBlk, type VirtioBlkOptions } from '../../machine/index.ts';
import { generator } from '../kernel/random.ts';
import { addressOf, dumpsOf, hexDump } from '../qemu/machine.ts';
import { expectedOf, replay, type Words } from './trace.ts';
import { checkData, checkNumbers, runModel, told } from './trace-run.ts';

const SECTORS = 512;
const DELAY_NS_MAX = 100_000;
/** Some accesses of the driver, so that the device looks in the midst of a batch. */
const POLL_NS_MAX = 8000;

const seed = Number(process.env.YAOS_SEED ?? 1);
const image = new Uint8Array(SECTORS * 512).map((_, i) => (i * 7 + (i >> 9)) & 0xff);

class UnrulyBlk extends VirtioBlk {
  private readonly random: (below: number) => number;
  private readonly polls: boolean;

  constructor(disk: Uint8Array, options: VirtioBlkOptions, seed: number, polls: boolean) {
    super(disk, { ...options, latency_ns: 0 });
    this.random = generator(seed);
    this.polls = polls;
  }

  override setStatus(value: number): void {
    const started = value & ~this.status & 4;
    super.setStatus(value);
    if (this.polls && started) this.poll();
  }

  override finish(request: BlkRequest): void {
    const delay_ns = this.random(3) === 0 ? 0 : this.random(DELAY_NS_MAX);
    this.transport.clock.schedule(delay_ns, () => super.finish(request));
  }

  private poll(): void {
    this.transport.clock.schedule(this.random(POLL_NS_MAX), () => {
      this.serve(this.queues[0]!);
      this.poll();
    });
  }
}

const variants = [true, false].flatMap((eventIndex) =>
  [true, false].flatMap((indirect) =>
    [false, true].flatMap((polls) =>
      [false, true].map((packed) => ({ eventIndex, indirect, polls, packed })),
    ),
  ),
);
test.each(variants)('%o', async ({ polls, ...options }) => {
  for (let run = 0; run < 5; run++) {
    const words: Words = { seed: seed + run * 2, requests: 1000, depth: 24, blocks: 3, writes: 30 };
    const expected = expectedOf(replay(image, words, 1), words, {
      queueSize: 256,
      indirect: options.indirect,
      events: options.eventIndex,
      packed: options.packed,
    });
    const disk = image.slice();
    const device = new UnrulyBlk(disk, options, words.seed, polls);
    const outcome = await runModel(device, disk, words, { seed: words.seed });
    checkData(outcome, expected);
    if (!polls) checkNumbers(outcome, expected);
    // A device that has seen all of a batch needs no kick; one that has used some of it early interrupts for that.
    expect(told(outcome).kicks).toBe(outcome.kicks);
    expect(outcome.kicks).toBeLessThanOrEqual(expected.kicks);
    expect(outcome.interrupts).toBeGreaterThanOrEqual(expected.interrupts);
  }
});

test.each([false, true])('long reads in many requests, with polls: %s', async (polls) => {
  const disk = image.slice();
  const device = new UnrulyBlk(disk, { sizeMax: 2048, segMax: 1 }, seed, polls);
  const machine = new Machine({ seed, commandLine: `sector=0 count=${SECTORS} repeat=30` });
  machine.pci.add(device, { slot: 4 });
  const { lines } = await machine.boot();
  expect(lines.at(-1), lines.slice(-12).join('\n')).toBe('yaos: done');
  expect(device.requests.length).toBe((30 + 2) * (SECTORS / 4));
  for (const dump of dumpsOf(lines, image.length))
    expect(dump).toEqual(hexDump(Buffer.from(image), addressOf(dump)));
});
