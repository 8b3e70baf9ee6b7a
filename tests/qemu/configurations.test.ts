// The main job on every configuration of QEMU that yaos must read: a random disk each time, both dumps compared
// with what was written, and the kicks and interrupts counted by QEMU.

import { execFileSync } from 'node:child_process';
import { afterAll, describe, expect, test } from 'vitest';
import type { Variables } from '../../build/qemu/options.ts';
import { addressOf, type Disk, dumpsOf, hexDump, type Outcome, Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

/** With it, QEMU makes a kick of its own when the device starts, and may merge kicks: then they can't be counted. */
const COUNTED = 'ioeventfd=off';

/** PCI address at which `yaos run` puts the disk. */
const DISK_AT = '0000:00:04.0';

function expectJob(outcome: Outcome, disk: Disk, at = DISK_AT): void {
  const { lines, failure } = outcome;
  expect(failure, lines.slice(-30).join('\n')).toBeNull();
  expect(lines[0]).toMatch(/^yaos \d+\.\d+\.\d+$/);
  expect(lines.at(-1)).toBe('yaos: done');
  const sectors = lines.find((line) => line.startsWith(`virtio-blk ${at}: `));
  expect(sectors).toMatch(`virtio-blk ${at}: ${disk.sectors} sectors of 512 bytes, `);
  const dumps = dumpsOf(lines);
  expect(dumps.length).toBe(2);
  for (const dump of dumps) expect(dump, disk.path).toEqual(hexDump(disk.sectorOne, addressOf(dump)));
}

function expectTwoEach({ kicks, interrupts }: Outcome): void {
  expect({ kicks, interrupts }).toEqual({ kicks: 2, interrupts: 2 });
}

describe.each(['pc', 'q35'])('%s', (MACHINE) => {
  describe.each([
    ['disk boot', false],
    ['-kernel', true],
  ])('%s', (_, direct) => {
    test.each(['1', '2'])('%s CPUs', async (SMP) => {
      const disk = bench.disk();
      const outcome = await bench.boot({ MACHINE, SMP, BLK: COUNTED, DISK: disk.path }, direct);
      expectJob(outcome, disk);
      expectTwoEach(outcome);
      expect(outcome.status).toBe(0);
    });
  });

  test.each([
    ['modern only', 'disable-legacy=on'],
    ['legacy only', 'disable-legacy=off,disable-modern=on'],
    ['legacy without EVENT_IDX', 'disable-modern=on,event_idx=off'],
    ['legacy without indirect descriptors', 'disable-modern=on,indirect_desc=off'],
    ['without EVENT_IDX', 'event_idx=off'],
    ['without indirect descriptors', 'indirect_desc=off'],
    ['without both', 'event_idx=off,indirect_desc=off'],
    ['packed rings', 'packed=on'],
    ['packed rings, without both', 'packed=on,event_idx=off,indirect_desc=off'],
    ['one vector', 'vectors=1'],
    ['four queues and two vectors', 'num-queues=4,vectors=2'],
    ['a ring smaller than seg_max', 'queue-size=4,seg-max-adjust=off'],
    ['a packed ring smaller than seg_max', 'packed=on,queue-size=4,seg-max-adjust=off'],
    ['a long ring', 'queue-size=1024'],
    ['a long packed ring', 'packed=on,queue-size=1024'],
    ['kicks by I/O port', 'modern-pio-notify=on'],
    ['a page for each doorbell', 'page-per-vq=on'],
    ['an IOMMU’s addresses', 'iommu_platform=on,disable-legacy=on'],
    ['blocks of 4096 bytes', 'logical_block_size=4096,physical_block_size=4096'],
    ['no write cache', 'config-wce=off,write-cache=off'],
    ['no discard', 'discard=off,write-zeroes=off'],
    ['a serial number', 'serial=yaos-42'],
    ['another slot', 'addr=9'],
  ])('%s', async (_, BLK) => {
    const disk = bench.disk(BLK.includes('4096') ? 4096 : undefined);
    const outcome = await bench.boot({ MACHINE, BLK: `${BLK},${COUNTED}`, DISK: disk.path });
    expectJob(outcome, disk, BLK === 'addr=9' ? '0000:00:09.0' : DISK_AT);
    expectTwoEach(outcome);
  });

  test.each([['virtio-blk-pci-transitional'], ['virtio-blk-pci-non-transitional']])('%s', async (device) => {
    const disk = bench.disk();
    const outcome = await bench.boot({
      MACHINE,
      DISK: 'none',
      QEMUEXTRA: extraDisk(disk, `${device},addr=4,${COUNTED}`),
    });
    expectJob(outcome, disk);
    expectTwoEach(outcome);
  });

  test.each([
    ['disk boot', false],
    ['-kernel', true],
  ])('%s with ioeventfd', async (_, direct) => {
    const disk = bench.disk();
    const outcome = await bench.boot({ MACHINE, DISK: disk.path }, direct);
    expectJob(outcome, disk);
    expect(outcome.interrupts).toBe(2);
  });

  test('an I/O thread', async () => {
    const disk = bench.disk();
    const variables = { BLK: 'iothread=io', QEMUEXTRA: '-object iothread,id=io' };
    expectJob(await bench.boot({ MACHINE, DISK: disk.path, ...variables }), disk);
  });

  test('four CPUs, so four queues and five vectors', async () => {
    const disk = bench.disk();
    const outcome = await bench.boot({ MACHINE, SMP: '4', BLK: COUNTED, DISK: disk.path });
    expectJob(outcome, disk);
    expectTwoEach(outcome);
  });

  test('RAM above 4 GiB', async () => {
    const disk = bench.disk();
    expectJob(await bench.boot({ MACHINE, MEM: '5120M', DISK: disk.path }), disk);
  });

  test.each([
    ['16M', 'job=memory', /^memory: 2 MiB below 4 GiB and 0 MiB above hold what was written$/m],
    ['128M', 'job=memory', /^memory: 114 MiB below 4 GiB and 0 MiB above hold what was written$/m],
    ['5120M', 'job=memory mib=300', /^memory: 0 MiB below 4 GiB and 300 MiB above hold what was written$/m],
  ])('RAM is used: %s, %s', async (MEM, APPEND, says) => {
    const { lines, failure } = await bench.boot({ MACHINE, MEM, APPEND, DISK: bench.disk().path });
    expect(failure).toBeNull();
    expect(lines.join('\n')).toMatch(says);
    const [before, after] = lines.filter((line) => /^memory: .* in frames/.test(line));
    expect(after).toBe(before);
  });

  test('a disk that is read-only', async () => {
    const disk = bench.disk();
    const QEMUEXTRA = extraDisk(disk, 'virtio-blk-pci,addr=4', 'readonly=on');
    expectJob(await bench.boot({ MACHINE, DISK: 'none', QEMUEXTRA }), disk);
  });

  test('a throttled disk', async () => {
    const disk = bench.disk();
    const QEMUEXTRA = extraDisk(disk, 'virtio-blk-pci,addr=4', 'throttling.iops-total=100');
    expectJob(await bench.boot({ MACHINE, DISK: 'none', QEMUEXTRA }), disk);
  });

  test('qcow2', async () => {
    const disk = bench.disk();
    const path = `${disk.path}.without-extension`;
    execFileSync('qemu-img', ['convert', '-O', 'qcow2', disk.path, path]);
    const outcome = await bench.boot({ MACHINE, BLK: COUNTED, DISK: path });
    expectJob(outcome, disk);
    expectTwoEach(outcome);
  });

  test('null-co, which reads zeroes', async () => {
    const disk: Disk = { path: 'null-co', sectors: 8, sectorOne: Buffer.alloc(512) };
    const backend = '-blockdev driver=null-co,node-name=null,read-zeroes=on,size=4096';
    const variables = { DISK: 'none', QEMUEXTRA: `${backend} -device virtio-blk-pci,drive=null,addr=4` };
    expectJob(await bench.boot({ MACHINE, ...variables }), disk);
  });
});

describe('behind', () => {
  test.each([
    ['a root port', 'q35', '-device pcie-root-port,id=b', 'bus=b', /^0000:01:00\.0$/],
    ['a PCIe-to-PCI bridge', 'q35', '-device pcie-pci-bridge,id=b', 'bus=b,addr=3', /^0000:0[1-9]:03\.0$/],
    [
      'a switch',
      'q35',
      '-device pcie-root-port,id=a -device x3130-upstream,id=u,bus=a -device xio3130-downstream,id=b,bus=u,chassis=9',
      'bus=b,addr=0',
      /^0000:03:00\.0$/,
    ],
    ['a PCI bridge', 'pc', '-device pci-bridge,id=b,chassis_nr=1', 'bus=b,addr=5', /^0000:01:05\.0$/],
  ])('%s', async (_, MACHINE, QEMUEXTRA, BLK, address) => {
    const disk = bench.disk();
    const outcome = await bench.boot({ MACHINE, BLK: `${BLK},${COUNTED}`, QEMUEXTRA, DISK: disk.path });
    const at = outcome.lines.join('\n').match(/^virtio-blk (\S+): \d+ sectors/m)?.[1] ?? '';
    expect(at, outcome.lines.join('\n')).toMatch(address);
    expectJob(outcome, disk, at);
    expectTwoEach(outcome);
  });

  test('a function other than 0', async () => {
    const disk = bench.disk();
    const rest = '-device virtio-rng-pci,addr=5.0,multifunction=on';
    const outcome = await bench.boot({ BLK: 'addr=5.3', QEMUEXTRA: rest, DISK: disk.path });
    expectJob(outcome, disk, '0000:00:05.3');
  });
});

test('commands on the kernel’s line come through with quotes, commas and blanks', async () => {
  const disk = bench.disk();
  const variables: Variables = { DISK: disk.path, APPEND: 'note=a,b other="c d"' };
  expectJob(await bench.boot(variables), disk);
  expectJob(await bench.boot(variables, true), disk);
});

function extraDisk(disk: Disk, device: string, drive = 'readonly=off'): string {
  return `-drive if=none,id=extra,format=raw,${drive},file=${disk.path} -device ${device},drive=extra`;
}
