// The kernel's PCI bus on the machine in Node: how configuration space is reached, bus numbers, the tree and the dump.

import { expect, test } from 'vitest';
import { loadKernel, Machine, type MachineOptions, PciBridge, VirtioBlk } from '../../machine/index.ts';

const kernel = await loadKernel();
const disk = new Uint8Array(64 * 512).map((_, i) => i & 0xff);

function machine(commandLine: string, options: MachineOptions = {}): Machine {
  return new Machine({ memory_mib: 16, commandLine, ...options });
}

/** A disk behind three bridges, and two more of them beside it. */
function deep(pc: Machine): VirtioBlk {
  const port = new PciBridge('pcie-root-port');
  const upstream = new PciBridge('x3130-upstream');
  const [first, second] = [new PciBridge('xio3130-downstream'), new PciBridge('xio3130-downstream')];
  pc.pci.add(port, { slot: 6 });
  pc.pci.add(upstream, { bridge: port });
  pc.pci.add(first, { bridge: upstream });
  pc.pci.add(second, { bridge: upstream });
  const blk = new VirtioBlk(disk);
  pc.pci.add(blk, { bridge: second });
  return blk;
}

/** What a job printed. */
function told(pc: Machine, word = 'lspci: '): string[] {
  const { end, lines } = pc.run(kernel);
  expect(end, lines.join('\n')).toBe('off');
  return lines.filter((line) => line.startsWith(word)).map((line) => line.slice(word.length));
}

test('job=lspci draws the tree', () => {
  const pc = machine('job=lspci', { machine: 'q35' });
  deep(pc);
  expect(told(pc)).toEqual([
    '-[0000:00]-+-00.0  8086:29c0 host bridge',
    '           +-06.0-[01-04]----00.0-[02-04]--+-00.0-[03]--',
    '           |                               \\-01.0-[04]----00.0  1af4:1042 SCSI controller',
    '           +-1f.0  8086:2918 ISA bridge',
    '           +-1f.2  8086:2922 SATA controller',
    '           \\-1f.3  8086:2930 SMBus',
  ]);
});

test('job=lspci dumps a function’s configuration space, byte by byte', () => {
  const pc = machine('job=lspci function=0000:00:04.0');
  const fn = pc.pci.add(new VirtioBlk(disk), { slot: 4 });
  const lines = told(pc);
  expect(lines[0]).toBe(
    '0000:00:04.0 1af4:1001 SCSI controller, class 010000, revision 00, command 0x0507, status 0x0010',
  );
  expect(lines).toContain('0000:00:04.0 BAR 0: ports at 0xc000, 128 bytes');
  expect(lines).toContain('0000:00:04.0 capability 11 at 0x98');
  const hex = (value: number) => value.toString(16).padStart(2, '0');
  const rows = Array.from(
    { length: 16 },
    (_, i) => `${hex(i * 16)}: ${Array.from(fn.config.bytes.subarray(i * 16, i * 16 + 16), hex).join(' ')}`,
  );
  expect(lines.slice(-16)).toEqual(rows);
});

test('extended capabilities are reached by ECAM', () => {
  const pc = machine('job=lspci function=0000:00:06.0', { machine: 'q35' });
  const fn = pc.pci.add(new PciBridge('pcie-root-port'), { slot: 6 });
  fn.config.set32(0x100, 0x1482_0001);
  fn.config.set32(0x148, 0x0001_000d);
  const lines = told(pc);
  expect(lines).toContain('0000:00:06.0 extended capability 0001 at 0x100, version 2');
  expect(lines).toContain('0000:00:06.0 extended capability 000d at 0x148, version 1');
  expect(lines.at(-1)).toBe('140: 00 00 00 00 00 00 00 00 0d 00 01 00 00 00 00 00');
});

test('extended capabilities that loop', () => {
  const pc = machine('job=lspci function=0000:00:06.0', { machine: 'q35' });
  const fn = pc.pci.add(new PciBridge('pcie-root-port'), { slot: 6 });
  fn.config.set32(0x100, 0x1001_0001);
  expect(told(pc, 'pci: ')).toContain('0000:00:06.0: the list of extended capabilities goes astray');
});

test('a function that is not there', () => {
  expect(told(machine('job=lspci function=0000:00:1e.7'))).toEqual([
    '0000:00:1e.7: no such function; job=lspci has them all',
  ]);
});

/** Changes the MCFG table of a q35, and mends its checksum. */
function withMcfg(pc: Machine, change: (table: DataView) => void): void {
  const start = pc.startFirmware.bind(pc);
  pc.startFirmware = () => {
    const info = start();
    const { bytes } = pc.ram;
    const at = Buffer.from(bytes.buffer).lastIndexOf('MCFG');
    const table = bytes.subarray(at, at + 60);
    change(new DataView(bytes.buffer, at, 60));
    table[9] = 0;
    table[9] = -table.reduce((sum, byte) => sum + byte, 0) & 0xff;
    return info;
  };
}

test.each([
  ['in RAM', 0x40_0000n, 255],
  ['at the APICs', 0xfec0_0000n, 255],
  ['not aligned', 0xb000_1000n, 255],
  ['where nothing is', 0x9000_0000n, 255],
  ['above all addresses', 0xffff_ffff_e000_0000n, 255],
  ['of one bus', 0xb000_0000n, 0],
])('an ECAM %s is not used', (_, base, last) => {
  const pc = machine('sector=1', { machine: 'q35' });
  withMcfg(pc, (table) => {
    table.setBigUint64(44, base, true);
    table.setUint8(55, last);
  });
  pc.pci.add(new VirtioBlk(disk), { slot: 4 });
  const { end, lines } = pc.run(kernel);
  expect(end, lines.join('\n')).toBe('off');
  expect(lines.some((line) => /^pci: ECAM at .*, cannot be: not used$/.test(line))).toBe(true);
});

const NUMBERS: [string, (pc: Machine) => void][] = [
  ['none', (pc) => each(pc, (bytes) => bytes.fill(0, 0x18, 0x1b))],
  ['the same for all', (pc) => each(pc, (bytes) => bytes.set([0, 1, 1], 0x18))],
  ['a loop', (pc) => each(pc, (bytes) => bytes.set([0, 0, 255], 0x18))],
  ['what is not behind the bridge above', (pc) => each(pc, (bytes, i) => bytes.set([0, 9 - i, 9 - i], 0x18))],
];

function each(pc: Machine, change: (bytes: Uint8Array, index: number) => void): void {
  let index = 0;
  for (const fn of pc.pci.functions()) if (fn instanceof PciBridge) change(fn.config.bytes, index++);
}

test.each(NUMBERS)('bridges get bus numbers where the firmware gave %s', (_, spoil) => {
  const pc = machine('sector=1', { machine: 'q35' });
  const blk = deep(pc);
  const start = pc.startFirmware.bind(pc);
  pc.startFirmware = () => {
    const info = start();
    spoil(pc);
    return info;
  };
  const { end, lines } = pc.run(kernel);
  expect(end, lines.join('\n')).toBe('off');
  expect(lines.join('\n')).toMatch(
    /^pci: 0000:\S+: the firmware has given this bridge no bus; all are numbered anew$/m,
  );
  expect(lines).toContain('pci: functions 9, buses 5');
  expect(blk.requests.length).toBe(2);
});
