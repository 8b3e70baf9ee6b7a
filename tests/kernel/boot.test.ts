// The whole kernel, as it is shipped, on the machine in Node with one virtio-blk device: the main job, and each fault that
// a device can make. The real machine is QEMU, in tests/qemu; tests/machine compares the two.

import { beforeAll, expect, test } from 'vitest';
import { type Kernel, loadKernel, Machine, type VirtioBlkOptions } from '../../machine/index.ts';
import { type Faults, FaultyBlk } from './faulty-blk.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = await loadKernel();
}, 60_000);

type Options = VirtioBlkOptions & Faults;

const disk = new Uint8Array(64 * 512).map((_, i) => (i * 7 + (i >> 9)) & 0xff);

function boot(options: Options | null, image = disk, commandLine = '') {
  const machine = new Machine({ memory_mib: 16, commandLine });
  // The queue of 8 entries that each option below is about, unless it says otherwise.
  const device = options && new FaultyBlk(image, { queueSize: 8, legacy: false, ...options });
  if (device) machine.pci.add(device, { slot: 4 });
  const { end, lines, serial } = machine.run(kernel);
  expect(serial).toMatch(/^yaos \d+\.\d+\.\d+\r\n/);
  expect(serial.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  return { end, lines, device: device! };
}

/** Both dumps in the log, as bytes. */
function dumps(lines: string[]): number[][] {
  const all: number[][] = [];
  for (const line of lines) {
    if (line.startsWith('addr:')) all.push([]);
    const hex = /^~[0-9a-f]{8} - ((?:[0-9a-f]{2} ){16})[\x20-\x7e]{16}$/.exec(line)?.[1];
    if (hex)
      all.at(-1)!.push(
        ...hex
          .trim()
          .split(' ')
          .map((byte) => Number.parseInt(byte, 16)),
      );
  }
  return all;
}

const BIT = (n: number) => 1n << BigInt(n);
const configurations: [string, Options][] = [
  ['everything', {}],
  ['no EVENT_IDX', { features: BIT(2) | BIT(28) | BIT(32) }],
  ['no INDIRECT_DESC', { features: BIT(2) | BIT(29) | BIT(32) }],
  ['VERSION_1 alone', { features: BIT(32) }],
  ['all 64 features', { features: (1n << 64n) - 1n, sizeMax: 4096 }],
  ['a queue of 4 and a lying seg_max', { queueSize: 4, segMax: 126 }],
  ['a queue of 1024', { queueSize: 1024 }],
  ['a queue of 32768', { queueSize: 32768 }],
  ['seg_max 0', { segMax: 0 }],
  ['segments of 64 bytes', { sizeMax: 64, queueSize: 16, features: BIT(1) | BIT(2) | BIT(28) | BIT(32) }],
  ['segments of 100 bytes without tables', { sizeMax: 100, features: BIT(1) | BIT(2) | BIT(32) }],
  ['no vector', { vectors: 0 }],
  ['no vector, legacy', { vectors: 0, modern: false, legacy: true, queueSize: 16 }],
  ['one vector', { vectors: 1 }],
  ['refused vectors', { refusesVectors: true }],
  ['refused vectors, legacy', { refusesVectors: true, modern: false, legacy: true, queueSize: 16 }],
];
test.each(configurations)('reads sector 1 twice: %s', (_, options) => {
  const { end, lines, device } = boot(options);
  expect(end, lines.join('\n')).toBe('off');
  const sector = [...disk.subarray(512, 1024)];
  expect(dumps(lines)).toEqual([sector, sector]);
  expect(lines.at(-1)).toBe('yaos: done');
  expect(device.requests.map(({ type, sector }) => ({ type, sector }))).toEqual([
    { type: 0, sector: 1n },
    { type: 0, sector: 1n },
  ]);
  expect(device.kicks).toBe(2);
  expect(
    lines.filter((line) => /interrupt vector 0x[0-9a-f]{2}, ISR status 0x01, CPU 0$/.test(line)),
  ).toHaveLength(2);
  expect(lines.filter((line) => /completion length 513, status 0, thread main$/.test(line))).toHaveLength(2);
});

const long: [string, Options][] = [
  ['at once', {}],
  [
    'in segments of 512 bytes',
    { sizeMax: 512, queueSize: 64, features: BIT(1) | BIT(2) | BIT(28) | BIT(32) },
  ],
  ['sector by sector in a ring of 4', { queueSize: 4, sizeMax: 512, features: BIT(1) | BIT(29) | BIT(32) }],
  ['in blocks of 4096 bytes', { blockSize: 4096 }],
  ['in blocks of 65536 bytes', { blockSize: 65536 }],
];
test.each(long)('reads 300 sectors from 7: %s', (_, options) => {
  const image = new Uint8Array(512 * 512).map((_, i) => (i * 13 + (i >> 9)) & 0xff);
  const { end, lines, device } = boot(options, image, 'sector=7 count=300');
  expect(end, lines.filter((line) => !/^~/.test(line)).join('\n')).toBe('off');
  const bytes = Buffer.from(image.subarray(7 * 512, 307 * 512));
  for (const dump of dumps(lines)) expect(Buffer.from(dump).equals(bytes)).toBe(true);
  expect(Math.max(...device.requests.map(({ segments }) => segments))).toBeLessThanOrEqual(
    options.queueSize ?? 8,
  );
});

test('accepts only what it understands', () => {
  const { device } = boot({ features: (1n << 64n) - 1n });
  const allowed = [1, 2, 4, 5, 6, 9, 10, 11, 12, 13, 14, 28, 29, 32, 33, 34, 35, 36, 40].reduce(
    (sum, bit) => sum | BIT(bit),
    0n,
  );
  expect(device.driverFeatures).toBe(allowed);
});

const faults: [string, Options | null, RegExp, Uint8Array<ArrayBuffer>?][] = [
  ['no disk', null, /^panic: no usable disk/],
  ['a device that never resets', { neverResets: true }, /does not reset: status still 0x40 after 1000 ms/],
  ['refused features', { refusesFeatures: true }, /refuses these features \(FEATURES_OK\)/],
  ['no VERSION_1', { features: BIT(29) }, /does not offer VERSION_1/],
  ['a queue of 3', { queueSize: 3 }, /gives a bad size for queue 0/],
  ['a queue of 2', { queueSize: 2 }, /has too small a queue/],
  [
    'a read error',
    { status: 1 },
    /virtio-blk 0000:00:04.0: read of sector 1 failed: status 1 \(I\/O error\)/,
  ],
  ['an unknown status', { status: 77 }, /failed: status 77 \(unknown\)/],
  ['a short read', { used: (id) => [id, 100] }, /failed: status 0, but 100 bytes of 513/],
  ['a used id out of range', { used: (_, n) => [900, n] }, /no such descriptor: used entry with id 900/],
  ['a used id not in flight', { used: (_, n) => [5, n] }, /descriptor not in flight: used entry with id 5/],
  ['a length beyond the chain', { used: (id) => [id, 4096] }, /more bytes than the chain has.*length 4096/],
  ['no answer', { silent: true }, /sector 1: no answer in 5000 ms/],
  ['a disk of one sector', {}, /cannot read sector 1: the capacity is 1/, new Uint8Array(512)],
  [
    'segments of 16 bytes',
    { sizeMax: 16, features: BIT(1) | BIT(2) | BIT(32) },
    /a request cannot hold a block/,
  ],
  ['a loop of capabilities', { capabilityLoop: true, features: 0n }, /the capability list loops/],
];
test.each(faults)('gives up with a clear line: %s', (_, options, message, image) => {
  const { end, lines } = boot(options, image);
  expect(end).toBe('panic');
  expect(
    lines.some((line) => message.test(line)),
    lines.join('\n'),
  ).toBe(true);
});

test('waits as long as the command line says', () => {
  const { lines } = boot({ silent: true }, disk, 'kernel.elf wait_ms=250 job=read');
  expect(lines.join('\n')).toMatch(/sector 1: no answer in 250 ms/);
});

/** A machine whose power goes off some time after it is told; PM1 control is at port 0x604. */
function bootSlowPower(delay_ns: number) {
  const machine = new Machine({ memory_mib: 16, commandLine: 'job=none' });
  machine.ports.map(0x604, 2, {
    read: () => 1, // ACPI mode
    write: (_offset, _width, value) => {
      if (value & 0x2000) machine.clock.schedule(delay_ns, () => machine.ports.write(0xf4, 1, 0x42));
    },
  });
  return machine.run(kernel);
}

test('waits for a machine that switches off late, but not for ever', () => {
  const status = (value: number) => 2 * value + 1;
  expect(bootSlowPower(1e9).status).toBe(status(0x42)); // when its time has come
  expect(bootSlowPower(10e9).status).toBe(status(0x10)); // by the kernel's own exit
});
