// The PCI bus in QEMU: firmware of all kinds, and trees of bridges.

import { afterAll, expect, test } from 'vitest';
import { type Outcome, Workbench } from './machine.ts';

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
