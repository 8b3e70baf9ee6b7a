// The kernel's PCI bus on the machine in Node: how configuration space is reached, bus numbers, the tree and the dump.

import { describe, expect, test } from 'vitest';
import {
  loadKernel,
  Machine,
  type MachineOptions,
  PciBridge,
  PciFunction,
  pciConfig,
  VirtioBlk,
  type VirtioBlkOptions,
} from '../../machine/index.ts';

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

/** Big memory of a kind, which reads as zero. */
class Memory extends PciFunction {
  constructor(bars: { bytes: number; is64?: boolean; prefetchable?: boolean; ports?: boolean }[]) {
    super(0x1234, 0x0001, 0x050000);
    for (const [i, bar] of bars.entries())
      this.addBar(bar.is64 ? i * 2 : i, { ...bar, registers: { read: () => 0, write: () => {} } });
  }
}

interface Range {
  name: string;
  ports: boolean;
  start: number;
  end: number;
}

/** Every BAR must be within the windows of all bridges before it, and overlap no other and no RAM. */
function judge(pc: Machine): void {
  const ranges: Range[] = [];
  for (const fn of pc.pci.functions()) {
    for (const bar of fn.bars) {
      if (bar === undefined) continue;
      const start = fn.barAddress(bar.index);
      const range = {
        name: `${fn.name} BAR ${bar.index}`,
        ports: bar.ports ?? false,
        start,
        end: start + bar.bytes,
      };
      expect(start, `${range.name} is placed`).toBeGreaterThan(0);
      if (!range.ports) expect(start, `${range.name} over RAM`).toBeGreaterThanOrEqual(pc.ram.size);
      for (const other of ranges) {
        const apart = other.ports !== range.ports || other.end <= range.start || range.end <= other.start;
        expect(apart, `${range.name} and ${other.name}`).toBe(true);
      }
      ranges.push(range);
      for (let at = fn.location!.bus.bridge; at !== undefined; at = at.location!.bus.bridge) {
        at.config.set16(pciConfig.COMMAND, 7); // a window that is switched off shows none
        const windows = range.ports ? [at.ioWindow] : [at.memoryWindow, at.prefetchableWindow];
        const passed = windows.some((window) => start >= window.start && range.end - 1 <= window.end);
        expect(passed, `${range.name} behind ${at.name}`).toBe(true);
      }
    }
  }
}

const TREES: [string, (pc: Machine, options: VirtioBlkOptions) => VirtioBlk][] = [
  [
    'on the root bus',
    (pc, options) => {
      const blk = new VirtioBlk(disk, options);
      pc.pci.add(blk, { slot: 4 });
      return blk;
    },
  ],
  [
    'behind three bridges, with others',
    (pc, options) => {
      const bridges = [new PciBridge('pci-bridge'), new PciBridge('pci-bridge'), new PciBridge('pci-bridge')];
      for (const [i, bridge] of bridges.entries()) pc.pci.add(bridge, { slot: 6, bridge: bridges[i - 1] });
      pc.pci.add(new Memory([{ bytes: 2 ** 21 }, { bytes: 256, ports: true }]), { bridge: bridges[0] });
      pc.pci.add(new Memory([{ bytes: 2 ** 24, prefetchable: true }]), { bridge: bridges[1] });
      pc.pci.add(new Memory([{ bytes: 64 }, { bytes: 2 ** 16, is64: true }]), { bridge: bridges[2] });
      const blk = new VirtioBlk(disk, options);
      pc.pci.add(blk, { bridge: bridges[2] });
      return blk;
    },
  ],
  [
    'beside memory that is larger than all below 4 GiB',
    (pc, options) => {
      const bridge = new PciBridge('pci-bridge');
      pc.pci.add(bridge, { slot: 6 });
      pc.pci.add(new Memory([{ bytes: 2 ** 30, is64: true, prefetchable: true }]), { bridge });
      const blk = new VirtioBlk(disk, options);
      pc.pci.add(blk, { bridge });
      return blk;
    },
  ],
];

describe.each(TREES)('%s', (_, build) => {
  test.each([
    ['pc', { assign: false }, {}],
    ['pc', { assign: false, number: false }, { modern: false }],
    ['q35', { assign: false }, { legacy: false }],
    ['q35', { number: false }, {}],
  ] as const)('all is placed that the firmware has left: %s, %o', (machineType, firmware, options) => {
    const pc = machine('sector=1', { machine: machineType, firmware });
    const blk = build(pc, options);
    const { end, lines } = pc.run(kernel);
    expect(end, lines.join('\n')).toBe('off');
    expect(blk.requests.length).toBe(2);
    judge(pc);
  });

  test('nothing is touched that the firmware has done right', () => {
    const pc = machine('sector=1', { machine: 'q35' });
    build(pc, {});
    const { lines } = pc.run(kernel);
    expect(lines.filter((line) => /: (placed|was at)|numbered anew|window/.test(line))).toEqual([]);
  });
});

test('the largest goes without where not all find a place behind a bridge', () => {
  const pc = machine('sector=1', { firmware: { assign: false } });
  const bridge = new PciBridge('pci-bridge');
  pc.pci.add(bridge, { slot: 6 });
  const blk = new VirtioBlk(disk);
  pc.pci.add(blk, { bridge });
  pc.pci.add(new Memory([{ bytes: 2 ** 40, is64: true, prefetchable: true }]), { bridge });
  const { end, lines } = pc.run(kernel);
  expect(end, lines.join('\n')).toBe('off');
  expect(lines).toContain(
    'pci: 0000:01:01.0 BAR 0: memory64 at 0x000000000000, 1048576 MiB, prefetchable, not placed: there is no address space left for it',
  );
  expect(blk.requests.length).toBe(2);
});

