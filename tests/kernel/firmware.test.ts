// What the kernel reads of the firmware and the boot loader: multiboot and PVH information, ACPI's tables, fw_cfg; right
// ones, and thousands that are damaged at random, which must be refused and never trap.

import { beforeAll, expect, test } from 'vitest';
import { type Kernel, Machine } from '../../machine/index.ts';
import { compileParts } from './compile.ts';
import { generator } from './random.ts';

const ENTRY = `
import { madt } from './acpi/madt.ts';
import * as power from './acpi/power.ts';
import * as tables from './acpi/tables.ts';
import * as fwcfg from './boot/fwcfg.ts';
import { BootInfo } from './boot/info.ts';
import { findVirtioMmio } from './bus/platform.ts';
import { readMultiboot } from './boot/multiboot.ts';
import { readPvh } from './boot/pvh.ts';
import { bare } from './lib/log.ts';

function say(good: bool, info: BootInfo): void {
  const line = bare().text(good ? 'good' : 'bad').hex(' rsdp ', info.rsdp, 8).hex(' ebda ', info.ebda, 8);
  for (let i: u32 = 0; i < info.ram.count; i++) {
    line.hex(' ', info.ram.at(i).start, 12).hex('-', info.ram.at(i).end, 12);
  }
  line.text(' [').bytes(info.commandLine, 1024).text(']').end();
}
export function multiboot(at: u32): void {
  const info = new BootInfo();
  say(readMultiboot(at, info), info);
}
export function pvh(at: u32): void {
  const info = new BootInfo();
  say(readPvh(at, info), info);
}
export function acpi(rsdp: u64, ebda: u32): void {
  const info = new BootInfo();
  info.rsdp = rsdp;
  info.ebda = ebda;
  tables.init(info);
  power.init();
}
export function softOff(): void { power.softOff(); }
export function platform(): void {
  tables.init(new BootInfo());
  const line = bare().text('devices');
  const found = findVirtioMmio();
  for (let i = 0; i < found.length; i++) {
    line.hex(' ', found[i].address, 8).hex('+', found[i].bytes, 4).decimal(':', found[i].gsi);
    line.text(found[i].activeLow ? 'low' : 'high');
  }
  line.end();
}
export function interrupts(): void {
  tables.init(new BootInfo());
  madt.read();
  const line = bare().text('CPUs');
  for (let i: u32 = 0; i < madt.cpuCount; i++) line.decimal(' ', madt.cpu(i));
  line.text(', I/O APICs');
  for (let i: u32 = 0; i < madt.ioApicCount; i++) {
    line.hex(' ', madt.ioApic(i).address, 8).decimal('+', madt.ioApic(i).gsiBase);
  }
  line.text(', overrides');
  for (let irq: u32 = 0; irq < 256; irq++) {
    const entry = madt.isaOverride(irq);
    if (entry !== null) line.decimal(' ', irq).decimal('=', entry.gsi).hex(':', entry.flags, 4);
  }
  line.end();
}
export function file(into: u32, most: u32): void {
  fwcfg.init();
  bare().text(fwcfg.readFile('opt/yaos/cmdline', into, most) ? 'file [' : 'none [').bytes(into, most).text(']').end();
}
`;

interface Firmware {
  multiboot(at: number): void;
  pvh(at: number): void;
  acpi(rsdp: bigint, ebda: number): void;
  softOff(): void;
  interrupts(): void;
  platform(): void;
  file(into: number, most: number): void;
}

let module: Kernel;
beforeAll(async () => {
  module = await compileParts(ENTRY);
}, 60_000);

interface Port {
  read?(port: number, width: number): number | undefined;
  write?(port: number, value: number): void;
}

/** `device` takes the place of what the machine has at `ports`. */
function start(device: Port = {}, ports: number[] = []) {
  const machine = new Machine({ memory_mib: 16 });
  const firmware = machine.load(module) as unknown as Firmware;
  for (const port of ports) {
    machine.ports.map(port, 1, {
      read: (_offset, width) => device.read?.(port, width) ?? ones(width),
      write: (_offset, _width, value) => device.write?.(port, value),
    });
  }
  const said = (call: () => void): string => {
    machine.serial.take();
    call();
    return machine.serial.take();
  };
  return { firmware, said, view: machine.ram.view };
}

function ones(width: number): number {
  return width === 1 ? 0xff : 0xffff;
}

const INFO = 0x9000;

