// A queue's completions, kept by the interrupt handler until a thread takes them: a driver's thread does the work, not
// the handler. One event may stand for several queues, and for changes of the configuration.

import { Event } from '../sched/event.ts';
import { QueueUser, Virtqueue } from './queue.ts';

export class Completions extends QueueUser {
  /** The device has broken the rules; what was completed before can still be taken. */
  broken: bool = false;
  /** What next() has taken. */
  token: u32 = 0;
  written: u32 = 0;
  private readonly tokens: StaticArray<u32>;
  private readonly lengths: StaticArray<u32>;
  private added: u32 = 0;
  private taken: u32 = 0;

  constructor(
    /** How many chains can be in flight: a power of two. */
    private readonly capacity: u32,
    private readonly event: Event,
  ) {
    super();
    this.tokens = new StaticArray<u32>(capacity);
    this.lengths = new StaticArray<u32>(capacity);
  }

  /** In the interrupt handler, which has the queue's lock. */
  completed(token: u32, written: u32): void {
    const at = this.added++ & (this.capacity - 1);
    this.tokens[at] = token;
    this.lengths[at] = written;
  }

  collected(): void {
    this.event.signal();
  }

  failed(): void {
    this.broken = true;
    this.event.signal();
  }

  /** Takes the oldest completion of `queue`; false: there is none now. */
  next(queue: Virtqueue): bool {
    const flags = queue.lock.acquireIrq();
    const any = this.added !== this.taken;
    if (any) {
      const at = this.taken++ & (this.capacity - 1);
      this.token = this.tokens[at];
      this.written = this.lengths[at];
    }
    queue.lock.releaseIrq(flags);
    return any;
  }
}