test('a window that is too small grows, and takes along what is in it', () => {
  const pc = machine('sector=1');
  const bridge = new PciBridge('pci-bridge');
  pc.pci.add(bridge, { slot: 6 });
  const blk = new VirtioBlk(disk);
  pc.pci.add(blk, { bridge, slot: 1 });
  const memory = new Memory([{ bytes: 2 ** 23 }]);
  pc.pci.add(memory, { bridge, slot: 2 });
  const start = pc.startFirmware.bind(pc);
  pc.startFirmware = () => {
    const info = start();
    memory.writeConfig(pciConfig.BAR_0, 4, 0);
    bridge.writeConfig(pciConfig.MEMORY_LIMIT, 2, bridge.config.get16(pciConfig.MEMORY_BASE));
    return info;
  };
  const { end, lines } = pc.run(kernel);
  expect(end, lines.join('\n')).toBe('off');
  expect(lines.join('\n')).toMatch(/^pci: 0000:00:06\.0 window: memory at 0x[0-9a-f]{8}, 9 MiB: was at 0x/m);
  judge(pc);
});

test('what fits nowhere gets its line, and the rest works', () => {
  const pc = machine('sector=1', { firmware: { assign: false } });
  pc.pci.add(new Memory([{ bytes: 2 ** 31 }, { bytes: 2 ** 31 }]), { slot: 5 });
  pc.pci.add(new VirtioBlk(disk), { slot: 4 });
  const { end, lines } = pc.run(kernel);
  expect(end, lines.join('\n')).toBe('off');
  expect(lines).toContain(
    'pci: 0000:00:05.0 BAR 1: memory32 at 0x00000000, 2048 MiB, not placed: there is no address space left for it',
  );
});

test('without _CRS, addresses come from the end of RAM to the APICs', () => {
  const pc = machine('sector=1', { firmware: { assign: false } });
  const blk = new VirtioBlk(disk);
  pc.pci.add(blk, { slot: 4 });
  const start = pc.startFirmware.bind(pc);
  pc.startFirmware = () => {
    const info = start();
    const bytes = Buffer.from(pc.ram.bytes.buffer);
    bytes[bytes.lastIndexOf('_CRS')] = 0x58; // its checksum is wrong now, and it is not used
    return info;
  };
  const { lines } = pc.run(kernel);
  expect(lines).toContain('acpi: bad table at 0x00fdd000');
  expect(lines.join('\n')).toMatch(
    /^pci: 0000:00:04\.0 BAR 1: memory32 at 0xc000[0-9a-f]000, 4 KiB: placed$/m,
  );
  expect(blk.requests.length).toBe(2);
});

describe('pci_move', () => {
  const [, build] = TREES[1]!;
  const moved = (word: string, options: MachineOptions = {}) => {
    const pc = machine(`sector=1 pci_move=${word}`, options);
    const blk = build(pc, {});
    const { end, lines } = pc.run(kernel);
    expect(end, lines.join('\n')).toBe('off');
    expect(blk.requests.length).toBe(2);
    judge(pc);
    const fn = [...pc.pci.functions()].find(({ name }) => word.startsWith(name));
    return { fn, lines };
  };

  test.each([
    ['memory', 1, 0xd012_3000],
    ['prefetchable memory', 4, 0xe000_4000],
    ['prefetchable memory above 4 GiB, where others behind its bridges cannot follow', 4, 0x5_0000_0000],
    ['ports', 0, 0x2080],
    ['to where others are, who make room', 1, 0xfebf_f000],
  ])('%s', (what, bar, base) => {
    const { fn, lines } = moved(`0000:03:01.0/${bar}@0x${base.toString(16)}`);
    const refused = what.includes('cannot follow');
    expect(fn!.barAddress(bar) === base, lines.join('\n')).toBe(!refused);
    expect(lines.some((line) => /BAR \d is not moved/.test(line))).toBe(refused);
  });

  test.each([
    ['RAM', '0000:03:01.0/1@0x100000', /is not moved: there is no room/],
    ['the APICs', '0000:03:01.0/1@0xfee00000', /is not moved: there is no room/],
    ['half a page', '0000:03:01.0/1@0xd0000800', /is not moved: an address is a multiple of the size/],
    ['the serial port', '0000:03:01.0/0@0x380', /is not moved: these ports belong to the ISA bus/],
    ['what is none', '0000:03:01.0/2@0xd0000000', /is not moved: there is none/],
    ['nobody', '0000:09:01.0/1@0xd0000000', /there is no such function/],
    ['nowhere', '0000:03:01.0/1@0x', /give 0000:BB:DD\.F\/BAR@0xADDRESS/],
  ])('refused: %s', (_, word, says) => {
    const { lines } = moved(word);
    expect(lines.join('\n')).toMatch(says);
    expect(lines.filter((line) => /: (placed|was at)/.test(line))).toEqual([]);
  });

  test('together with what the firmware has left', () => {
    const { fn } = moved('0000:03:01.0/4@0xd0000000,0000:03:01.0/1@0xd8000000', {
      firmware: { assign: false },
    });
    expect([fn!.barAddress(4), fn!.barAddress(1)]).toEqual([0xd000_0000, 0xd800_0000]);
  });
});
