// The kernel's heap against a list of what is taken: random requests, returns and changes of size. Each piece of memory is
// filled with a byte of its own while it is taken.

import { beforeAll, describe, expect, test } from 'vitest';
import { type Kernel, Machine } from '../../machine/index.ts';
import { compileParts } from './compile.ts';
import { generator } from './random.ts';

const SEED = Number(process.env.YAOS_SEED ?? 1);
const PAGE = 4096;
const HEAP_END = 0xa0_0000;
const ENTRY = `
import * as frames from './mm/frames.ts';
import * as heap from './mm/heap.ts';
import * as objects from './mm/objects.ts';
import { Regions } from './mm/regions.ts';
import { allocate, release, resize } from './mm/heap.ts';
export { allocate, release, resize };
export function prepare(): void {
  const ram = new Regions();
  ram.add(0x10_0000, 0x3f0_0000);
  frames.init(ram, 'the test');
}
export function usedBytes(): u32 { return heap.usedBytes() as u32; }
export function freeBytes(): u32 { return frames.freeBytes() as u32; }
class Me extends objects.Makers {
  readonly maker: objects.Maker = new objects.Maker();
  current(): objects.Maker { return this.maker; }
}
objects.setMakers(new Me());
export function openArena(): objects.Arena {
  const arena = objects.newArena();
  objects.makeIn(arena);
  return arena;
}
export function closeArena(arena: objects.Arena): void {
  objects.makeIn(null);
  arena.free();
}
export function newObject(bytes: usize): usize { return changetype<usize>(new ArrayBuffer(bytes as i32)); }
class Two { a: u32 = 1; b: Two | null = null; }
export function object(): usize { return changetype<usize>(new Two()); }
export function freeObject(object: usize): void { objects.free(changetype<Two>(object)); }
`;

interface Exports {
  prepare(): void;
  allocate(bytes: number): number;
  release(address: number): void;
  resize(address: number, bytes: number): number;
  usedBytes(): number;
  freeBytes(): number;
  openArena(): number;
  closeArena(arena: number): void;
  newObject(bytes: number): number;
  object(): number;
  freeObject(object: number): void;
}

let kernel: Kernel;
beforeAll(async () => {
  kernel = await compileParts(ENTRY, 'release');
}, 60_000);

function load() {
  const pc = new Machine({ memory_mib: 64 });
  const heap = pc.load(kernel) as unknown as Exports;
  heap.prepare();
  return { heap, bytes: pc.ram.bytes };
}

interface Piece {
  at: number;
  length: number;
  filling: number;
}

test.each([40, 300, 3000, 20_000])(`up to %i bytes, seed ${SEED}`, (most) => {
  const { heap, bytes } = load();
  const random = generator(SEED + most);
  const before = heap.usedBytes();
  const pieces: Piece[] = [];
  const intact = ({ at, length, filling }: Piece) => {
    expect(bytes.subarray(at, at + length).every((byte) => byte === filling)).toBe(true);
  };
  const fill = (at: number, length: number) => {
    expect(at % 16).toBe(0);
    const piece = { at, length, filling: 1 + random(255) };
    bytes.fill(piece.filling, at, at + length);
    pieces.push(piece);
  };
  for (let i = 0; i < 3000; i++) {
    const what = random(10);
    // Now more are taken, now more are given back.
    if (what === 0 && pieces.length > 0) {
      const [piece] = pieces.splice(random(pieces.length), 1);
      intact(piece!);
      const length = random(most + 1);
      const at = heap.resize(piece!.at, length);
      intact({ ...piece!, at, length: Math.min(piece!.length, length) });
      fill(at, length);
    } else if (what < (i % 1000 < 500 ? 7 : 4) || pieces.length === 0) {
      const length = random(most + 1);
      const at = heap.allocate(length);
      expect(bytes.subarray(at, at + length).every((byte) => byte === 0)).toBe(true);
      fill(at, length);
    } else {
      const [piece] = pieces.splice(random(pieces.length), 1);
      intact(piece!);
      heap.release(piece!.at);
    }
  }
  for (const piece of pieces) intact(piece);
  for (const { at } of pieces) heap.release(at);
  expect(heap.usedBytes()).toBe(before);
});

