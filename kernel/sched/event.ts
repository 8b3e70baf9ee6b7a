// Something that happens once, and that one thread waits for: signalled by an interrupt handler or by another thread.

import * as clock from '../time/clock.ts';
import * as x86 from '../x86.ts';
import { current, suspend, wake } from './scheduler.ts';
import { Thread } from './thread.ts';

export class Event {
  private happened: bool = false;
  private waiter: Thread | null = null;

  /** To be used again. */
  reset(): void {
    this.happened = false;
  }

  get isSet(): bool {
    return this.happened;
  }

  /** From anywhere, interrupt handlers too. */
  signal(): void {
    this.happened = true;
    x86.mfence(); // or the waiter and this would miss each other
    const waiter = this.waiter;
    if (waiter !== null) wake(waiter);
  }

  /** Suspends the thread until the event has happened; false: the deadline (clock.after) passed before. */
  wait(deadline: u64): bool {
    const flags = x86.irq_save();
    this.waiter = current();
    x86.mfence();
    while (!this.happened && clock.now() < deadline) suspend(deadline);
    this.waiter = null;
    x86.irq_restore(flags);
    return this.happened;
  }
}
