// A buddy allocator (Knuth, The Art of Computer Programming 1, 2.5): free memory as blocks of powers of two, each at a
// multiple of its size, which are halved when less is wanted and joined with their other half when that is free too.
// What is free is known by bitmaps, one for each size, so that it also keeps account of memory that cannot be reached.

import { panic } from '../lib/panic.ts';

/** 2^15 frames, 128 MiB, is the largest block. */
const ORDERS: u32 = 16;
export const NO_FRAME: u32 = u32.MAX_VALUE;

/** Bytes of all bitmaps for so many frames. */
export function bitmapBytes(frames: u32): u32 {
  let bytes: u32 = 0;
  for (let order: u32 = 0; order < ORDERS; order++) bytes += wordsOf(frames, order) * 8;
  return bytes;
}

function wordsOf(frames: u32, order: u32): u32 {
  return (frames >> (order + 6)) + 1;
}

export class Buddy {
  freeFrames: u32 = 0;
  /** By order: address of the bitmap, and how many bits are set. */
  private readonly bitmaps: StaticArray<u32> = new StaticArray<u32>(ORDERS);
  private readonly counts: StaticArray<u32> = new StaticArray<u32>(ORDERS);

  /** Nothing is free at first; `bitmaps`: where bitmapBytes(frames) bytes are, of any content. */
  constructor(
    bitmaps: u32,
    private readonly frames: u32,
  ) {
    memory.fill(bitmaps, 0, bitmapBytes(frames));
    for (let order: u32 = 0; order < ORDERS; order++) {
      this.bitmaps[order] = bitmaps;
      bitmaps += wordsOf(frames, order) * 8;
    }
  }

  /**
   * The first of `count` frames in a row, at the lowest place in `from` … `to` - 1; NO_FRAME: there are none. Both are
   * multiples of the largest block, or `to` is beyond all frames: no block lies across them.
   */
  allocate(count: u32, from: u32, to: u32): u32 {
    if (count === 0 || count > 1 << (ORDERS - 1)) return NO_FRAME;
    let frame: u32 = NO_FRAME;
    let found: u32 = 0;
    for (let order: u32 = 32 - clz(count - 1); order < ORDERS; order++) {
      const first = this.find(order, from, to);
      if (first >= frame) continue;
      frame = first;
      found = order;
    }
    if (frame === NO_FRAME) return NO_FRAME;
    this.clear(frame >> found, found);
    this.freeFrames -= 1 << found;
    this.release(frame + count, (1 << found) - count);
    return frame;
  }

  /** Makes `count` frames free, which are not. */
  release(frame: u32, count: u32): void {
    while (count > 0) {
      const order = min(min(ctz(frame), 31 - clz(count)), ORDERS - 1);
      this.releaseBlock(frame, order);
      frame += 1 << order;
      count -= 1 << order;
    }
  }

  /** Frames of the largest free block. */
  largest(): u32 {
    for (let order: u32 = ORDERS; order-- > 0; ) if (this.counts[order] > 0) return 1 << order;
    return 0;
  }

  private releaseBlock(frame: u32, order: u32): void {
    for (let above: u32 = 0; above < ORDERS; above++)
      if (this.has(frame >> above, above)) panic('memory is given back that is free');
    this.freeFrames += 1 << order;
    let index = frame >> order;
    while (order + 1 < ORDERS && this.has(index ^ 1, order)) {
      this.clear(index ^ 1, order);
      index >>= 1;
      order++;
    }
    const word = this.word(index, order);
    store<u64>(word, load<u64>(word) | bit(index));
    this.counts[order]++;
  }

  private find(order: u32, from: u32, to: u32): u32 {
    if (this.counts[order] === 0) return NO_FRAME;
    const end = min(to, this.frames) >> order;
    let index = (from + (1 << order) - 1) >> order;
    while (index < end) {
      const set = load<u64>(this.word(index, order)) >> (index & 63);
      if (set !== 0) {
        index += ctz(set) as u32;
        return index < end ? index << order : NO_FRAME;
      }
      index = (index | 63) + 1;
    }
    return NO_FRAME;
  }

  private has(index: u32, order: u32): bool {
    return index <= this.frames >> order && (load<u64>(this.word(index, order)) & bit(index)) !== 0;
  }

  private clear(index: u32, order: u32): void {
    const word = this.word(index, order);
    store<u64>(word, load<u64>(word) & ~bit(index));
    this.counts[order]--;
  }

  private word(index: u32, order: u32): u32 {
    return this.bitmaps[order] + (index >> 6) * 8;
  }
}

function bit(index: u32): u64 {
  return (1 as u64) << (index & 63);
}
