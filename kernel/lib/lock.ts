// A spin lock: for what several CPUs touch, held for a few dozen instructions.
//
// Rules. Nothing that waits is called while one is held. What interrupt handlers touch too is locked by acquireIrq(), or
// a handler would wait for ever for the thread that it has interrupted; acquire() is for what only threads touch, or
// where interrupts are off anyway. No CPU takes a lock that it holds. Who takes two takes the outer one first: the log's
// is the innermost, a CPU's run queue comes before it.
//
// Shared data lies in memory, in objects, and not in a module's variables: WebAssembly's globals know no atomics.

import * as x86 from '../x86.ts';
import { panic } from './panic.ts';

/** Seconds, at 10 ns or more a poll: no lock is held so long. */
const POLLS_MAX: u32 = 1 << 29;

export class SpinLock {
  /** 0: free, else the holder's CPU number + 1. */
  holder: u32 = 0;

  acquire(): void {
    const self = x86.cpu() + 1;
    if (atomic.cmpxchg<u32>(this.place(), 0, self) !== 0) this.spin(self);
  }

  /** x86 lets no earlier access pass a store (Intel SDM 3A §8.2.2). */
  release(): void {
    x86.store32(this.place() as u32, 0);
  }

  /** Switches interrupts off meanwhile; what it returns goes to releaseIrq(). */
  acquireIrq(): u32 {
    const flags = x86.irq_save();
    this.acquire();
    return flags;
  }

  releaseIrq(flags: u32): void {
    this.release();
    x86.irq_restore(flags);
  }

  private spin(self: u32): void {
    for (let polls: u32 = 0; atomic.cmpxchg<u32>(this.place(), 0, self) !== 0; polls++) {
      if (polls === POLLS_MAX || x86.load32(this.place() as u32) === self) panic('a lock is never released');
      x86.pause();
    }
  }

  private place(): usize {
    return changetype<usize>(this) + offsetof<SpinLock>('holder');
  }
}