function writeMultiboot(view: DataView): void {
  const put = (at: number, value: number) => view.setUint32(INFO + at, value, true);
  put(0, 0x45);
  put(4, 639);
  put(16, INFO + 0x200);
  put(44, 24 + 28 + 24);
  put(48, INFO + 0x100);
  const map: [number, bigint, bigint, number][] = [
    [20, 0x100000n, 0xf00000n, 1],
    [24, 0x1000000n, 0x1000n, 2], // reserved, and a longer entry
    [20, 0x100000000n, 0x40000000n, 1],
  ];
  let at = INFO + 0x100;
  for (const [size, base, bytes, type] of map) {
    view.setUint32(at, size, true);
    view.setBigUint64(at + 4, base, true);
    view.setBigUint64(at + 12, bytes, true);
    view.setUint32(at + 20, type, true);
    at += size + 4;
  }
  putText(view, INFO + 0x200, 'kernel.elf job=x\0');
}

function writePvh(view: DataView): void {
  view.setUint32(INFO, 0x336ec578, true);
  view.setUint32(INFO + 4, 1, true);
  view.setBigUint64(INFO + 24, BigInt(INFO + 0x200), true);
  view.setBigUint64(INFO + 32, 0xf5000n, true);
  view.setBigUint64(INFO + 40, BigInt(INFO + 0x100), true);
  view.setUint32(INFO + 48, 2, true);
  const map: [bigint, bigint, number][] = [
    [0x100000n, 0x700000n, 1],
    [0xfee00000n, 0x1000n, 2],
  ];
  map.forEach(([address, bytes, type], i) => {
    view.setBigUint64(INFO + 0x100 + i * 24, address, true);
    view.setBigUint64(INFO + 0x108 + i * 24, bytes, true);
    view.setUint32(INFO + 0x110 + i * 24, type, true);
  });
  putText(view, INFO + 0x200, 'job=y\0');
}

test('multiboot information', () => {
  const { firmware, said, view } = start();
  writeMultiboot(view);
  expect(said(() => firmware.multiboot(INFO))).toBe(
    'good rsdp 0x00000000 ebda 0x0009fc00 0x000000100000-0x000001000000 0x000100000000-0x000140000000 [kernel.elf job=x]\r\n',
  );
  view.setUint32(INFO, 1, true); // no map: only the sizes
  view.setUint32(INFO + 8, 1024, true);
  expect(said(() => firmware.multiboot(INFO))).toMatch(/^good .* 0x000000100000-0x000000200000 \[\]\r\n$/);
  expect(said(() => firmware.multiboot(0xfffff000))).toMatch(/^bad/);
});

test('PVH information', () => {
  const { firmware, said, view } = start();
  writePvh(view);
  expect(said(() => firmware.pvh(INFO))).toBe(
    'good rsdp 0x000f5000 ebda 0x00000000 0x000000100000-0x000000800000 [job=y]\r\n',
  );
  view.setUint32(INFO, 0, true);
  expect(said(() => firmware.pvh(INFO))).toMatch(/^bad/);
});

const RSDP = 0xf5000;
const EBDA = 0x9fc00;
const RSDT = 0x500000;
const XSDT = 0x500100;
const FADT = 0x500200;
const MADT = 0x500400;
const DSDT = 0x501000;

function checksum(view: DataView, at: number, bytes: number, field: number): void {
  view.setUint8(at + field, 0);
  let sum = 0;
  for (let i = 0; i < bytes; i++) sum += view.getUint8(at + i);
  view.setUint8(at + field, -sum & 0xff);
}

function writeTable(view: DataView, at: number, signature: string, body: number[]): void {
  const bytes = [...Buffer.from(signature), ...new Uint8Array(32), ...body];
  for (const [i, byte] of bytes.entries()) view.setUint8(at + i, byte);
  view.setUint32(at + 4, bytes.length, true);
  checksum(view, at, bytes.length, 9);
}

function word(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
}

function putText(view: DataView, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) view.setUint8(at + i, text.charCodeAt(i));
}

/** A device in the DSDT of QEMU 7.2's microvm: registers of 0x200 bytes at 0xfeb02e00, GSI 47. */
const MMIO_DEVICE = Buffer.from(
  '5b82420456523233085f4849440d4c4e524f3030303500085f5549440a17085f43434101085f435253111a0a17' +
    '86090001002eb0fe0002000089060001012f0000007900',
  'hex',
);
const MMIO_REGISTERS = MMIO_DEVICE.indexOf('86090001', 0, 'hex');

