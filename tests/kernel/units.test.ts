// The kernel's small parts one by one, compiled as a module of their own: text formatting, the command line, the \_S5
// package, feature names, the walk of a capability list, BARs.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { type Kernel, Machine, PciBridge, PciFunction, pciConfig } from '../../machine/index.ts';
import { compileParts, root } from './compile.ts';

const ENTRY = `
import { findS5 } from './acpi/aml.ts';
import { Capabilities } from './bus/pci/capability.ts';
import { PciFunction } from './bus/pci/function.ts';
import * as cmdline from './lib/cmdline.ts';
import { hexdump } from './lib/hexdump.ts';
import { bare } from './lib/log.ts';
import { appendNames } from './virtio/features.ts';
import { VERSION } from './version.ts';

export { findS5, hexdump };
export function version(): void { bare().text(VERSION).end(); }
export function decimal(value: u64): void { bare().decimal('', value).end(); }
export function hex(value: u64, digits: u32): void { bare().hex('', value, digits).end(); }
export function size(value: u64): void { bare().size('', value).end(); }
export function bytes(at: u32, most: u32): void { bare().bytes(at, most).end(); }
export function repeat(count: u32): void {
  const line = bare();
  for (let i: u32 = 0; i < count; i++) line.text('0123456789');
  line.end();
}
const names: StaticArray<string> = ['ZERO', '', 'TWO'];
export function features(bits: u64): void { appendNames(bare(), bits, names).end(); }
export function walk(): void {
  const list = new Capabilities(0, 'f');
  while (list.next()) bare().digits('', list.offset, 2).digits(' ', list.id, 2).end();
}
export function inspect(): void { new PciFunction(0x12a00).inspect(); }
export function addLine(at: u32): void { cmdline.add('test', at, 1024); }
export function word(which: u32): void {
  bare().text(cmdline.value(which == 0 ? 'job' : which == 1 ? 'b' : 'none', 'otherwise')).end();
}
export function count(): u32 { return cmdline.number('n', 42, 5000); }
`;

interface Units {
  version(): void;
  findS5(at: number, bytes: number): number;
  hexdump(at: number, bytes: number): void;
  decimal(value: bigint): void;
  hex(value: bigint, digits: number): void;
  size(value: bigint): void;
  bytes(at: number, most: number): void;
  repeat(count: number): void;
  features(bits: bigint): void;
  walk(): void;
  inspect(): void;
  addLine(at: number): void;
  word(which: number): void;
  count(): number;
}

let module: Kernel;
beforeAll(async () => {
  module = await compileParts(ENTRY);
}, 60_000);

const SCRATCH = 0x2000;

/** A function with any configuration space; all that `masks` does not name can be written. */
class AnyFunction extends PciFunction {
  constructor(config: DataView<ArrayBuffer>, masks: Record<number, number>) {
    super(0, 0, 0);
    this.config.bytes.set(new Uint8Array(config.buffer));
    this.config.writable.fill(0xff);
    this.config.clearable.fill(0);
    for (const [register, mask] of Object.entries(masks)) this.config.setWritable(Number(register), mask, 4);
  }
}

/** `config`: configuration space of functions 0000:00:00.0 and 0000:01:05.2; `masks`: what of a register can be written. */
function start(config = new DataView(new ArrayBuffer(256)), masks: Record<number, number> = {}) {
  const machine = new Machine({ memory_mib: 16 });
  const fn = new AnyFunction(config, masks);
  const bridge = new PciBridge();
  machine.pci.add(bridge);
  bridge.config.set8(pciConfig.SECONDARY_BUS, 1);
  bridge.config.set8(pciConfig.SUBORDINATE_BUS, 1);
  machine.pci.root.functions[0] = fn;
  machine.pci.add(fn, { bridge, slot: 5, function: 2 });
  const units = machine.load(module) as unknown as Units;
  const memory = machine.ram.bytes;
  /** What the call logs, without the last CR LF. */
  const said = (call: () => void): string => {
    machine.serial.take();
    call();
    const serial = machine.serial.take();
    expect(serial.endsWith('\r\n')).toBe(true);
    return serial.slice(0, -2);
  };
  const put = (bytes: Uint8Array | string): number => {
    memory.fill(0, SCRATCH, SCRATCH + 0x2000);
    memory.set(typeof bytes === 'string' ? Buffer.from(`${bytes}\0`, 'latin1') : bytes, SCRATCH);
    return SCRATCH;
  };
  return { units, said, put, space: fn.config };
}

