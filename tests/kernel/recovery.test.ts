// A disk whose queue is silent or broken, with both formats of the ring: the driver takes the queue back, sets it up anew
// (virtio 1.2 §2.6.1) and goes on; or, where the device does not let go, uses nothing of it any more.

import { beforeAll, expect, test } from 'vitest';
import {
  type BlkRequest,
  type Chain,
  type Kernel,
  loadKernel,
  Machine,
  type MaliceName,
  makeHostile,
  VirtioBlk,
  type VirtioBlkOptions,
  type Virtqueue,
} from '../../machine/index.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = await loadKernel();
}, 60_000);

const NAME = 'virtio-blk 0000:00:04.0';
/** When the first request's latency is over. */
const LATE_NS = 70_000_000;
const SECTORS = 64;
const disk = new Uint8Array(SECTORS * 512).map((_, i) => (i * 7 + (i >> 9)) & 0xff);

/** Does wrong by the first requests. */
class Wrong extends VirtioBlk {
  private readonly wrongs: ('silent' | 'late' | 'id' | 'length' | 'asks')[];

  constructor(options: VirtioBlkOptions, wrongs: Wrong['wrongs']) {
    super(disk, { legacy: false, ...options });
    this.wrongs = wrongs;
  }

  override finish(request: BlkRequest): void {
    const [wrong] = this.wrongs;
    if (wrong === 'silent' || wrong === 'late') this.wrongs.shift();
    else super.finish(request);
    // As QEMU 7.2's disks: a request that has begun comes to its end, whatever was reset meanwhile.
    if (wrong === 'late') this.transport.clock.schedule(LATE_NS, () => super.finish(request));
  }

  override complete(queue: Virtqueue, chain: Chain, written: number): void {
    const wrong = this.wrongs.shift();
    if (wrong === 'asks') this.fail();
    else if (wrong === 'id') super.complete(queue, { ...chain, head: 0xfff }, written);
    else if (wrong === 'length') super.complete(queue, chain, written + 1);
    else super.complete(queue, chain, written);
  }
}

function boot(device: VirtioBlk, commandLine: string, malice?: MaliceName, seed = 1) {
  const machine = new Machine({ memory_mib: 16, commandLine: `sector=3 ${commandLine}` });
  machine.pci.add(device, { slot: 4 });
  const attack = malice && makeHostile(machine, device, malice, seed);
  const { end, lines } = machine.run(kernel);
  const said = lines.filter((line) => line.startsWith(NAME)).map((line) => line.slice(NAME.length + 2));
  return { end, lines, said, struck: attack?.acts ?? 0 };
}

/** What the dumps show of the first 16 bytes. */
function firstBytes(lines: string[]): string[] {
  return lines.flatMap((line, i) => (line.startsWith('addr:') ? [lines[i + 1]!.slice(12, 59)] : []));
}
const expectedBytes = Buffer.from(disk.subarray(3 * 512, 3 * 512 + 16))
  .toString('hex')
  .replaceAll(/..(?!$)/g, '$& ');

const formats: [string, VirtioBlkOptions][] = [
  ['split', {}],
  ['packed', { packed: true }],
  ['split, direct', { indirect: false, queueSize: 4 }],
  ['packed, direct', { packed: true, indirect: false, queueSize: 5 }],
  ['split, in order', { inOrder: true }],
  ['packed, in order', { packed: true, inOrder: true }],
];
test.each(formats)('goes on after a reset of the queue: %s', (_, options) => {
  const device = new Wrong(options, ['silent', 'id', 'length', 'silent']);
  const { end, lines, said } = boot(device, 'attempts=5');
  expect(end, lines.join('\n')).toBe('off');
  expect(said.filter((line) => line === 'queue 0 was reset, requests given up: 1')).toHaveLength(4);
  expect(said.filter((line) => line === 'sector 3: no answer in 5000 ms')).toHaveLength(2);
  expect(said.filter((line) => /no such descriptor: used entry with id 4095/.test(line))).toHaveLength(1);
  expect(said.filter((line) => /more bytes than the chain has/.test(line))).toHaveLength(1);
  expect(firstBytes(lines)).toEqual([expectedBytes, expectedBytes]);
});

test('gives up all that is in flight', () => {
  const device = new Wrong({ sizeMax: 512, segMax: 1 }, ['id']);
  const { end, said } = boot(device, 'count=20 attempts=2');
  expect(end).toBe('off');
  expect(said).toContain('queue 0 was reset, requests given up: 20');
});

test('does not reset a queue for a device that has stopped', () => {
  const { end, said } = boot(new Wrong({}, ['asks']), 'attempts=2');
  expect(end).toBe('panic');
  expect(said.join('\n')).toMatch(/needs reset/);
  expect(said).toContain('cannot be used: it still owes an answer');
});

test('cannot reset a queue where the device does not offer it', () => {
  const { end, said } = boot(new Wrong({ ringReset: false }, ['silent']), 'attempts=2');
  expect(end).toBe('panic');
  expect(said).toContain('cannot be used: it still owes an answer');
});

const malices: [MaliceName, 'off' | 'panic', RegExp][] = [
  ['queue reset never done', 'panic', /^does not reset queue 0 in 1000 ms\n[\s\S]*it still owes an answer/m],
  ['queue reset takes its time', 'off', /^queue 0 was reset, requests given up: 1$/m],
  ['queue is never enabled again', 'panic', /^queue 0 was reset[\s\S]*: no answer in 5000 ms$/m],
  [
    'vector refused after the reset of its queue',
    'panic',
    /^refuses the interrupt vector of queue 0 after its/m,
  ],
];
test.each(malices)('%s', (malice, outcome, says) => {
  for (const packed of [false, true]) {
    const device = new VirtioBlk(disk, { legacy: false, packed });
    const { end, lines, said, struck } = boot(device, 'repeat=4 attempts=2', malice);
    expect(struck).toBeGreaterThan(0);
    expect(end, lines.join('\n')).toBe(outcome);
    expect(said.join('\n')).toMatch(says);
  }
});

test.each([false, true])('takes no late answer for another one, packed: %s', (packed) => {
  // The first request's answer comes while the second is in flight.
  const device = new Wrong({ packed, latency_ns: 40_000_000 }, ['late']);
  const { end, lines, said } = boot(device, 'attempts=3 wait_ms=100');
  expect(end, lines.join('\n')).toBe('off');
  expect(said).toContain('sector 3: no answer in 100 ms');
  expect(said.join('\n')).toMatch(/descriptor not in flight: used entry/);
  expect(said.filter((line) => line === 'queue 0 was reset, requests given up: 1')).toHaveLength(2);
  expect(firstBytes(lines)).toEqual([expectedBytes, expectedBytes]);
});