/** Two CPUs that may be started and three that may not, two I/O APICs, two overrides and one of another bus. */
function madtEntries(): number[][] {
  return [
    [0, 8, 0, 2, ...word(1)], // local APIC: processor, id, flags
    [0, 8, 1, 3, ...word(0)], // not there
    [0, 8, 2, 0xff, ...word(1)], // everybody's id
    [0, 8, 3, 2, ...word(1)], // once more
    [9, 16, 0, 0, ...word(0x1234), ...word(1), ...word(4)], // x2APIC
    [9, 16, 0, 0, ...word(0xffffffff), ...word(1), ...word(5)],
    [1, 12, 0, 0, ...word(0xfec00000), ...word(0)],
    [4, 6, 0xff, 0, 0, 1], // an NMI: nobody's business here
    [1, 12, 1, 0, ...word(0xfec10000), ...word(24)],
    [2, 10, 0, 0, ...word(2), 0, 0],
    [2, 10, 0, 11, ...word(11), 0x0d, 0],
    [2, 10, 1, 5, ...word(5), 0, 0],
  ];
}

/** Root pointer at `rsdp`, and tables that say: soft-off by port 0x604 (and 0x704), types 5 and 6. */
function writeAcpi(view: DataView, rsdp: number, revision: number): void {
  const body = new Array<number>(80).fill(0);
  body.splice(40 - 36, 4, ...word(DSDT));
  body.splice(48 - 36, 5, ...word(0xb2), 0xf1);
  body.splice(64 - 36, 8, ...word(0x604), ...word(0x704));
  writeTable(view, FADT, 'FACP', body);
  const s5 = [0x08, ...Buffer.from('_S5_'), 0x12, 0x08, 0x04, 0x0a, 5, 0x0a, 6, 0, 0];
  writeTable(view, DSDT, 'DSDT', [...new Uint8Array(300), ...s5, ...new Uint8Array(20), ...MMIO_DEVICE]);
  writeTable(view, MADT, 'APIC', [...word(0xfee00000), ...word(1), ...madtEntries().flat()]);
  writeTable(view, RSDT, 'RSDT', [...word(0x12345678), ...word(FADT), ...word(MADT)]);
  writeTable(view, XSDT, 'XSDT', [...word(FADT), 0, 0, 0, 0, ...word(MADT), 0, 0, 0, 0]);
  putText(view, rsdp, 'RSD PTR ');
  view.setUint8(rsdp + 15, revision);
  view.setUint32(rsdp + 16, RSDT, true);
  view.setUint32(rsdp + 20, 36, true);
  view.setBigUint64(rsdp + 24, BigInt(XSDT), true);
  checksum(view, rsdp, 20, 8);
  checksum(view, rsdp, 36, 32);
}

test.each([
  ['revision 0 in the BIOS area', RSDP, 0, 0n, 0],
  ['revision 2 in the BIOS area', RSDP, 2, 0n, 0],
  ['in the EBDA', EBDA + 0x20, 0, 0n, EBDA],
  ['where PVH says', 0x30000, 2, 0x30000n, 0],
  ['in the BIOS area though PVH says otherwise', RSDP, 2, 0x30000n, 0],
])('soft-off: root pointer %s', (_, at, revision, rsdp, ebda) => {
  const writes: [number, number][] = [];
  let enabled = false;
  const { firmware, said, view } = start(
    {
      read: (port) => (port === 0x604 ? 0x0200 | Number(enabled) : port === 0x704 ? 0x1c01 : undefined),
      write: (port, value) => {
        writes.push([port, value]);
        enabled ||= port === 0xb2 && value === 0xf1;
      },
    },
    [0xb2, 0x604, 0x704],
  );
  writeAcpi(view, at, revision);
  expect(said(() => firmware.acpi(rsdp, ebda))).toBe('acpi: soft-off by port 0x0604, type 5\r\n');
  firmware.softOff();
  expect(writes).toEqual([
    [0xb2, 0xf1], // ACPI mode first
    [0x604, 0x1601],
    [0x604, 0x3601],
    [0x704, 0x1801],
    [0x704, 0x3801],
  ]);
});

test('ACPI tables that are wrong', () => {
  const { firmware, said, view } = start();
  expect(said(() => firmware.acpi(0n, 0))).toBe('acpi: no root pointer\r\n');
  const damaged = (damage: () => void): string => {
    writeAcpi(view, RSDP, 0);
    damage();
    return said(() => firmware.acpi(0n, 0));
  };
  expect(damaged(() => view.setUint8(RSDP + 9, 1))).toBe('acpi: no root pointer\r\n');
  expect(damaged(() => view.setUint8(FADT + 70, 1))).toBe('acpi: bad table at 0x00500200\r\n');
  expect(damaged(() => view.setUint32(FADT + 4, 0x7fffffff, true))).toBe('acpi: bad table at 0x00500200\r\n');
  expect(damaged(() => view.setUint32(RSDT + 4, 3, true))).toBe('acpi: bad table at 0x00500000\r\n');
  const renamed = damaged(() => {
    view.setUint8(DSDT + 36 + 301, 0x58);
    checksum(view, DSDT, view.getUint32(DSDT + 4, true), 9);
  });
  expect(renamed).toBe('acpi: soft-off by port 0x0604 not possible: no \\_S5 package\r\n');
});

