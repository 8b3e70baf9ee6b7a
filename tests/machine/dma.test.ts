// Devices are told of memory for devices only: each address in a ring, a table or a queue's registers, and each access that a device makes, lies in
// frames that a driver has allotted and not given back, never in objects, static data, the image or what was never allotted.

import { describe, expect, test } from 'vitest';
import {
  Edu,
  intercept,
  Machine,
  type MachineOptions,
  PciBridge,
  VirtioBalloon,
  VirtioBlk,
  VirtioConsole,
  VirtioDevice,
  VirtioNet,
  VirtioRng,
} from '../../machine/index.ts';
import { hasStaticData } from '../kernel/segments.ts';
import { commandLine } from './trace.ts';
import { TALKS, udp } from './wire.ts';
import { loadWitnessed, PAGE_BYTES, Witness } from './witness.ts';

const kernel = await loadWitnessed();
const DISK = new Uint8Array(64 * 512).map((_, i) => i & 0xff);
const TRACE = commandLine({ seed: 1, requests: 300, depth: 8, blocks: 2, writes: 40 });

type Card = VirtioDevice | Edu;

function witnessed(
  cards: Card[],
  options: MachineOptions,
  prepare?: (pc: Machine, witness: Witness) => void,
) {
  const witness = new Witness();
  const { imports, trace } = witness;
  const pc = new Machine({ memory_mib: 64, ...options, imports, trace });
  prepare?.(pc, witness);
  for (const [i, card] of cards.entries()) {
    pc.pci.add(card, { slot: 4 + i });
    if (card instanceof VirtioDevice) witness.watch(card);
  }
  const result = pc.run(kernel);
  expect(result.end, result.lines.join('\n')).toBe('off');
  return { witness, ...result };
}

function talker(): VirtioNet {
  const frames = [...TALKS.map(({ frame }) => frame), udp(Buffer.from('enough\n'))];
  const peer = (_frame: Uint8Array, self: VirtioNet) => {
    if (self.sent.length === 1) for (const frame of frames) self.receive(frame);
  };
  return new VirtioNet({ peer });
}

function typist(): VirtioConsole {
  const output = (_text: string, self: VirtioConsole) => {
    if (self.text.endsWith('waits for input\r\n')) self.receive('hello\r\x04');
  };
  return new VirtioConsole({ output });
}

const CASES: [string, () => Card[], MachineOptions][] = [
  ['a disk, split ring', () => [new VirtioBlk(DISK.slice(), {})], { commandLine: TRACE }],
  ['a disk, packed ring', () => [new VirtioBlk(DISK.slice(), { packed: true })], { commandLine: TRACE }],
  ['a disk, no tables', () => [new VirtioBlk(DISK.slice(), { indirect: false })], { commandLine: TRACE }],
  ['a disk, legacy', () => [new VirtioBlk(DISK.slice(), { modern: false })], { commandLine: TRACE }],
  [
    'a disk and four CPUs',
    () => [new VirtioBlk(DISK.slice(), {})],
    { commandLine: 'job=blkverify', cpus: 4 },
  ],
  ['a network interface', () => [talker()], { commandLine: 'job=net stop=enough' }],
  ['a console', () => [typist()], { commandLine: 'console=virtio job=console' }],
  ['random numbers', () => [new VirtioRng({})], { commandLine: 'job=rng bytes=5000' }],
  ['edu', () => [new Edu()], { commandLine: 'job=edu n=5' }],
];

describe('told of its own memory only:', () => {
  test.each(CASES)('%s', (_, cards, options) => {
    const { witness, lines } = witnessed(cards(), options);
    expect(witness.complaints, lines.join('\n')).toEqual([]);
    const devices = [...witness.reached.keys()].filter((name) => name !== 'fw_cfg');
    expect(devices).toHaveLength(1);
    if (!options.commandLine!.includes('edu')) expect(witness.told.get(devices[0])).toBeGreaterThan(10);
  });
});

