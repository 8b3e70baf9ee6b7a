// The PCI bus in QEMU: firmware of all kinds, and trees of bridges.

import { afterAll, describe, expect, test } from 'vitest';
import { addressOf, dumpsOf, hexDump, type Outcome, Workbench } from './machine.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

function told({ lines, failure }: Outcome): string[] {
  expect(failure, lines.join('\n')).toBeNull();
  return lines.filter((line) => line.startsWith('lspci: ')).map((line) => line.slice('lspci: '.length));
}

test('the tree of a machine with bridges', async () => {
  const QEMUEXTRA =
    '-device pcie-root-port,id=a,addr=6 -device x3130-upstream,id=u,bus=a -device xio3130-downstream,id=b,bus=u,chassis=9 ' +
    '-device xio3130-downstream,id=c,bus=u,chassis=10 -device pcie-pci-bridge,id=d,addr=7';
  const variables = { MACHINE: 'q35', DISK: bench.disk().path, BLK: 'bus=c', QEMUEXTRA };
  const outcome = await bench.boot({ ...variables, APPEND: 'job=lspci' });
  expect(outcome.lines).toContain('pci: ECAM at 0xb0000000, buses 0 to 255');
  const tree = told(outcome);
  expect(tree[0]).toMatch(/^-\[0000:00\]-\+-00\.0 {2}8086:29c0 host bridge$/);
  expect(tree.filter((line) => /0[67]\.0|01\.0-/.test(line))).toEqual([
    '           +-06.0-[01-04]----00.0-[02-04]--+-00.0-[03]--',
    '           |                               \\-01.0-[04]----00.0  1af4:1042 SCSI controller',
    '           +-07.0-[05]--',
  ]);
});

test('a root port’s space with its extended capabilities', async () => {
  const QEMUEXTRA = '-device pcie-root-port,id=a,addr=6';
  const variables = { MACHINE: 'q35', DISK: bench.disk().path, BLK: 'addr=4', QEMUEXTRA };
  const lines = told(await bench.boot({ ...variables, APPEND: 'job=lspci function=0000:00:06.0' }));
  expect(lines[0]).toMatch(/^0000:00:06\.0 1b36:000c PCI bridge, class 060400, revision 00, command 0x/);
  // AER and ACS (QEMU's hw/pci-bridge/pcie_root_port.c).
  expect(lines).toContain('0000:00:06.0 extended capability 0001 at 0x100, version 2');
  expect(lines).toContain('0000:00:06.0 extended capability 000d at 0x148, version 1');
  expect(lines.filter((line) => /^[0-9a-f]{2}: /.test(line)).length).toBe(16);
});

/** qboot, which QEMU has for microvm, assigns no addresses on any machine, and bus numbers on bus 0 only. */
const QBOOT = '-bios qboot.rom';
const SWITCH =
  '-device pcie-root-port,id=p,addr=6 -device x3130-upstream,id=u,bus=p -device xio3130-downstream,id=b,bus=u,chassis=9';
const DEEP =
  '-device pci-bridge,id=x,chassis_nr=1,addr=6 -device pci-bridge,id=y,chassis_nr=2,bus=x,addr=3 -device pci-bridge,id=b,chassis_nr=3,bus=y,addr=4';
const LARGE = '-object memory-backend-ram,size=2G,id=m -device ivshmem-plain,memdev=m';