test('the version is that of package.json', () => {
  const { units, said } = start();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(said(() => units.version())).toBe(version);
});

test('numbers', () => {
  const { units, said } = start();
  for (const value of [0n, 1n, 9n, 10n, 99n, 100n, 4294967295n, 10n ** 19n, (1n << 64n) - 1n]) {
    expect(said(() => units.decimal(value))).toBe(String(value));
    expect(said(() => units.hex(value, 16))).toBe(`0x${value.toString(16).padStart(16, '0')}`);
  }
  expect(said(() => units.hex(0x12345n, 4))).toBe('0x2345');
  expect(said(() => units.size(0n))).toBe('0 bytes');
  expect(said(() => units.size(1023n))).toBe('1023 bytes');
  expect(said(() => units.size(1536n))).toBe('1536 bytes');
  expect(said(() => units.size(640n << 10n))).toBe('640 KiB');
  expect(said(() => units.size(5n << 30n))).toBe('5120 MiB');
});

test('a line has an end, and says when it is cut', () => {
  const { units, said } = start();
  expect(said(() => units.repeat(40))).toBe('0123456789'.repeat(40));
  const long = said(() => units.repeat(1000));
  expect(long).toMatch(/^(0123456789)+\d*\.\.\.$/);
  expect(long.length).toBeLessThan(1024);
});

test('untrusted bytes are shown as printable ASCII', () => {
  const { units, said, put } = start();
  const at = put('a\x1b[31m\x7f\xe9~ z');
  expect(said(() => units.bytes(at, 100))).toBe('a.[31m..~ z');
  expect(said(() => units.bytes(at, 3))).toBe('a.[');
});

test('hexdump', () => {
  const { units, said, put } = start();
  const at = put(Uint8Array.from({ length: 256 }, (_, i) => i));
  const lines = said(() => units.hexdump(at, 256)).split('\r\n');
  expect(lines[0]).toBe('addr:00002000:');
  expect(lines.slice(1)).toEqual(
    Array.from({ length: 16 }, (_, row) => {
      const bytes = Array.from({ length: 16 }, (_, i) => row * 16 + i);
      const hex = bytes.map((byte) => `${byte.toString(16).padStart(2, '0')} `).join('');
      const ascii = bytes.map((b) => (b >= 0x20 && b <= 0x7e ? String.fromCharCode(b) : '.')).join('');
      return `~${(0x2000 + row * 16).toString(16).padStart(8, '0')} - ${hex}${ascii}`;
    }),
  );
});

test('the command line', () => {
  const { units, said, put } = start();
  units.addLine(put('out/kernel.elf xjob=no  job=fault b= n=0123 job=later'));
  expect(said(() => units.word(0))).toBe('fault');
  expect(said(() => units.word(1))).toBe('');
  expect(said(() => units.word(2))).toBe('otherwise');
  expect(units.count()).toBe(123);
});

