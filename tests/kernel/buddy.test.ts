// The kernel's buddy allocator against a plain list of which frames are free: random requests and returns.

import { beforeAll, expect, test } from 'vitest';
import { type Kernel, Machine } from '../../machine/index.ts';
import { compileParts } from './compile.ts';
import { generator } from './random.ts';

const SEED = Number(process.env.YAOS_SEED ?? 1);
const NO_FRAME = 0xffff_ffff;
const LARGEST = 2 ** 15;
const ENTRY = `
import { Buddy, bitmapBytes } from './mm/buddy.ts';
let buddy: Buddy | null = null;
export function create(frames: u32): u32 { buddy = new Buddy(0xc0_0000, frames); return bitmapBytes(frames); }
export function allocate(count: u32, from: u32, to: u32): u32 { return buddy!.allocate(count, from, to); }
export function release(frame: u32, count: u32): void { buddy!.release(frame, count); }
export function free(): u32 { return buddy!.freeFrames; }
export function largest(): u32 { return buddy!.largest(); }
`;

interface Exports {
  create(frames: number): number;
  allocate(count: number, from: number, to: number): number;
  release(frame: number, count: number): void;
  free(): number;
  largest(): number;
}

let kernel: Kernel;
beforeAll(async () => {
  kernel = await compileParts(ENTRY);
}, 60_000);

function load(): Exports {
  return new Machine({ memory_mib: 16 }).load(kernel) as unknown as Exports;
}

/** The longest run of free frames that starts at a multiple of its length, a power of two. */
function largestBlock(free: readonly boolean[]): number {
  for (let size = LARGEST; size >= 1; size /= 2)
    for (let at = 0; at + size <= free.length; at += size)
      if (free.slice(at, at + size).every(Boolean)) return size;
  return 0;
}

test.each([1, 63, 64, 1000, 4097, 70_000])(`%i frames, seed ${SEED}`, (frames) => {
  const buddy = load();
  const random = generator(SEED + frames);
  buddy.create(frames);
  const free: boolean[] = new Array(frames).fill(false);
  const taken: { frame: number; count: number }[] = [{ frame: 0, count: frames }];
  for (let i = 0; i < 500; i++) {
    if (taken.length > 0 && random(2) === 0) {
      const [range] = taken.splice(random(taken.length), 1);
      const kept = random(3) === 0 ? random(range!.count) : 0; // a part may be given back
      if (kept > 0) taken.push({ frame: range!.frame, count: kept });
      buddy.release(range!.frame + kept, range!.count - kept);
      free.fill(true, range!.frame + kept, range!.frame + range!.count);
    } else {
      const count = 1 + random(Math.min(frames, 1 << random(10)));
      const from = random(4) === 0 ? LARGEST * random(3) : 0;
      const to = random(4) === 0 ? LARGEST * random(3) : frames;
      const frame = buddy.allocate(count, from, to) >>> 0;
      const power = 2 ** Math.ceil(Math.log2(count));
      if (frame === NO_FRAME) {
        for (let at = from; at + power <= Math.min(to, frames); at += power)
          expect(free.slice(at, at + power).every(Boolean), `${count} from ${from} to ${to}`).toBe(false);
        continue;
      }
      expect(frame).toBeGreaterThanOrEqual(from);
      expect(frame + count).toBeLessThanOrEqual(to);
      expect(free.slice(frame, frame + count).every(Boolean)).toBe(true);
      free.fill(false, frame, frame + count);
      taken.push({ frame, count });
    }
    expect(buddy.free()).toBe(free.filter(Boolean).length);
  }
  expect(buddy.largest()).toBe(largestBlock(free));
  for (const { frame, count } of taken) buddy.release(frame, count);
  expect(buddy.free()).toBe(frames);
});

test('what is free cannot be given back again', () => {
  const buddy = load();
  buddy.create(256);
  buddy.release(0, 256);
  const frame = buddy.allocate(8, 0, 256);
  buddy.release(frame, 8);
  expect(() => buddy.release(frame + 3, 1)).toThrow(/unreachable/);
});

test('a range that is too large, or too small', () => {
  const buddy = load();
  buddy.create(1 << 17);
  buddy.release(0, 1 << 17);
  expect(buddy.allocate((1 << 15) + 1, 0, 1 << 17) >>> 0).toBe(NO_FRAME);
  expect(buddy.allocate(0, 0, 1 << 17) >>> 0).toBe(NO_FRAME);
  expect(buddy.allocate(16, LARGEST, LARGEST) >>> 0).toBe(NO_FRAME);
  expect(buddy.allocate(16, 2 * LARGEST, 3 * LARGEST)).toBe(2 * LARGEST);
});
