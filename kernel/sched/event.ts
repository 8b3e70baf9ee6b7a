// Something that happens once, and that one thread waits for: signalled by an interrupt handler.

import * as clock from '../time/clock.ts';
import * as x86 from '../x86.ts';
import { current, suspend, Thread, wake } from './thread.ts';

export class Event {
  private happened: bool = false;
  private waiter: Thread | null = null;

  /** To be used again. */
  reset(): void {
    this.happened = false;
  }

  /** From an interrupt handler, or with interrupts off. */
  signal(): void {
    this.happened = true;
    const waiter = this.waiter;
    if (waiter !== null) wake(waiter);
  }

  /** Suspends the thread until the event has happened; false: the deadline (clock.after) passed before. */
  wait(deadline: u64): bool {
    const flags = x86.irq_save();
    this.waiter = current;
    while (!this.happened && clock.now() < deadline) suspend(deadline);
    this.waiter = null;
    x86.irq_restore(flags);
    return this.happened;
  }
}
