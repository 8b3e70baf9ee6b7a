// The transmitting half of a virtio network device (virtio 1.2 §5.1.6.2): frames are copied into buffers, which come back by
// themselves; when there is none, a frame is dropped, as networks do.

import { NO_ROOM, Statistics } from '../net/statistics.ts';
import { sleep } from '../sched/scheduler.ts';
import * as clock from '../time/clock.ts';
import { FreeBuffers } from '../virtio/free-buffers.ts';
import { Virtqueue } from '../virtio/queue.ts';

export const BUFFERS: u32 = 64;
export const BUFFER_BYTES: u32 = 2048;
const SEGMENTS: u32 = 2;

const DRAIN_MS_MAX: u32 = 500;
const DRAIN_POLL_NS: u64 = 100_000;

export class Transmitter {
  constructor(
    private readonly queue: Virtqueue,
    private readonly free: FreeBuffers,
    private readonly headerBytes: u32,
    private readonly statistics: Statistics,
    /** BUFFERS of BUFFER_BYTES each. */
    private readonly buffers: u32,
    /** Every frame's: no offload. */
    private readonly header: u32,
  ) {
    memory.fill(header, 0, headerBytes);
  }

  /** Logs what the device did wrong, if anything; true if so. */
  reportFault(name: string): bool {
    return this.free.broken && this.queue.reportFault(name);
  }

  /** Copies a frame and makes it available; kick() tells the device. */
  send(frame: u32, bytes: u32): void {
    const queue = this.queue;
    const flags = queue.lock.acquireIrq();
    const room = this.free.count > 0 && queue.begin(SEGMENTS);
    if (room) {
      const index = this.free.take();
      const buffer = this.buffers + index * BUFFER_BYTES;
      memory.copy(buffer, frame, bytes);
      queue.add(this.header, this.headerBytes, false);
      queue.add(buffer, bytes, false);
      queue.submit(index);
    }
    queue.lock.releaseIrq(flags);
    if (room) {
      this.statistics.sent++;
      this.statistics.sentBytes += bytes;
    } else this.statistics.drop(NO_ROOM);
  }

  kick(): void {
    this.queue.kickLocked();
  }

  /** Waits until what was sent has gone, but not for ever. */
  drain(): void {
    const deadline = clock.after(DRAIN_MS_MAX);
    while (!this.isIdle() && clock.now() < deadline) sleep(DRAIN_POLL_NS);
  }

  private isIdle(): bool {
    const flags = this.queue.lock.acquireIrq();
    const idle = this.free.idle;
    this.queue.lock.releaseIrq(flags);
    return idle;
  }
}
