// job=trace where it cannot go on: each reason has its line, which names the sectors. That it does right what it does is
// tested in tests/machine/trace.test.ts.

import { beforeAll, expect, test } from 'vitest';
import { type Kernel, loadKernel, Machine, MemoryDisk, VirtioBlk } from '../../machine/index.ts';
import { FaultyBlk } from './faulty-blk.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = await loadKernel();
}, 60_000);

const disk = new Uint8Array(64 * 512);

const faults: [string, () => VirtioBlk, string, RegExp][] = [
  [
    'a read error',
    () => new FaultyBlk(disk, { status: 1 }),
    'blocks=1',
    /^virtio-blk 0000:00:04\.0: read of sector \d+ failed: status 1 \(I\/O error\)$/,
  ],
  [
    'a write error',
    () => new FaultyBlk(disk, { status: 1 }),
    'blocks=1 writes=100',
    /^virtio-blk 0000:00:04\.0: write of sector \d+ failed: status 1 \(I\/O error\)$/,
  ],
  [
    'a write without its status',
    () => new FaultyBlk(disk, { used: (id) => [id, 0] }),
    'blocks=1 writes=100',
    /: write of sector \d+ failed: status 0, but 0 bytes of 1$/,
  ],
  [
    'no answer to a write',
    () => new FaultyBlk(disk, { silent: true }),
    'blocks=1 writes=100',
    /^virtio-blk 0000:00:04\.0: writing sector \d+, requests in flight 1$/,
  ],
  [
    'a read-only disk',
    () => new VirtioBlk(new MemoryDisk(disk, true)),
    'blocks=1 writes=100',
    /: cannot write sector \d+: the device is read-only$/,
  ],
  [
    'a request of too many blocks',
    () => new VirtioBlk(new Uint8Array(128 * 65536), { blockSize: 65536 }),
    'blocks=16 depth=1 requests=100',
    /: cannot read sectors \d+ to \d+: a request is of whole blocks, up to 65536 bytes$/,
  ],
];
test.each(faults)('%s', (_, device, words, message) => {
  const machine = new Machine({ commandLine: `job=trace ${words}` });
  machine.pci.add(device(), { slot: 4 });
  const { end, lines } = machine.run(kernel);
  expect(end).toBe('panic');
  expect(
    lines.filter((line) => message.test(line)),
    lines.join('\n'),
  ).toHaveLength(1);
  expect(lines.filter((line) => /^trace: failed in requests \d+ to \d+$/.test(line))).toHaveLength(1);
});

test('a disk that is too small', () => {
  const machine = new Machine({ commandLine: 'job=trace depth=32 blocks=3' });
  machine.pci.add(new VirtioBlk(disk), { slot: 4 });
  const { end, lines } = machine.run(kernel);
  expect(end).toBe('panic');
  expect(lines).toContain(
    'trace: virtio-blk 0000:00:04.0 has 64 blocks, too few for 32 requests of 3: give less as depth= or blocks=',
  );
});