/** All of kernel/ that says `number('word'` and the like. */
function wordsAskedFor(): Set<string> {
  const folder = join(root, 'kernel');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  const asked = [...text.matchAll(/\b(?:number|value)\(\s*'([^']+)'/g)].map(([, word]) => word!);
  return new Set([...asked, /DEVICE_WORD = '([^']+)'/.exec(text)![1]!]);
}

test('all words that the kernel asks for are known, and no other', () => {
  const text = readFileSync(join(root, 'kernel/lib/words.ts'), 'utf8');
  const known = [...text.matchAll(/^ +'([^']+)'/gm)].flatMap(([, words]) => words!.trim().split(' '));
  expect(known.toSorted()).toEqual([...wordsAskedFor()].toSorted());
});

test.each([
  ['out/kernel.elf job=x', ''],
  ['jo=x', ' jo=x'],
  ['jobs=x job n=1 m=1', ' jobs=x job m=1'],
  ['n=1  \t =5 stop=', ' =5'],
  ['\u00e9=1', ' .=1'],
])('words that nobody knows in <%s>', (line, unknown) => {
  const { units, said, put } = start();
  const lines = said(() => units.addLine(put(line))).split('\n');
  const told = lines.filter((one) => one.startsWith('cmdline: ignored')).join();
  expect(told.replace('cmdline: ignored, there are no such words:', '')).toBe(unknown);
});

test.each(['n=5001', 'n=12x', 'n=-1', 'n=99999999999999999999', 'n=', 'm=1'])('no number in %s', (line) => {
  const { units, put } = start();
  units.addLine(put(line));
  expect(units.count()).toBe(42);
});

// Packages as compilers of ASL write them (ACPI 6.4 §20.2.5).
const S5 = Buffer.from('_S5_');
const packages: [string, number[], number][] = [
  ['four zeros', [0x08, ...S5, 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00], 0],
  ['byte constants', [0x08, ...S5, 0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x07, 0x00, 0x00], 0x705],
  ['one and a byte', [0x08, ...S5, 0x12, 0x07, 0x04, 0x01, 0x0a, 0x03, 0x00, 0x00], 0x301],
  ['a name from the root', [0x08, 0x5c, ...S5, 0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x05, 0x00, 0x00], 0x505],
  ['a length of two bytes', [0x08, ...S5, 0x12, 0x48, 0x00, 0x02, 0x0a, 0x06, 0x0a, 0x06], 0x606],
  ['a single element', [0x08, ...S5, 0x12, 0x04, 0x01, 0x0a, 0x07], 7],
  ['a name that is only used', [0x70, ...S5, 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00], -1],
  ['no package', [0x08, ...S5, 0x0a, 0x05], -1],
  ['no elements', [0x08, ...S5, 0x12, 0x02, 0x00], -1],
  ['a string element', [0x08, ...S5, 0x12, 0x06, 0x02, 0x0d, 0x41, 0x00], -1],
];
test.each(packages)('\\_S5: %s', (_, aml, expected) => {
  const { units, put } = start();
  const table = [...new Uint8Array(36), 0x10, 0x20, ...aml, 0x5b, 0x82];
  expect(units.findS5(put(Uint8Array.from(table)), table.length)).toBe(expected);
});

test('\\_S5: a table that ends anywhere is no harm', () => {
  const { units, put } = start();
  const table = [...new Uint8Array(36), 0x10, 0x20, ...packages[1]![1]];
  const at = put(Uint8Array.from(table));
  // The two elements end 2 bytes before the package does.
  for (let length = 36; length < table.length - 2; length++) expect(units.findS5(at, length)).toBe(-1);
  expect(units.findS5(at, table.length - 2)).toBe(0x705);
});

test('feature names', () => {
  const { units, said } = start();
  expect(said(() => units.features(0n))).toBe('');
  expect(said(() => units.features((1n << 63n) | (1n << 32n) | (1n << 29n) | 7n))).toBe(
    ' ZERO bit1 TWO EVENT_IDX VERSION_1 bit63',
  );
});

function configWith(capabilities: [number, number, number][], first: number, status = 0x10) {
  const config = new DataView(new ArrayBuffer(256));
  config.setUint16(6, status, true);
  config.setUint8(0x34, first);
  for (const [at, id, next] of capabilities) config.setUint16(at, id | (next << 8), true);
  return config;
}

test('capabilities', () => {
  const walk = (config: DataView<ArrayBuffer>): string[] => {
    const { units, said } = start(config);
    return said(() => units.walk()).split('\r\n');
  };
  const list: [number, number, number][] = [
    [0x98, 0x11, 0x85],
    [0x84, 0x09, 0x00],
  ];
  expect(walk(configWith(list, 0x98))).toEqual(['98 11', '84 09']); // the low bits are reserved
  expect(walk(configWith([[0x40, 9, 0x40]], 0x40)).at(-1)).toBe('pci: f: the capability list loops');
  expect(
    walk(
      configWith(
        [
          [0x40, 9, 0x50],
          [0x50, 5, 0x40],
        ],
        0x40,
      ),
    ),
  ).toHaveLength(49);
  expect(walk(configWith([[0x40, 9, 0x10]], 0x40))).toEqual([
    '40 09',
    'pci: f: the capability list leaves its area',
  ]);
  const { units } = start(configWith([[0x40, 9, 0]], 0x40, 0));
  units.walk(); // the status says that there is no list
});

test('BARs of all kinds', () => {
  const config = new DataView(new ArrayBuffer(256));
  const masks: Record<number, number> = {};
  const bar = (register: number, address: number, mask: number, bits: number) => {
    config.setUint32(register, address | bits, true);
    masks[register] = mask & ~bits;
  };
  config.setUint32(0x00, 0x5678_1234, true);
  config.setUint16(0x04, 0x0007, true);
  config.setUint32(0x08, 0x0106_0105, true);
  bar(0x10, 0xc040, 0x0000_ffe0, 1); // the upper half hard-wired to 0
  bar(0x14, 0xfebc_0000, 0xffff_0000, 0);
  bar(0x18, 0xe000_0000, 0xe000_0000, 0xc); // above 4 GiB
  bar(0x1c, 0x0000_0080, 0xffff_ffff, 0);
  bar(0x20, 0x000d_0000, 0x000f_f000, 2);
  bar(0x24, 0, 0xffff_0000, 0xc); // of 64 bits, but it is the last
  bar(0x30, 0xfea0_0000, 0xffff_8001, 0);
  const { units, said, space } = start(config, masks);
  const before = Buffer.from(space.bytes);
  expect(said(() => units.inspect()).split('\r\n')).toEqual([
    'pci: 0000:01:05.2 1234:5678 class 010601',
    'pci: 0000:01:05.2 BAR 0: ports at 0xc040, 32 bytes',
    'pci: 0000:01:05.2 BAR 1: memory32 at 0xfebc0000, 64 KiB',
    'pci: 0000:01:05.2 BAR 2: memory64 at 0x0080e0000000, 512 MiB, prefetchable',
    'pci: 0000:01:05.2 BAR 4: memory20 at 0x000d0000, 4 KiB',
    'pci: 0000:01:05.2 ROM: memory32 at 0xfea00000, 32 KiB',
  ]);
  before[0x05] |= 4; // the pin, which nobody serves as yet
  expect(Buffer.from(space.bytes).equals(before)).toBe(true); // all as it was, decoding on again
  space.set8(0x0e, 1); // a bridge has two BARs, and its ROM elsewhere
  space.set32(0x14, 1); // of ports, but no bit of its address can be set
  space.setWritable(0x14, 0, 4);
  space.set32(0x38, 0);
  space.setWritable(0x38, 0xffff_f801, 4);
  expect(said(() => units.inspect()).split('\r\n')).toEqual([
    'pci: 0000:01:05.2 1234:5678 class 010601',
    'pci: 0000:01:05.2 BAR 0: ports at 0xc040, 32 bytes',
    'pci: 0000:01:05.2 ROM: memory32 at 0x00000000, 2 KiB, not placed',
  ]);
  space.set8(0x0e, 2); // CardBus
  expect(said(() => units.inspect())).toBe('pci: 0000:01:05.2 1234:5678 class 010601');
});
