// build/image.ts: the image's layout as users see it (sector 0, sector 1, at least 1 MiB), and a one-line error
// for each kernel that cannot be booted.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeImage } from '../../build/image.ts';
import { Workbench } from './machine.ts';

const SECTOR = 512;
const MIB = 1 << 20;

let bench: Workbench;
let kernel: Uint8Array;

beforeAll(() => {
  bench = new Workbench();
  kernel = bench.kernel('kernel');
});
afterAll(() => bench.close());

test('boot block, kernel, loader', () => {
  const image = Buffer.from(makeImage(bench.boot, kernel));
  expect(image.length).toBe(MIB);
  expect([...image.subarray(510, 512)]).toEqual([0x55, 0xaa]);
  expect(image.subarray(SECTOR, SECTOR + 4).toString('latin1')).toBe('\x7fELF');
  const stripped = bench.path('stripped.elf');
  bench.tool('objcopy', ['--strip-all', bench.path('kernel.elf'), stripped]);
  const loads = bench.tool('readelf', ['-lW', stripped]).match(/LOAD.*/g)!;
  for (const load of loads) {
    const [offset, , , size] = load.split(/\s+/).slice(1).map(Number);
    const inImage = image.subarray(SECTOR + offset, SECTOR + offset + size);
    const linked = Buffer.from(kernel.subarray(offset, offset + size));
    if (offset === 0) linked.fill(0, 40, 48).fill(0, 60, 64); // where the section headers would be
    expect(inImage.equals(linked)).toBe(true);
  }
  expect(image.includes('boot: bad kernel image')).toBe(true);
});

test('the kernel in the image is a file that readelf takes', () => {
  bench.write('sector1.elf', makeImage(bench.boot, kernel).subarray(SECTOR));
  expect(bench.tool('readelf', ['-hW', bench.path('sector1.elf')])).toMatch(
    /Number of section headers: +0\n/,
  );
});

test('one active partition holds all that is behind the boot block', () => {
  const image = makeImage(bench.boot, kernel);
  const view = new DataView(image.buffer);
  expect(image[446]).toBe(0x80);
  expect(view.getUint32(446 + 8, true)).toBe(1);
  expect(view.getUint32(446 + 12, true)).toBe(MIB / SECTOR - 1);
  expect(image.subarray(462, 510).every((byte) => byte === 0)).toBe(true);
});

test('a large kernel makes a large image, in whole sectors', () => {
  const large = bench.kernel('large', { padding: new Uint8Array(2 * MIB) });
  const image = makeImage(bench.boot, large);
  expect(image.length).toBeGreaterThan(2 * MIB);
  expect(image.length % SECTOR).toBe(0);
});

describe('refused, in one line:', () => {
  const set64 = (at: number, value: bigint) => (elf: DataView) => elf.setBigUint64(at, value, true);
  test.each([
    ['no ELF', (elf: DataView) => elf.setUint32(0, 0), 'not an ELF file'],
    ['ELF32', (elf: DataView) => elf.setUint8(4, 1), 'not an x86-64 executable'],
    ['an object', (elf: DataView) => elf.setUint8(16, 1), 'not an x86-64 executable'],
    ['AArch64', (elf: DataView) => elf.setUint8(18, 183), 'not an x86-64 executable'],
    ['headers far off', set64(32, 1n << 40n), 'its program headers do not lie in its first 1024 bytes'],
    ['no headers', (elf: DataView) => elf.setUint16(56, 0), 'its program headers do not lie'],
    [
      'a virtual entry',
      set64(24, 0xffffffff80101000n),
      'the entry 0xffffffff80101000 is not a physical address',
    ],
    ['a high segment', set64(64 + 24, 0x40000000n), 'program header 0 is loaded at 0x40000000'],
    ['a huge segment', set64(64 + 40, 1n << 63n), 'not between 1 MiB and 8 MiB'],
    ['a segment past the end', set64(64 + 8, 1n << 62n), 'program header 0 does not lie in the file'],
    ['filesz above memsz', set64(64 + 40, 1n), 'program header 0 does not lie in the file'],
  ])('%s', (_, change, message) => {
    const elf = Uint8Array.from(kernel);
    change(new DataView(elf.buffer));
    expect(() => makeImage(bench.boot, elf)).toThrow(message);
    expect(() => makeImage(bench.boot, elf)).toThrow(/^yaos: kernel\.elf: .*$/);
  });

  test.each([0, 1, 63, 64, 1023])('a kernel cut to %d bytes', (length) => {
    expect(() => makeImage(bench.boot, kernel.subarray(0, length))).toThrow('not an ELF file');
  });

  test('a boot block without its signature, or without a loader', () => {
    expect(() => makeImage(new Uint8Array(1024), kernel)).toThrow(
      'yaos: boot.bin: not a boot block and loader',
    );
    expect(() => makeImage(bench.boot.subarray(0, 512), kernel)).toThrow('yaos: boot.bin:');
  });
});
