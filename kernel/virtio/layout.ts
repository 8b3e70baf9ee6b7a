// Where the three parts of a ring lie (virtio 1.2 §2.7, §2.8), which is all that a transport has to know of it.

import * as frames from '../mm/frames.ts';
import { PAGE } from '../mm/layout.ts';

export const DESCRIPTOR_BYTES: u32 = 16;
const AVAILABLE_EXTRA: u32 = 6; // flags, idx, used_event
const USED_EXTRA: u32 = 6; // flags, idx, avail_event
/** An event suppression structure has four bytes (§2.8.10.1); each gets a cache line of its own. */
const EVENT_STRIDE: u32 = 64;

export class RingLayout {
  constructor(
    public readonly size: u32,
    /** Descriptor area; the block of memory starts with it. */
    public readonly descriptors: u32,
    /** Driver area: the available ring; the packed ring's driver event suppression. */
    public readonly driver: u32,
    /** Device area: the used ring; the packed ring's device event suppression. */
    public readonly device: u32,
    /** Of the whole block. */
    readonly bytes: u32,
  ) {
    this.clear();
  }

  /** As a device wants to find it when the queue is enabled. */
  clear(): void {
    memory.fill(this.descriptors, 0, this.bytes);
  }
}

/**
 * One block of memory, as §2.7.2 lays it out for legacy devices: the used ring on the first page boundary after the other
 * two. A modern device takes any addresses with the alignments of §2.7, so it is served with the same.
 */
export function splitLayout(size: u32): RingLayout {
  const bytes = ringBytes(size);
  const start = frames.allocate(bytes);
  const available = start + size * DESCRIPTOR_BYTES;
  return new RingLayout(size, start, available, start + usedOffset(size), bytes);
}

export function packedLayout(size: u32): RingLayout {
  const events = size * DESCRIPTOR_BYTES;
  const bytes = events + 2 * EVENT_STRIDE;
  const start = frames.allocate(bytes);
  return new RingLayout(size, start, start + events, start + events + EVENT_STRIDE, bytes);
}

/** Memory that a split ring takes; a packed one takes less. */
export function ringBytes(size: u32): u32 {
  return usedOffset(size) + size * 8 + USED_EXTRA;
}

function usedOffset(size: u32): u32 {
  const first = size * DESCRIPTOR_BYTES + size * 2 + AVAILABLE_EXTRA;
  return (first + PAGE - 1) & ~(PAGE - 1);
}
