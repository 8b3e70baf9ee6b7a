// Buffers that a driver fills and the device reads: which are free. They come back by themselves, in the interrupt
// handler. All of it is guarded by the queue's lock.

import { Event } from '../sched/event.ts';
import { QueueUser } from './queue.ts';

export class FreeBuffers extends QueueUser {
  /** The device has broken the rules: what it has does not come back. */
  broken: bool = false;
  count: u32 = 0;
  private readonly list: StaticArray<u32>;

  constructor(
    /** Of all, which are free at first. */
    private readonly total: u32,
    /** Is signalled when the device has broken the rules. */
    private readonly attention: Event,
  ) {
    super();
    this.list = new StaticArray<u32>(total);
    for (let i: u32 = 0; i < total; i++) this.completed(i, 0);
  }

  completed(token: u32, _written: u32): void {
    this.list[this.count++] = token;
  }

  failed(): void {
    this.broken = true;
    this.attention.signal();
  }

  /** The device has none that it could still use. */
  get idle(): bool {
    return this.broken || this.count === this.total;
  }

  /** There must be one. */
  take(): u32 {
    return this.list[--this.count];
  }
}
