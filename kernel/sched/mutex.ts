// A lock for threads, held for as long as it takes: who does not get it waits, and gets it in turn.

import { SpinLock } from '../lib/lock.ts';
import { panic } from '../lib/panic.ts';
import * as clock from '../time/clock.ts';
import * as x86 from '../x86.ts';
import { current, suspend, wake } from './scheduler.ts';
import { Thread } from './thread.ts';

/** Whoever holds it so long never lets go. */
const WAIT_MS_MAX: u32 = 4_000_000;

export class Mutex {
  private readonly lock: SpinLock = new SpinLock();
  private holder: Thread | null = null;
  private first: Thread | null = null;
  private last: Thread | null = null;

  acquire(): void {
    x86.threads_only();
    const self = current();
    const flags = this.lock.acquireIrq();
    if (this.holder === null) {
      this.holder = self;
      this.lock.releaseIrq(flags);
      return;
    }
    assert(this.holder !== self, 'a thread takes a mutex that it holds');
    self.nextWaiting = null;
    const last = this.last;
    if (last === null) this.first = self;
    else last.nextWaiting = self;
    this.last = self;
    this.lock.release();
    const deadline = clock.after(WAIT_MS_MAX);
    while (this.holder !== self) {
      if (clock.now() >= deadline) panic('a mutex is never released');
      suspend(deadline);
    }
    x86.irq_restore(flags);
  }

  /** Gives it to who has waited longest. */
  release(): void {
    const flags = this.lock.acquireIrq();
    const next = this.first;
    this.holder = next;
    if (next !== null) {
      this.first = next.nextWaiting;
      if (this.first === null) this.last = null;
    }
    this.lock.releaseIrq(flags);
    if (next !== null) wake(next);
  }
}