test.each<[string, VirtioDevice, string]>([
  ['a disk', new VirtioBlk(DISK.slice(), {}), TRACE],
  ['a disk, packed ring', new VirtioBlk(DISK.slice(), { packed: true }), TRACE],
  ['a disk, legacy', new VirtioBlk(DISK.slice(), { modern: false }), TRACE],
  ['a network interface', talker(), 'job=net stop=enough'],
])('on virtio-mmio: %s', (_, device, commandLine) => {
  const { witness, lines } = witnessed([], { machine: 'microvm', commandLine }, (pc, witness) => {
    pc.mmio.add(device);
    witness.watch(device);
  });
  expect(witness.complaints, lines.join('\n')).toEqual([]);
  expect([...witness.told.values()]).toEqual([expect.any(Number)]);
  expect([...witness.told.values()][0]).toBeGreaterThan(10);
});

describe.each([
  ['given free when asked', true],
  ['pulled out', false],
])('a card, %s', (_, asked) => {
  test.each<[string, () => VirtioDevice, string]>([
    ['a disk', () => new VirtioBlk(DISK.slice(), { latency_ns: 50_000 }), 'bench 16 1000000'],
    [
      'a disk, packed ring',
      () => new VirtioBlk(DISK.slice(), { latency_ns: 50_000, packed: true }),
      'bench 16 1000000',
    ],
    ['random numbers', () => new VirtioRng({}), 'mem'],
    ['a network interface', () => new VirtioNet({}), 'mem'],
    ['a balloon', () => new VirtioBalloon({}), 'mem'],
    ['a console', () => new VirtioConsole({}), 'mem'],
  ])('that comes twice: %s', (_, make, command) => {
    const port = new PciBridge('pcie-root-port');
    const { witness, lines } = witnessed([], { machine: 'q35', commandLine: 'job=shell' }, (pc, witness) => {
      pc.pci.add(port, { slot: 6 });
      const at = (ms: number, act: () => void) => pc.clock.schedule(ms * 1e6, act);
      for (const ms of [100, 1100]) {
        const device = make();
        witness.watch(device);
        at(ms, () => void pc.pci.add(device, { bridge: port }));
        at(ms + 400, () => pc.serial.receive(`${command}\r`));
        at(ms + 420, () => (asked ? pc.pci.release(device.toPci(true)) : pc.pci.pull(device.toPci(true))));
      }
      at(2100, () => pc.serial.receive('poweroff\r'));
    });
    expect(witness.complaints, lines.join('\n')).toEqual([]);
    const ends = lines.filter((line) => / 0000:01:00\.0: (detached|has gone)$/.test(line));
    expect(ends, lines.join('\n')).toHaveLength(2);
    expect(witness.told.get('0000:01:00.0')).toBeGreaterThanOrEqual(8); // two rings, of three parts, and buffers
  });
});

test("a balloon: what it has is no longer anybody else's", () => {
  const balloon = new VirtioBalloon({});
  const { witness, lines } = witnessed([balloon], { commandLine: 'job=balloon changes=2' }, (pc) => {
    pc.clock.schedule(50_000_000, () => balloon.want(500));
    pc.clock.schedule(90_000_000, () => balloon.want(20));
  });
  expect(witness.complaints, lines.join('\n')).toEqual([]);
  expect(witness.told.size).toBe(1);
});

test('the host, by fw_cfg: pages that nothing else is in', () => {
  const { witness } = witnessed([], { commandLine: 'job=none', loaderLine: 'nothing=1' });
  expect(witness.reached.get('fw_cfg')).toBeGreaterThan(3);
  const [start, end] = witness.fixedPages;
  expect(end - start).toBe(2 * 4096);
  expect(hasStaticData(start, end)).toBe(false);
});

test('the hypervisor, by kvmclock: a page that nothing else is in, and none any more afterwards', () => {
  const written: bigint[] = [];
  witnessed([], { kvmclock: true, commandLine: 'job=none' }, (pc) => {
    intercept(pc.kvmclock, 'write', (write) => (value, tsc) => {
      written.push(value);
      write(value, tsc);
    });
  });
  const [told, last] = written.map(Number) as [number, number];
  const start = told - 1; // bit 0 enables
  expect(start % PAGE_BYTES).toBe(0);
  expect(hasStaticData(start, start + PAGE_BYTES)).toBe(false);
  expect([written.length, last]).toEqual([2, 0]);
});
