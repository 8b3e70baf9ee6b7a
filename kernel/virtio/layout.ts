// Where the three parts of a split ring lie (virtio 1.2 §2.7), which is all that a transport has to know of it.

import * as frames from '../mm/frames.ts';
import { PAGE } from '../mm/layout.ts';

export const DESCRIPTOR_BYTES: u32 = 16;
const AVAILABLE_EXTRA: u32 = 6; // flags, idx, used_event
const USED_EXTRA: u32 = 6; // flags, idx, avail_event

export class RingLayout {
  readonly descriptors: u32;
  readonly available: u32;
  readonly used: u32;

  /**
   * One block of memory, as §2.7.2 lays it out for legacy devices: the used ring on the first page boundary after
   * the other two. A modern device takes any addresses with the alignments of §2.7, so it is served with the same.
   */
  constructor(public readonly size: u32) {
    const bytes = ringBytes(size);
    const start = frames.allocate(bytes);
    memory.fill(start, 0, bytes);
    this.descriptors = start;
    this.available = start + size * DESCRIPTOR_BYTES;
    this.used = start + usedOffset(size);
  }
}

/** Memory that a ring takes. */
export function ringBytes(size: u32): u32 {
  return usedOffset(size) + size * 8 + USED_EXTRA;
}

function usedOffset(size: u32): u32 {
  const first = size * DESCRIPTOR_BYTES + size * 2 + AVAILABLE_EXTRA;
  return (first + PAGE - 1) & ~(PAGE - 1);
}
