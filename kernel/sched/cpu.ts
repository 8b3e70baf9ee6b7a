// A CPU as the scheduler sees it: which thread runs, which are ready, and what its timer waits for.
//
// A wait's bound is a deadline in ticks. The local APIC's timer is set to the earliest deadline only when it is not
// already set to one before it, so that a thousand short waits with bounds of seconds set it once.

import { Tasklet } from '../irq/tasklets.ts';
import { SpinLock } from '../lib/lock.ts';
import * as trace from '../lib/trace.ts';
import * as clock from '../time/clock.ts';
import * as x86 from '../x86.ts';
import { NEVER, READY, Thread, WAITING } from './thread.ts';
import { Timer } from './timer.ts';

export class Cpu {
  /** Guards what follows, interrupts off: handlers of any CPU wake threads. */
  readonly lock: SpinLock = new SpinLock();
  /** It takes part. */
  online: bool = false;
  /** It halts, or is about to, and looks at its run queue only after an interrupt. */
  idling: bool = false;
  current: Thread;
  /** An ended thread whose stack is still in use. */
  ended: Thread | null = null;
  switches: u64 = 0;
  /** For when its timer has interrupted. */
  expiry: Tasklet | null = null;
  /** Of this CPU, the running and the idle one too. */
  threads: Thread | null = null;
  private firstReady: Thread | null = null;
  private lastReady: Thread | null = null;
  /** In order of their deadlines. */
  private timers: Timer | null = null;
  /** What the local APIC's timer is set to, and when that was done. */
  private timerDeadline: u64 = NEVER;
  private timerSet: u64 = 0;

  constructor(
    public readonly number: u32,
    public apicId: u32,
    public readonly idle: Thread,
  ) {
    this.current = idle;
    this.add(idle);
  }

  add(thread: Thread): void {
    thread.next = this.threads;
    this.threads = thread;
  }

  remove(thread: Thread): void {
    this.threads = without<Thread>(this.threads, thread);
  }

  get hasReady(): bool {
    return this.firstReady !== null;
  }

  makeReady(thread: Thread): void {
    if (trace.on) trace.record(trace.READY, thread.slot, changetype<usize>(thread.name) as u32);
    thread.state = READY;
    thread.nextReady = null;
    const last = this.lastReady;
    if (last === null) this.firstReady = thread;
    else last.nextReady = thread;
    this.lastReady = thread;
  }

  /** The next thread in turn; the idle one if none is ready. */
  take(): Thread {
    const thread = this.firstReady;
    if (thread === null) return this.idle;
    const next = thread.nextReady;
    this.firstReady = next;
    if (next === null) this.lastReady = null;
    return thread;
  }

  addTimer(timer: Timer): void {
    let before: Timer | null = null;
    let after: Timer | null = this.timers;
    while (after !== null && after.deadline <= timer.deadline) {
      before = after;
      after = after.next;
    }
    timer.next = after;
    if (before === null) this.timers = timer;
    else before.next = timer;
  }

  removeTimer(timer: Timer): void {
    this.timers = without<Timer>(this.timers, timer);
  }

  /** The timer has interrupted. */
  timerFired(): void {
    // It has counted, and no time has passed: it would for ever.
    if (this.timerDeadline !== NEVER && clock.now() === this.timerSet) clock.stopped();
    this.timerDeadline = NEVER;
  }

  /** Makes those ready whose deadline has come. */
  wakeDue(): void {
    const now = clock.now();
    for (let thread: Thread | null = this.threads; thread !== null; thread = thread!.next)
      if (thread.state === WAITING && thread.deadline <= now) this.makeReady(thread);
  }

  /** Takes a timer that was due at a moment; null: there is none. */
  takeTimer(moment: u64): Timer | null {
    const timer = this.timers;
    if (timer === null || timer.deadline > moment) return null;
    this.timers = timer.next;
    return timer;
  }

  /** Sets the local APIC's timer for the earliest deadline; on this CPU. */
  setTimer(): void {
    let earliest: u64 = NEVER;
    for (let thread: Thread | null = this.threads; thread !== null; thread = thread!.next)
      if (thread.state === WAITING) earliest = min(earliest, thread.deadline);
    const timer = this.timers;
    if (timer !== null) earliest = min(earliest, timer.deadline);
    if (earliest >= this.timerDeadline) return;
    this.timerDeadline = earliest;
    clock.interruptAt(earliest);
    this.timerSet = clock.now();
  }
}

interface Linked<T> {
  next: T | null;
}

/** A list's first item after `item`, if that was in it, has been taken out. */
function without<T extends Linked<T>>(first: T | null, item: T): T | null {
  if (first === item) return item.next;
  for (let at: T | null = first; at !== null; at = at!.next) {
    if (at.next !== item) continue;
    at.next = item.next;
    break;
  }
  return first;
}

/** By number. */
export const cpus = new StaticArray<Cpu | null>(x86.CPUS);

/** The CPU that this runs on. With interrupts off, or by a thread, which cannot leave it. */
export function here(): Cpu {
  return unchecked(cpus[x86.cpu()])!;
}

class Placement {
  next: u32 = 0;
}

const placement = new Placement();

/** For threads that may run anywhere: the number of each CPU that is online, in turn. */
export function nextCpu(): u32 {
  for (let i: u32 = 0; i < x86.CPUS; i++) {
    const number = placement.next++ % x86.CPUS;
    const cpu = cpus[number];
    if (cpu !== null && cpu.online) return number;
  }
  return 0;
}

/** Switches between threads so far, on all CPUs. */
export function switchCount(): u64 {
  let count: u64 = 0;
  for (let i: u32 = 0; i < x86.CPUS; i++) {
    const cpu = cpus[i];
    if (cpu !== null) count += cpu.switches;
  }
  return count;
}

/** How many CPUs are online: those with the lowest numbers, as a rule. */
export function onlineCount(): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < x86.CPUS; i++) {
    const cpu = cpus[i];
    if (cpu !== null && cpu.online) count++;
  }
  return count;
}

/** Where interrupts for CPU `number` go: to itself, or to the first one if it is not online. */
export function apicIdOf(number: u32): u32 {
  const cpu = number < x86.CPUS ? cpus[number] : null;
  return cpu !== null && cpu.online ? cpu.apicId : cpus[0]!.apicId;
}
