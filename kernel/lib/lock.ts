// Spin locks: for what several CPUs touch, held for a few dozen instructions.
//
// Rules. Nothing that waits is called while one is held. Whoever holds a SpinLock has interrupts off, or a handler that takes it
// would wait for ever for the thread that it has interrupted; a ThreadLock is held with interrupts on, and no handler takes
// it, which the build proves (proofs.txt). No CPU takes a lock that it holds. Who takes two takes the outer one first: the
// log's is the innermost, a CPU's run queue comes before it.
//
// Shared data lies in memory, in objects, and not in a module's variables: WebAssembly's globals know no atomics.

import * as x86 from '../x86.ts';
import { panic } from './panic.ts';

/** Seconds, at 10 ns or more a poll: no lock is held so long. */
const POLLS_MAX: u32 = 1 << 29;

class Lock {
  /** 0: free, else the holder's CPU number + 1. */
  holder: u32 = 0;

  /** x86 lets no earlier access pass a store (Intel SDM 3A §8.2.2). */
  release(): void {
    x86.store32(this.place() as u32, 0);
  }

  protected take(): void {
    const self = x86.cpu() + 1;
    if (atomic.cmpxchg<u32>(this.place(), 0, self) !== 0) this.spin(self);
  }

  private spin(self: u32): void {
    for (let polls: u32 = 0; atomic.cmpxchg<u32>(this.place(), 0, self) !== 0; polls++) {
      if (polls === POLLS_MAX || x86.load32(this.place() as u32) === self) panic('a lock is never released');
      x86.pause();
    }
  }

  private place(): usize {
    return changetype<usize>(this) + offsetof<Lock>('holder');
  }
}

/** For what interrupt handlers touch too. */
export class SpinLock extends Lock {
  /** Where interrupts are off anyway. */
  acquire(): void {
    this.take();
  }

  /** Switches interrupts off meanwhile; what it returns goes to releaseIrq(). */
  acquireIrq(): u32 {
    const flags = x86.irq_save();
    this.take();
    return flags;
  }

  releaseIrq(flags: u32): void {
    this.release();
    x86.irq_restore(flags);
  }
}

/** For what only threads touch. */
export class ThreadLock extends Lock {
  acquire(): void {
    x86.threads_only();
    this.take();
  }
}