test('the MADT', () => {
  const { firmware, said, view } = start();
  const read = (...entries: number[][]): string => {
    writeAcpi(view, RSDP, 0);
    if (entries.length > 0)
      writeTable(view, MADT, 'APIC', [...word(0xfee00000), ...word(1), ...entries.flat()]);
    const { firmware: fresh, said: freshSaid, view: freshView } = start(); // its lists only grow
    for (const at of [RSDP, RSDT, XSDT, FADT, MADT, DSDT])
      for (let i = 0; i < 0x100; i++) freshView.setUint8(at + i, view.getUint8(at + i));
    return freshSaid(() => fresh.interrupts());
  };
  expect(said(() => firmware.interrupts())).toBe('acpi: no root pointer\r\nCPUs, I/O APICs, overrides\r\n');
  expect(read()).toBe(
    'CPUs 2 4660, I/O APICs 0xfec00000+0 0xfec10000+24, overrides 0=2:0x0000 11=11:0x000d\r\n',
  );
  const cpu = [0, 8, 0, 7, ...word(1)];
  // An entry without length, one that ends behind the table, one that is too short for its type.
  expect(read(cpu, [0, 0], cpu)).toMatch(/^CPUs 7,/);
  expect(read(cpu, [0, 9, 0, 8, ...word(1)])).toMatch(/^CPUs 7,/);
  expect(read([0, 7, 0, 8, 1, 0, 0], cpu, [1, 2], [2, 2])).toBe('CPUs 7, I/O APICs, overrides\r\n');
  expect(read([2, 10, 0, 200, ...word(3), 0, 0])).toBe('CPUs, I/O APICs, overrides\r\n');
});

test('virtio-mmio devices in the DSDT', () => {
  const { firmware, said, view } = start();
  expect(said(() => firmware.platform())).toBe('acpi: no root pointer\r\ndevices\r\n');
  const read = (device: Buffer): string => {
    writeAcpi(view, RSDP, 0);
    writeTable(view, DSDT, 'DSDT', [...MMIO_DEVICE, ...device]);
    return said(() => firmware.platform());
  };
  const first = 'devices 0xfeb02e00+0x0200:47high';
  const changed = (at: number, ...bytes: number[]): Buffer => {
    const device = Buffer.from(MMIO_DEVICE);
    device.set(bytes, at);
    return device;
  };
  expect(read(changed(MMIO_REGISTERS + 4, 0x00, 0x00, 0xb0))).toBe(`${first} 0xfeb00000+0x0200:47high\r\n`);
  expect(read(changed(MMIO_REGISTERS + 15, 0x05))).toBe(`${first} 0xfeb02e00+0x0200:47low\r\n`);
  expect(read(changed(MMIO_REGISTERS, 0x87))).toBe(`${first}\r\n`); // no registers that are known
  expect(read(changed(MMIO_REGISTERS + 1, 0xff, 0xff))).toBe(`${first}\r\n`); // a length beyond the table
  expect(read(changed(MMIO_REGISTERS + 12, 0x79))).toBe(`${first}\r\n`); // the end before the interrupt
  for (let bytes = 0; bytes < MMIO_DEVICE.length - 2; bytes++)
    expect(read(MMIO_DEVICE.subarray(0, bytes))).toBe(`${first}\r\n`);
});

test.each([
  ['in page 0, which is never mapped', 0x500, 0, 0x400],
  ['that ends behind the BIOS area, in the kernel', 0xffff0, 0, 0],
  ['whose revision 2 part is in the kernel', 0xfffe0, 2, 0],
])('ACPI root pointer %s', (_, at, revision, ebda) => {
  const { firmware, said, view } = start();
  writeAcpi(view, at, revision);
  view.setBigUint64(at + 24, 1n, true);
  checksum(view, at, 36, 32);
  const usable = revision === 2; // its first part
  expect(said(() => firmware.acpi(0n, ebda))).toBe(
    usable ? 'acpi: soft-off by port 0x0604, type 5\r\n' : 'acpi: no root pointer\r\n',
  );
});

