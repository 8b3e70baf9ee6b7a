// A thread: a stack, a program, and where it stands. It stays on its home CPU, so that only that CPU's switches touch it
// while it runs; who wakes it from elsewhere puts it into that CPU's run queue (cpu.ts).

export const NEVER: u64 = u64.MAX_VALUE;

/** Runs, or is in its CPU's run queue. */
export const READY: u32 = 0;
export const WAITING: u32 = 1;
export const ENDED: u32 = 2;

/** A thread's program. */
export abstract class Program {
  abstract run(): void;
}

/** All fields are guarded by the home CPU's lock. */
export class Thread {
  state: u32 = READY;
  /** While WAITING: when it becomes ready without being woken. */
  deadline: u64 = NEVER;
  /** It was woken when it was not waiting: its next wait ends at once. */
  woken: bool = false;
  /** The next in its CPU's run queue, and the next of its CPU's threads. */
  nextReady: Thread | null = null;
  next: Thread | null = null;
  /** The next that waits for the same mutex; guarded by that. */
  nextWaiting: Thread | null = null;

  constructor(
    /** Of its stack. */
    public readonly slot: u32,
    /** CPU number. */
    public readonly home: u32,
    public readonly name: string,
    readonly program: Program | null,
  ) {}
}
