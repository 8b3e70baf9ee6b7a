// Something to be done at a moment, once: scheduler.ts has setTimeout. It is done by a tasklet of the CPU that set it, whose
// rules it follows (irq/tasklets.ts).

import { NEVER } from './thread.ts';

export abstract class Timer {
  /** In ticks; guarded by the CPU's lock, as `next` is. */
  deadline: u64 = NEVER;
  /** The next of its CPU, in order of their deadlines. */
  next: Timer | null = null;

  abstract expired(): void;
}
