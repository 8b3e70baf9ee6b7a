// microvm: virtio-mmio, legacy and modern, without a PCI bus, timers or 8259s unless they are asked for; booted with -kernel.

import { afterAll, describe, expect, test } from 'vitest';
import { addressOf, dumpsOf, hexDump, type Outcome, Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const MODERN = '-global virtio-mmio.force-legacy=false';

async function job(MACHINE: string, QEMUEXTRA = '', variables = {}, status = 0): Promise<Outcome> {
  const disk = bench.disk();
  const outcome = await bench.boot({ MACHINE, QEMUEXTRA, DISK: disk.path, ...variables }, true);
  const log = outcome.lines.join('\n');
  expect(outcome.failure, log).toBeNull();
  expect(outcome.status).toBe(status);
  expect(outcome.interrupts).toBe(2);
  const dumps = dumpsOf(outcome.lines);
  expect(dumps.length).toBe(2);
  for (const dump of dumps) expect(dump).toEqual(hexDump(disk.sectorOne, addressOf(dump)));
  return outcome;
}

describe.each([
  ['legacy', ''],
  ['modern', MODERN],
])('%s', (kind, extra) => {
  test.each([
    ['as it comes', 'microvm', 47, 'PIT'],
    ['one I/O APIC', 'microvm,ioapic2=off', 23, 'PIT'],
    ['with all the old devices', 'microvm,pit=on,pic=on,rtc=on', 47, 'PIT'],
    ['without any', 'microvm,pit=off,pic=off,rtc=off', 47, 'assumption, as nothing tells it'],
  ])('%s', async (_, MACHINE, gsi, clock) => {
    const { lines } = await job(MACHINE, extra);
    const log = lines.join('\n');
    const line = /^virtio: (mmio-[0-9a-f]{8}): GSI (\d+), vector 0x([0-9a-f]{2})$/m.exec(log);
    expect(Number(line?.[2])).toBe(gsi);
    expect(log).toMatch(new RegExp(`^time: TSC \\d+ kHz, APIC timer \\d+ kHz by ${clock}$`, 'm'));
    expect(log).toMatch(new RegExp(`^virtio-blk ${line![1]}: \\d+ sectors of 512 bytes, ${kind}, `, 'm'));
    const interrupt = `^virtio-blk ${line![1]}: interrupt vector 0x${line![3]}, ISR status 0x01, CPU 0$`;
    expect(log).toMatch(new RegExp(interrupt, 'm'));
  });

  test.each(['event_idx=off', 'indirect_desc=off', 'event_idx=off,indirect_desc=off', 'queue-size=1024'])(
    '%s',
    async (BLK) => {
      await job('microvm', extra, { BLK });
    },
  );

  test('without ACPI, by the command line', async () => {
    const { lines } = await job('microvm,acpi=off', extra, {}, 33); // no power switch
    expect(lines).toContain('virtio: mmio-feb00e00: GSI 12, vector 0x32');
  });

  test('four CPUs', async () => {
    await job('microvm', extra, { SMP: '4' });
  });
});

// Pin A of slot N has GSI 16 + N modulo 4.
test.each([
  ['MSI-X', '', undefined],
  ['the pin', 'vectors=0', 16],
  ['the pin of slot 5', 'vectors=0,addr=5', 17],
  ['the pin of slot 6, legacy as well', 'vectors=0,addr=6,disable-legacy=off', 18],
  ['the pin of slot 7', 'vectors=0,addr=7', 19],
])('PCI, by %s', async (_, BLK, gsi) => {
  const { lines } = await job('microvm,pcie=on', '', { BLK });
  const pin = /^pci: 0000:00:0\d\.0 pin A: GSI (\d+), vector/m.exec(lines.join('\n'));
  expect(pin?.[1]).toBe(gsi?.toString());
});

test('PCI, by the pin behind a root port', async () => {
  const { lines } = await job('microvm,pcie=on', '-device pcie-root-port,id=b,addr=6', {
    BLK: 'vectors=0,bus=b',
  });
  expect(lines.join('\n')).toMatch(/^pci: 0000:01:00\.0 pin A: GSI 18, vector/m);
});

test('writes and reads', async () => {
  const APPEND = 'job=trace seed=3 requests=2000 depth=8 blocks=2 writes=40';
  const variables = { MACHINE: 'microvm', QEMUEXTRA: MODERN, DISK: bench.disk(4096).path, APPEND };
  const { lines, failure } = await bench.boot(variables, true);
  expect(failure, lines.join('\n')).toBeNull();
});
