// A thread: a stack, a program, and where it stands. It stays on its home CPU, so that only that CPU's switches touch it
// while it runs; who wakes it from elsewhere puts it into that CPU's run queue (cpu.ts).

import { Activity } from '../lib/activity.ts';
import { Maker } from '../mm/objects.ts';

export const NEVER: u64 = u64.MAX_VALUE;

/** Runs, or is in its CPU's run queue. */
export const READY: u32 = 0;
export const WAITING: u32 = 1;
export const ENDED: u32 = 2;
/** Nobody any more: its stack can be another thread's, and this object too. */
export const GONE: u32 = 3;

/** A thread's program. */
export abstract class Program {
  abstract run(): void;
  /** When its thread is gone, and nothing of it runs any more: by an idle thread, interrupts off. It may give itself back. */
  gone(): void {}
}

/** All fields are guarded by the home CPU's lock, but for what it makes objects in and what it is at, which are its own affair. */
export class Thread extends Maker {
  state: u32 = READY;
  /** While WAITING: when it becomes ready without being woken. */
  deadline: u64 = NEVER;
  /** It was woken when it was not waiting: its next wait ends at once. */
  woken: bool = false;
  /** What it is at, if that is a driver's work. */
  activity: Activity | null = null;
  /** The next in its CPU's run queue, and the next of its CPU's threads. */
  nextReady: Thread | null = null;
  next: Thread | null = null;
  /** The next that waits for the same mutex; guarded by that. */
  nextWaiting: Thread | null = null;

  constructor(
    /** Of its stack. */
    public readonly slot: u32,
    /** CPU number. */
    public home: u32,
    public name: string,
    public program: Program | null,
  ) {
    super();
  }

  /**
   * Starts another life of the object, which is never anything but a thread: who has kept it from its last life, to wake it, only
   * ends somebody's wait early.
   */
  begin(home: u32, name: string, program: Program): void {
    this.home = home;
    this.name = name;
    this.program = program;
    this.woken = false;
    this.activity = null;
    this.state = READY;
  }
}