describe('firmware that assigns nothing', () => {
  test.each([
    ['pc', '', ''],
    ['pc, legacy', 'disable-modern=on', ''],
    ['pc, three bridges', 'bus=b,addr=5', DEEP],
    [
      'pc, three bridges, legacy, and memory above 4 GiB',
      'bus=b,addr=5,disable-modern=on',
      `${DEEP} ${LARGE},bus=y,addr=7`,
    ],
    ['q35', '', ''],
    ['q35, a switch', 'bus=b', SWITCH],
    ['q35, PCI behind a switch', 'bus=c,addr=2', `${SWITCH} -device pcie-pci-bridge,id=c,bus=b`],
    ['q35, another root', 'bus=b', '-device pxb-pcie,id=x,bus_nr=128 -device pcie-root-port,id=b,bus=x'],
    ['microvm', '', ''],
    ['microvm, PCI behind a switch', 'bus=c,addr=2', `${SWITCH} -device pcie-pci-bridge,id=c,bus=b`],
  ])('%s', async (name, BLK, extra) => {
    const disk = bench.disk();
    const MACHINE = name.split(',')[0] === 'microvm' ? 'microvm,pcie=on' : name.split(',')[0];
    const variables = { MACHINE, DISK: disk.path, BLK, QEMUEXTRA: `${QBOOT} ${extra}` };
    const { failure, lines } = await bench.boot(variables, true);
    expect(failure, lines.join('\n')).toBeNull();
    const dumps = dumpsOf(lines);
    expect(dumps.length).toBe(2);
    for (const dump of dumps) expect(dump, disk.path).toEqual(hexDump(disk.sectorOne, addressOf(dump)));
    expect(lines.some((line) => /^pci: .* BAR 1: memory32 at 0x[0-9a-f]{8}, 4 KiB: placed$/.test(line))).toBe(
      true,
    );
    if (extra.includes(LARGE))
      expect(lines.join('\n')).toMatch(/BAR 2: memory64 at 0x000100000000, 2048 MiB, prefetchable: placed/);
  });
});

test('BARs moved to fixed bases, also above 4 GiB', async () => {
  const disk = bench.disk();
  const variables = { MACHINE: 'q35', DISK: disk.path, BLK: 'bus=b', QEMUEXTRA: SWITCH };
  const APPEND = 'pci_move=0000:03:00.0/4@0x500000000,0000:03:00.0/1@0xd0100000';
  const { failure, lines } = await bench.boot({ ...variables, APPEND });
  expect(failure, lines.join('\n')).toBeNull();
  for (const dump of dumpsOf(lines))
    expect(dump, disk.path).toEqual(hexDump(disk.sectorOne, addressOf(dump)));
  expect(lines.filter((line) => /, as asked$/.test(line)).map((line) => line.split(': was')[0])).toEqual([
    'pci: 0000:03:00.0 BAR 4: memory64 at 0x000500000000, 16 KiB, prefetchable',
    'pci: 0000:03:00.0 BAR 1: memory32 at 0xd0100000, 4 KiB',
  ]);
});

/** Each port has two windows, and each of these takes a page table. */
const CARDS = 36;
const CARDS_MIN = 28;

test('more cards than there are page tables for', async () => {
  const cards = Array.from({ length: CARDS }, (_, i) => {
    const multifunction = i % 8 === 0 ? ',multifunction=on' : '';
    const port = `pcie-root-port,id=p${i},chassis=${i},addr=${4 + (i >> 3)}.${i % 8}${multifunction}`;
    return `-device ${port} -device virtio-rng-pci,bus=p${i}`;
  });
  const variables = { MACHINE: 'q35', DISK: 'none', APPEND: 'job=rng bytes=32' };
  const { failure, lines } = await bench.boot({ ...variables, QEMUEXTRA: cards.join(' ') }, true);
  expect(failure, lines.join('\n')).toBeNull();
  const has = (line: string) => lines.some((other) => other.startsWith(line));
  const used = lines.findIndex((line) => line.includes('cannot be mapped: all page tables are in use: '));
  expect(used).toBeGreaterThan(0);
  const attached = lines.slice(0, used).filter((line) => /^virtio-rng .*(entropy|one too many)/.test(line));
  expect(attached.length).toBeGreaterThanOrEqual(CARDS_MIN);
  expect(has('virtio: 0000:24:00.0: its modern structures are not complete')).toBe(true);
  expect(has('rng: ')).toBe(true);
});
