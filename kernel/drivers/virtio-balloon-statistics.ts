// The memory statistics of a virtio balloon (virtio 1.2 §5.5.6.3): a buffer that the device keeps until it wants new ones.

import * as frames from '../mm/frames.ts';
import { Completions } from '../virtio/completions.ts';
import { Virtqueue } from '../virtio/queue.ts';

// struct virtio_balloon_stat, packed: tag u16, value u64.
const STAT_BYTES: u32 = 10;
const MEMORY_FREE: u16 = 4;
const MEMORY_TOTAL: u16 = 5;
const MEMORY_AVAILABLE: u16 = 6;
const STATS: u32 = 3;

export class BalloonStatistics {
  constructor(
    private readonly queue: Virtqueue,
    private readonly completions: Completions,
    /** For STATS entries. */
    private readonly memory: u32,
  ) {}

  /** Gives them anew if the device has taken the last ones. */
  serve(): void {
    if (this.completions.next(this.queue)) this.give();
  }

  give(): void {
    const free = frames.freeBytes();
    this.put(0, MEMORY_FREE, free);
    this.put(1, MEMORY_TOTAL, frames.totalBytes());
    this.put(2, MEMORY_AVAILABLE, free); // there are no caches
    this.queue.give(this.memory, STATS * STAT_BYTES, false, 0);
  }

  private put(index: u32, tag: u16, value: u64): void {
    store<u16>(this.memory + index * STAT_BYTES, tag);
    store<u64>(this.memory + index * STAT_BYTES + 2, value);
  }
}
