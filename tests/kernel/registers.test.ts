// Register maps: which accesses reach the device, and with which values.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ByteRegisters, type Kernel, Machine } from '../../machine/index.ts';
import { compileParts } from './compile.ts';

const ENTRY = `
import { BYTE, CACHED, LONG, Window, WORD } from './bus/window.ts';

const ports = new Window(0x300, 16, true);
const memory = new Window(0xfed00000, 16, false);
function map(which: u32): Window { return which === 0 ? ports : memory; }
function register(width: u32, cached: bool, offset: u32): u32 {
  return (width === 1 ? BYTE : width === 2 ? WORD : LONG) | (cached ? CACHED : 0) | offset;
}
export function read(which: u32, width: u32, cached: bool, offset: u32): u32 {
  return map(which).read(register(width, cached, offset));
}
export function write(which: u32, width: u32, cached: bool, offset: u32, value: u32): void {
  map(which).write(register(width, cached, offset), value);
}
export function update(which: u32, width: u32, cached: bool, offset: u32, mask: u32, value: u32): void {
  map(which).update(register(width, cached, offset), mask, value);
}
export function forget(which: u32): void { map(which).forget(); }
`;

interface Maps {
  read(which: number, width: number, cached: number, offset: number): number;
  write(which: number, width: number, cached: number, offset: number, value: number): void;
  update(which: number, width: number, cached: number, offset: number, mask: number, value: number): void;
  forget(which: number): void;
}

let kernel: Kernel;
let maps: Maps;
let accesses: string[];
let bytes: ByteRegisters;

beforeAll(async () => {
  kernel = await compileParts(ENTRY);
});

beforeEach(() => {
  accesses = [];
  bytes = new ByteRegisters(16);
  const pc = new Machine();
  const registers = {
    read(offset: number, width: 1 | 2 | 4) {
      accesses.push(`r${width} ${offset}`);
      return bytes.read(offset, width);
    },
    write(offset: number, width: 1 | 2 | 4, value: number) {
      accesses.push(`w${width} ${offset} ${value.toString(16)}`);
      bytes.write(offset, width, value);
    },
  };
  maps = pc.load(kernel) as unknown as Maps;
  pc.ports.map(0x300, 16, registers);
  pc.memory.map(0xfed0_0000, 16, registers);
  pc.pages.map(0xfed0_0000, 0xfed0_0000, 4096, 3);
});

describe.each([
  ['ports', 0],
  ['memory', 1],
])('%s', (_, which) => {
  test('each width, and bits changed', () => {
    maps.write(which, 4, 0, 4, 0x1234_5678);
    expect(maps.read(which, 4, 0, 4)).toBe(0x1234_5678);
    expect(maps.read(which, 2, 0, 6)).toBe(0x1234);
    expect(maps.read(which, 1, 0, 5)).toBe(0x56);
    maps.update(which, 2, 0, 4, 0xff00, 0x0081);
    maps.update(which, 2, 0, 4, 0xff00, 0x0001); // all is so already
    expect(accesses).toEqual(['w4 4 12345678', 'r4 4', 'r2 6', 'r1 5', 'r2 4', 'w2 4 f9', 'r2 4']);
  });

  test('what is cached is asked for until it is written, and neither read nor written twice', () => {
    expect([maps.read(which, 2, 1, 8), maps.read(which, 2, 1, 8)]).toEqual([0, 0]);
    for (const value of [3, 3, 4, 4]) maps.write(which, 2, 1, 8, value);
    expect(maps.read(which, 2, 1, 8)).toBe(4);
    maps.update(which, 2, 1, 8, 4, 8);
    maps.update(which, 2, 1, 8, 0, 8);
    expect(accesses).toEqual(['r2 8', 'r2 8', 'w2 8 3', 'w2 8 4', 'w2 8 8']);
    maps.forget(which);
    expect(maps.read(which, 2, 1, 8)).toBe(8);
    maps.write(which, 2, 1, 8, 8);
    expect(accesses.slice(5)).toEqual(['r2 8', 'w2 8 8']);
  });

  test.each([
    [4, 13],
    [2, 15],
    [1, 16],
    [4, 0x7fffffc],
  ])('%i bytes at %i are beyond it', (width, offset) => {
    expect(() => maps.read(which, width, 0, offset)).toThrow();
    expect(() => maps.write(which, width, 0, offset, 0)).toThrow();
    expect(accesses).toEqual([]);
  });
});
