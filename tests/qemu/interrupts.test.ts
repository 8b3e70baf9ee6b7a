// The main job by every kind of interrupt: with fewer vectors than queues, and by the pin, from every slot's place on the
// chipset's lines and through bridges.

import type { Socket } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { FIRST_FD, LiveMachine } from './live.ts';
import { addressOf, dumpsOf, hexDump, type Outcome, Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const INTERRUPT = /^virtio-blk (\S+): interrupt vector 0x([0-9a-f]{2}), ISR status 0x01, CPU \d+$/m;
const PIN = /^pci: (\S+) pin A: GSI (\d+), vector 0x([0-9a-f]{2})$/m;

/** Boots with this disk, which must be read rightly with two interrupts; where its pin leads, if that is used. */
async function job(
  MACHINE: string,
  BLK: string,
  QEMUEXTRA?: string,
  direct = false,
): Promise<number | undefined> {
  const disk = bench.disk();
  const variables = { MACHINE, BLK: `${BLK},ioeventfd=off`, QEMUEXTRA, DISK: disk.path };
  const outcome = await bench.boot(variables, direct);
  const log = outcome.lines.join('\n');
  expect(outcome.failure, log).toBeNull();
  const dumps = dumpsOf(outcome.lines);
  expect(dumps.length).toBe(2);
  for (const dump of dumps) expect(dump).toEqual(hexDump(disk.sectorOne, addressOf(dump)));
  expect(outcome.interrupts).toBe(2);
  return gsi(outcome);
}

function gsi({ lines }: Outcome): number | undefined {
  const log = lines.join('\n');
  const pin = PIN.exec(log);
  const interrupt = INTERRUPT.exec(log);
  if (pin === null) return undefined;
  expect(interrupt?.slice(1)).toEqual([pin[1], pin[3]]);
  return Number(pin[2]);
}

describe.each(['pc', 'q35'])('%s', (MACHINE) => {
  const byPin = MACHINE === 'pc' ? 11 : 20; // slot 4

  test.each([
    ['vectors=0', byPin],
    ['vectors=0,num-queues=4', byPin],
    ['vectors=0,disable-modern=on', byPin],
    ['vectors=0,disable-legacy=on', byPin],
    ['vectors=0,event_idx=off', byPin],
    ['vectors=1,disable-modern=on', undefined],
    ['vectors=1,num-queues=4', undefined],
    ['vectors=2', undefined],
    ['vectors=3,num-queues=4', undefined],
  ])('%s', async (BLK, line) => {
    expect(await job(MACHINE, BLK)).toBe(line);
  });
});

// PIIX3 leads the four pins to GSI 10, 10, 11, 11, from slot 1 on; ICH9 slots 0, 4, 8 … to 20.
test.each([
  ['pc', 5, 10],
  ['pc', 6, 10],
  ['pc', 7, 11],
  ['q35', 5, 21],
  ['q35', 6, 22],
  ['q35', 7, 23],
  ['q35', 24, 20],
  ['q35', 25, 16],
  ['q35', 30, 20],
])('%s: slot %i has GSI %i', async (MACHINE, slot, line) => {
  expect(await job(MACHINE, `vectors=0,addr=${slot.toString(16)}`)).toBe(line);
});

test.each([
  ['a root port', 'q35', '-device pcie-root-port,id=b,addr=5', 'bus=b', 21],
  ['a PCIe-to-PCI bridge', 'q35', '-device pcie-pci-bridge,id=b,addr=5', 'bus=b,addr=3', 20],
  [
    'a switch',
    'q35',
    '-device pcie-root-port,id=a,addr=5 -device x3130-upstream,id=u,bus=a -device xio3130-downstream,id=b,bus=u,chassis=9,addr=2',
    'bus=b,addr=0',
    23,
  ],
  [
    'two PCI bridges',
    'pc',
    '-device pci-bridge,id=a,chassis_nr=1,addr=5 -device pci-bridge,id=b,chassis_nr=2,bus=a,addr=1',
    'bus=b,addr=1',
    11,
  ],
])('behind %s', async (_, MACHINE, QEMUEXTRA, BLK, line) => {
  expect(await job(MACHINE, `vectors=0,${BLK}`, QEMUEXTRA)).toBe(line);
});

test.each([
  ['pc', 'vectors=0'],
  ['pc', 'vectors=1'],
  ['q35', 'vectors=2'],
  ['q35', 'vectors=3'],
  ['microvm', 'event_idx=off'],
])('%s: all CPUs at work with %s', async (MACHINE, properties) => {
  const BLK = `${properties},num-queues=4`;
  const variables = { MACHINE, BLK, SMP: '4', DISK: bench.disk(2048).path, APPEND: 'job=blkverify' };
  const { lines, failure } = await bench.boot(variables, MACHINE === 'microvm');
  expect(failure, lines.join('\n')).toBeNull();
  expect(lines.join('\n')).toMatch(
    /^blkverify: 2048 sectors written, flushed, read and compared 1 times, .* from 4 CPUs/m,
  );
});

test.each([
  ['pc', 4, 11],
  ['pc', 6, 10],
  ['q35', 4, 20],
])('%s with qboot, which puts down wrong lines or none: slot %i has GSI %i', async (MACHINE, slot, line) => {
  expect(await job(MACHINE, `vectors=0,addr=${slot}`, '-bios qboot.rom', true)).toBe(line);
});

test('on pc on another root bus, by the firmware’s word', async () => {
  const gsis: (number | undefined)[] = [];
  for (const slot of [1, 3])
    gsis.push(await job('pc', `vectors=0,bus=p,addr=${slot}`, '-device pxb,id=p,bus_nr=32'));
  expect(gsis).toEqual([10, 11]);
});

test('two disks on one line', async () => {
  const other = `-drive if=none,id=o,format=raw,file=${bench.disk().path} -device virtio-blk-pci,drive=o,vectors=0,addr=8`;
  expect(await job('pc', 'vectors=0', other)).toBe(11);
});

test('on a root bus whose interrupts are not known', async () => {
  const QEMUEXTRA = '-device pxb-pcie,id=p,bus_nr=32 -device pcie-root-port,id=b,bus=p';
  const disk = bench.disk();
  const BLK = 'vectors=0,bus=b,addr=0';
  const { lines, failure } = await bench.boot({ MACHINE: 'q35', BLK, QEMUEXTRA, DISK: disk.path });
  expect(failure).toMatch(/panic/);
  expect(lines.join('\n')).toMatch(
    /^pci: (0000:\S+) cannot interrupt: its pin leads to a root bus .* not known\nvirtio-blk \1: has no way to interrupt$/m,
  );
});

describe('a line that is pulled', () => {
  /** QEMU's test interface drives the I/O APIC's input beside the devices. */
  const QTEST = `-chardev socket,id=q,fd=${FIRST_FD} -object qtest,id=t,chardev=q,log=/dev/null`;

  /** The job's machine, and what pulls or releases its disk's line. */
  function start(MACHINE: 'pc' | 'q35', APPEND: string, more = '') {
    const gsi = MACHINE === 'pc' ? 11 : 20;
    const path = MACHINE === 'pc' ? '/machine/i440fx/ioapic' : '/machine/q35/ioapic';
    const variables = { MACHINE, DISK: bench.disk(4096).path, BLK: 'vectors=0', APPEND };
    const live = new LiveMachine({ ...variables, QEMUEXTRA: `${QTEST} ${more}` }, 1);
    const [socket] = live.sockets as [Socket];
    const ended = live.ended.then(() => {});
    const pull = async (level: 0 | 1) => {
      const answered = new Promise((resolve) => void socket.once('data', resolve));
      socket.write(`set_irq_in ${path} unnamed-gpio-in ${gsi} ${level}\n`);
      await Promise.race([answered, ended]);
    };
    return { live, pull, ended };
  }

  const verified = (lines: string[]) => lines.some((line) => line.startsWith('blkverify: 4096 sectors'));

  test.each(['pc', 'q35'] as const)('%s: for nothing, again and again', async (MACHINE) => {
    const { live, pull } = start(MACHINE, 'job=blkverify rounds=2');
    await live.line(/^virtio-blk .* sectors of/);
    let pulls = 0;
    while (!verified(live.lines) && pulls < 2000) {
      await pull(1);
      await pull(0);
      pulls++;
    }
    const { lines } = await live.ended;
    expect(lines.at(-1)).toBe('yaos: done');
    expect(pulls).toBeGreaterThan(20);
  });

  test('without end: it is masked, and the disk says what it misses', async () => {
    const { live, pull } = start('pc', 'job=shell wait_ms=300');
    await live.line(/help lists what there is/);
    await pull(1);
    live.type('irq\r');
    await live.line(/GSI 11 \(\d+ interrupts; masked after 10000 in a row that brought nothing\)/);
    live.type('read 1\r');
    await live.line(/: sector 1: an answer, but no interrupt in 300 ms$/);
    live.type('poweroff\r');
    expect((await live.ended).lines.at(-1)).toBe('yaos: done');
  });

  test('by another disk, whose size changes, while the first one is busy', async () => {
    const other = `-blockdev driver=file,node-name=o,filename=${bench.disk(64).path}`;
    const device = '-device virtio-blk-pci,drive=o,vectors=0,addr=8';
    const { live, ended } = start('pc', 'job=blkverify rounds=2', `${other} ${device}`);
    await live.line(/^virtio-blk .*08\.0: .* sectors of/);
    let changes = 0;
    while (!verified(live.lines) && changes < 500) {
      const size = 512 * (64 + (++changes % 8));
      await Promise.race([live.command('block_resize', { 'node-name': 'o', size }), ended]);
    }
    const { lines } = await live.ended;
    expect(lines.at(-1)).toBe('yaos: done');
    expect(changes).toBeGreaterThan(5);
  });
});