test('ACPI tables of a root pointer that is gone are not read again', () => {
  const { firmware, said, view } = start();
  writeAcpi(view, RSDP, 0);
  said(() => firmware.acpi(0n, 0));
  view.setUint8(RSDP, 0);
  view.setUint32(RSDT + 4, 0xd200002c, true);
  expect(said(() => firmware.acpi(0n, 0))).toBe('acpi: no root pointer\r\n');
});

test.each([
  ['DMA', 3],
  ['ports alone', 1],
])('fw_cfg by %s', (_, ways) => {
  const line = 'job=read sector=3';
  const files = ['etc/acpi/tables', 'opt/yaos/cmdline', 'opt/yaos/cmdline2'];
  const directory = Buffer.alloc(4 + files.length * 64);
  directory.writeUInt32BE(files.length, 0);
  files.forEach((name, i) => {
    directory.writeUInt32BE(line.length, 4 + i * 64);
    directory.writeUInt16BE(0x20 + i, 8 + i * 64);
    directory.write(name, 12 + i * 64);
  });
  let item = Buffer.alloc(0);
  let at = 0;
  const items = new Map([
    [0, Buffer.from('QEMU')],
    [0x19, directory],
    [0x21, Buffer.from(line)],
  ]);
  const machine: ReturnType<typeof start> = start(
    {
      read: (port) => (port === 0x511 ? (item[at++] ?? 0) : undefined),
      write: (port, value) => {
        if (port === 0x510) {
          item = value === 1 ? Buffer.from([ways, 0, 0, 0]) : (items.get(value) ?? Buffer.alloc(0));
          at = 0;
        } else if (port === 0x518) {
          expect(ways & 2).toBe(2);
          const command = Buffer.from(value.toString(16).padStart(8, '0'), 'hex').readUInt32LE();
          const { view } = machine;
          const control = view.getUint32(command, false);
          expect(control & 0xffff).toBe(8 | 2);
          const data = items.get(control >>> 16) ?? Buffer.alloc(0);
          const into = Number(view.getBigUint64(command + 8, false));
          for (let i = 0; i < view.getUint32(command + 4, false); i++) view.setUint8(into + i, data[i] ?? 0);
          view.setUint32(command, 0, false);
        }
      },
    },
    [0x510, 0x511, 0x514, 0x518],
  );
  const read = (most = 1024) => machine.said(() => machine.firmware.file(0x4000, most));
  expect(read()).toBe(`file [${line}]\r\n`);
  expect(read(9)).toBe('file [job=read]\r\n'); // cut to what fits
  directory.writeUInt32BE(0xffffffff, 0); // more entries than the device has
  expect(read()).toBe(`file [${line}]\r\n`);
  directory.writeUInt32BE(0xfffffff0, 4 + 64); // a size beyond everything
  expect(read()).toMatch(/^file \[job=read sector=3/);
});

test('damaged information never traps', () => {
  const seed = Number(process.env.YAOS_SEED ?? 1);
  const random = generator(seed);
  let { firmware, said, view } = start();
  const places: [number, number][] = [
    [INFO, 0x220],
    [RSDP, 36],
    [RSDT, 0x300],
    [MADT, 0x100],
    [DSDT, 440],
  ];
  for (let round = 0; round < 3000; round++) {
    if (round % 200 === 0) ({ firmware, said, view } = start()); // the heap only grows
    const pvh = random(2) === 1;
    for (let i = 0; i < 0x300; i++) view.setUint8(INFO + i, 0);
    if (pvh) writePvh(view);
    else writeMultiboot(view);
    writeAcpi(view, RSDP, random(3));
    for (let flips = 1 + random(4); flips > 0; flips--) {
      const [from, bytes] = places[random(places.length)]!;
      view.setUint8(from + random(bytes), random(256));
    }
    if (random(2)) {
      // With checksums made right again, so that the damage is looked at.
      for (const table of [FADT, MADT, DSDT, RSDT, XSDT]) {
        const length = view.getUint32(table + 4, true);
        if (length < 4096) checksum(view, table, length, 9);
      }
      checksum(view, RSDP, 20, 8);
      checksum(view, RSDP, 36, 32);
    }
    try {
      said(() => (pvh ? firmware.pvh(INFO) : firmware.multiboot(INFO)));
      said(() => firmware.acpi(0n, 0));
      said(() => firmware.interrupts());
      said(() => firmware.platform());
    } catch (error) {
      expect.fail(`YAOS_SEED=${seed} round ${round}: ${error}`);
    }
  }
});