test('beyond its own memory it takes frames, and gives them back', () => {
  const { heap } = load();
  const free = heap.freeBytes();
  const all: number[] = [];
  while ((all.at(-1) ?? 0) < HEAP_END) all.push(heap.allocate(2000));
  const more = Array.from({ length: 100 }, () => heap.allocate(2000));
  expect(heap.freeBytes()).toBe(free - 51 * PAGE); // two to a page, and one was there
  for (const at of [...more, ...all]) heap.release(at);
  expect(heap.freeBytes()).toBeGreaterThanOrEqual(free - PAGE); // an empty page may stay for the next
  const again = Array.from({ length: all.length }, () => heap.allocate(2000));
  expect(again.filter((at) => at < HEAP_END).length).toBeGreaterThanOrEqual(all.length - 2);
});

test.each([1, 16, 100, 3000])('an arena of objects of up to %i bytes is given back', (most) => {
  const { heap, bytes } = load();
  const random = generator(SEED + most);
  const own = heap.newObject(20);
  heap.release(heap.allocate(2000));
  const before = [heap.usedBytes(), heap.freeBytes()];
  for (let round = 0; round < 20; round++) {
    const arena = heap.openArena();
    const ends: number[] = [];
    for (let i = 0; i < 200; i++) {
      const length = random(most + 1);
      const at = heap.newObject(length);
      expect(at % 16).toBe(0);
      expect(bytes.subarray(at, at + length).every((byte) => byte === 0)).toBe(true);
      bytes.fill(0xee, at, at + length);
      if (i % 5 === 0) heap.freeObject(at); // which is nothing, here
      ends.push(at, at + length);
    }
    expect(heap.usedBytes()).toBeGreaterThan(before[0]!);
    heap.closeArena(arena);
    expect([heap.usedBytes(), heap.freeBytes()]).toEqual(before);
    for (let i = 0; most < PAGE / 2 && i < ends.length; i += 2)
      expect(bytes.subarray(ends[i], ends[i + 1]).every((byte) => byte === 0)).toBe(true);
  }
  heap.freeObject(own);
});

describe('memory that nobody has', () => {
  test.each([
    ['twice', (heap: Exports) => [heap.allocate(100)].flatMap((at) => [at, at])],
    ['twice, of several pages', (heap: Exports) => [heap.allocate(9000)].flatMap((at) => [at, at])],
    ['in the middle', (heap: Exports) => [heap.allocate(100) + 16]],
    ['in the middle of several pages', (heap: Exports) => [heap.allocate(9000) + 16]],
    ['beside it', (heap: Exports) => [heap.allocate(100) + 128]],
  ])('%s', (_, addresses) => {
    const { heap } = load();
    heap.allocate(100);
    const [last, ...before] = addresses(heap).reverse();
    for (const at of before) heap.release(at);
    expect(() => heap.release(last!)).toThrow('unreachable');
  });
});

test('an object that was given back holds nothing', () => {
  const { heap, bytes } = load();
  const object = heap.object();
  expect(bytes[object]).toBe(1);
  heap.freeObject(object);
  expect([...bytes.subarray(object - 16, object + 8)].every((byte) => byte === 0)).toBe(true);
  expect(heap.object()).toBe(object);
  expect(() => heap.freeObject(object + 16)).toThrow('unreachable');
});

test.each([0x4000_0000, 0x7fff_ffff, -4096, -4064, -1])('%i bytes are too many', (bytes) => {
  const { heap } = load();
  expect(() => heap.allocate(bytes)).toThrow('unreachable');
});
