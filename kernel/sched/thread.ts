// Threads on one CPU, without preemption: a thread runs until it waits. Each has one of the 16 stacks of asm/; the
// boot thread is stack 0 and becomes the idle thread, which halts until an interrupt makes a thread ready.
//
// A wait's bound is a deadline in ticks. The local APIC's timer is set to the earliest deadline only when it is not
// already set to one before it, so that a thousand short waits with bounds of seconds set it once.

import * as lapic from '../irq/lapic.ts';
import { allocateVector, InterruptHandler } from '../irq/vectors.ts';
import { panic } from '../lib/panic.ts';
import * as clock from '../time/clock.ts';
import * as x86 from '../x86.ts';

const STACKS: u32 = 16;

const READY: u32 = 0;
const WAITING: u32 = 1;
const ENDED: u32 = 2;

const NEVER: u64 = u64.MAX_VALUE;

/** A thread's program. */
export abstract class Program {
  abstract run(): void;
}

export class Thread {
  state: u32 = READY;
  /** While WAITING: when it becomes ready without being woken. */
  deadline: u64 = NEVER;

  constructor(
    public readonly slot: u32,
    public readonly name: string,
    readonly program: Program | null,
  ) {}
}

const threads = new StaticArray<Thread | null>(STACKS);
let threadCount: u32 = 0;
/** The thread that runs. */
export let current: Thread = create('idle', null);

let timerVector: u32 = 0;
/** What the timer is set to, and when that was done. */
let timerDeadline: u64 = NEVER;
let timerSet: u64 = 0;

class TimerInterrupt extends InterruptHandler {
  interrupt(_vector: u32): void {
    // The timer has counted, and no time has passed: it would for ever.
    if (timerDeadline !== NEVER && clock.now() === timerSet) clock.stopped();
    timerDeadline = NEVER;
    wakeDue();
  }
}

/** Makes those ready whose deadline has come. */
function wakeDue(): void {
  const now = clock.now();
  for (let i: u32 = 1; i < threadCount; i++) {
    const thread = threads[i]!;
    if (thread.state === WAITING && thread.deadline <= now) thread.state = READY;
  }
}

export function init(): void {
  timerVector = allocateVector(new TimerInterrupt());
}

/** A new thread, which runs when the others wait. */
export function create(name: string, program: Program | null): Thread {
  if (threadCount === STACKS) panic('more threads than stacks');
  const thread = new Thread(threadCount, name, program);
  threads[threadCount++] = thread;
  if (thread.slot > 0) x86.thread_new(thread.slot, thread.slot);
  return thread;
}

/** Called by asm/ on a new thread's own stack, interrupts off. */
export function thread_main(slot: u32): void {
  current = threads[slot]!;
  x86.sti();
  current.program!.run();
  x86.cli();
  current.state = ENDED;
  switchTo(pick());
  panic('an ended thread was resumed');
}

/** Suspends the running thread until wake() or the deadline. Interrupts are off before and after. */
export function suspend(deadline: u64): void {
  current.deadline = deadline;
  current.state = WAITING;
  switchTo(pick());
}

/** Makes a thread ready; from an interrupt handler or with interrupts off. */
export function wake(thread: Thread): void {
  if (thread.state === WAITING) thread.state = READY;
}

/** The boot thread's fate: gives the CPU to whoever is ready and halts while nobody is. */
export function idle(): void {
  while (true) {
    x86.cli();
    const next = pick();
    if (next !== current) {
      switchTo(next);
    } else if (clock.timerRuns) {
      setTimer();
      x86.sti_hlt();
    } else {
      x86.sti();
      x86.pause();
      x86.cli();
      wakeDue();
    }
  }
}

/** A ready thread, the next after the running one in turn; else the idle thread. */
function pick(): Thread {
  let slot = current.slot;
  for (let i: u32 = 0; i < threadCount; i++) {
    if (++slot === threadCount) slot = 0;
    const thread = threads[slot]!;
    if (slot > 0 && thread.state === READY) return thread;
  }
  return threads[0]!;
}

function switchTo(next: Thread): void {
  const self = current;
  if (next === self) return;
  x86.thread_switch(self.slot, next.slot);
  current = self; // whoever has given the CPU back
}

function setTimer(): void {
  let earliest: u64 = NEVER;
  for (let i: u32 = 1; i < threadCount; i++) {
    const thread = threads[i]!;
    if (thread.state === WAITING) earliest = min(earliest, thread.deadline);
  }
  if (earliest >= timerDeadline) return;
  timerDeadline = earliest;
  const now = clock.now();
  timerSet = now;
  lapic.startTimer(timerVector, clock.timerCount(earliest > now ? earliest - now : 0));
}
