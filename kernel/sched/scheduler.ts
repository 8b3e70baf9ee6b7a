// Threads on all CPUs, without preemption: a thread runs until it waits. Each CPU has a run queue of its own and an idle
// thread, on the stack on which the CPU started, that halts until an interrupt makes a thread ready. A thread that is
// woken from another CPU goes into its home's run queue, and an interrupt tells that CPU if it idles.

import * as lapic from '../irq/lapic.ts';
import { schedule, Tasklet, taskletsOf } from '../irq/tasklets.ts';
import { allocateVector, InterruptHandler } from '../irq/vectors.ts';
import { SpinLock } from '../lib/lock.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import * as trace from '../lib/trace.ts';
import { Maker, Makers, makeIn, setMakers } from '../mm/objects.ts';
import * as clock from '../time/clock.ts';
import * as x86 from '../x86.ts';
import { Cpu, cpus, here } from './cpu.ts';
import { ENDED, GONE, Program, READY, Thread, WAITING } from './thread.ts';
import { Timer } from './timer.ts';

/** As asm/layout.inc has them; the first x86.CPUS are the idle threads'. */
export const STACKS: u32 = 64;

/** Long enough to be slept through, however slow the clock is to be read: in the machine in Node others only run meanwhile. */
const QUIESCE_POLL_NS: u64 = 1_000_000;
const QUIESCE_POLLS_MAX: u32 = 10_000;

/** Threads by their stacks, also those that are gone; null: nobody has ever had the stack. */
const threads = new StaticArray<Thread | null>(STACKS);
/** Guards it, and which CPU the next thread goes to. Innermost but for a CPU's lock. */
const threadsLock = new SpinLock();

class Threads extends Makers {
  current(): Maker {
    return here().current;
  }
}

/** There from the beginning: a panic asks who runs. */
prepareCpu(0, 0);
setMakers(new Threads());

let timerVector: u32 = 0;
let wakeVector: u32 = 0;

class TimerInterrupt extends InterruptHandler {
  interrupt(_vector: u32): void {
    const cpu = here();
    cpu.lock.acquire();
    cpu.timerFired();
    cpu.lock.release();
    schedule(cpu.expiry!);
  }
}

/** Wakes who has waited long enough, and does what is due. */
class Expiry extends Tasklet {
  constructor(private readonly cpu: Cpu) {
    super();
  }

  run(): void {
    const cpu = this.cpu;
    const flags = cpu.lock.acquireIrq();
    cpu.wakeDue();
    const now = clock.now(); // what expires may be set again
    for (let timer: Timer | null = cpu.takeTimer(now); timer !== null; timer = cpu.takeTimer(now)) {
      cpu.lock.releaseIrq(flags);
      timer.expired();
      cpu.lock.acquireIrq();
    }
    cpu.setTimer();
    cpu.lock.releaseIrq(flags);
  }
}

/** Ends a CPU's halt: there is somebody in its run queue. */
class WakeInterrupt extends InterruptHandler {
  interrupt(_vector: u32): void {}
}

/** On the first CPU, which becomes number 0. */
export function init(): void {
  const timer = new TimerInterrupt();
  timer.name = 'timer';
  timerVector = allocateVector(timer);
  const wakeUp = new WakeInterrupt();
  wakeUp.name = 'wake-up';
  wakeVector = allocateVector(wakeUp);
  cpus[0]!.apicId = lapic.id();
  goOnline();
}

/** This CPU takes threads and timers from now on. */
export function goOnline(): void {
  lapic.enableTimer(timerVector);
  const cpu = here();
  cpu.online = true;
  traceSwitch(cpu.current);
}

/** Before CPU `number` starts. */
export function prepareCpu(number: u32, apicId: u32): void {
  const idle = new Thread(number, number, 'idle', null);
  threads[number] = idle;
  const cpu = new Cpu(number, apicId, idle);
  cpu.expiry = new Expiry(cpu);
  cpus[number] = cpu;
}

export function isOnline(number: u32): bool {
  const cpu = number < x86.CPUS ? cpus[number] : null;
  return cpu !== null && cpu.online;
}

/** The thread that runs. */
export function current(): Thread {
  return here().current;
}

/** The thread on a stack; null: the stack is free. */
export function threadAt(slot: u32): Thread | null {
  const thread = slot < STACKS ? threads[slot] : null;
  return thread !== null && thread.state !== GONE ? thread : null;
}

/** A new thread on CPU `home`, which runs when the others there wait; null (after a line): there is no stack left. */
export function create(name: string, program: Program, home: u32): Thread | null {
  assert(isOnline(home), 'a thread for a CPU that does not run');
  const cpu = cpus[home];
  const arena = makeIn(null); // it outlives who makes it
  const flags = threadsLock.acquireIrq();
  const thread = takeThread(name, program, home);
  threadsLock.releaseIrq(flags);
  makeIn(arena);
  if (thread === null) {
    log('sched').text('no stack left for thread ').text(name).end();
    return null;
  }
  x86.thread_new(thread.slot, thread.slot);
  const taken = cpu!.lock.acquireIrq();
  cpu!.add(thread);
  cpu!.makeReady(thread);
  cpu!.lock.releaseIrq(taken);
  tell(cpu!);
  return thread;
}

/** With a stack that nobody has; null: there is none. */
function takeThread(name: string, program: Program, home: u32): Thread | null {
  for (let slot = x86.CPUS; slot < STACKS; slot++) {
    const gone = threads[slot];
    if (gone === null) {
      const thread = new Thread(slot, home, name, program);
      threads[slot] = thread;
      return thread;
    }
    if (gone.state !== GONE) continue;
    const before = cpus[gone.home]!;
    before.lock.acquire(); // or wake() would look for it there
    gone.begin(home, name, program);
    before.lock.release();
    return gone;
  }
  return null;
}

/** Called by asm/ on a new thread's own stack, interrupts off. */
export function thread_main(_slot: u32): void {
  x86.sti();
  current().program!.run();
  x86.cli();
  const cpu = here();
  cpu.lock.acquire();
  cpu.current.state = ENDED;
  cpu.ended = cpu.current;
  cpu.lock.release();
  switchTo(cpu, cpu.idle); // which gives the stack back
  panic('an ended thread was resumed');
}

/** Suspends the running thread until wake() or the deadline, or for no reason. Interrupts are off before and after. */
export function suspend(deadline: u64): void {
  const cpu = here();
  const self = cpu.current;
  cpu.lock.acquire();
  if (self.woken) {
    self.woken = false;
    cpu.lock.release();
    return;
  }
  self.deadline = deadline;
  self.state = WAITING;
  const next = cpu.take();
  cpu.lock.release();
  switchTo(cpu, next);
}

/** Lets the others that are ready on this CPU run. */
export function yieldCpu(): void {
  const flags = x86.irq_save();
  const cpu = here();
  cpu.lock.acquire();
  const ready = cpu.hasReady;
  if (ready) cpu.makeReady(cpu.current);
  const next = ready ? cpu.take() : cpu.current;
  cpu.lock.release();
  if (ready) switchTo(cpu, next);
  x86.irq_restore(flags);
}

/** Suspends the running thread for `ns` nanoseconds. */
export function sleep(ns: u64): void {
  const deadline = clock.after_ns(ns);
  const flags = x86.irq_save();
  while (clock.now() < deadline) suspend(deadline);
  x86.irq_restore(flags);
}

/** Makes a thread ready, or has its next wait end at once. From anywhere, interrupt handlers too. */
export function wake(thread: Thread): void {
  const flags = x86.irq_save();
  const cpu = lockHome(thread);
  const waiting = thread.state === WAITING;
  if (waiting) cpu.makeReady(thread);
  else thread.woken = thread.state === READY;
  cpu.lock.releaseIrq(flags);
  if (waiting) tell(cpu);
}

/** The CPU that a thread is at home on, with its lock, interrupts off. It moves only between two lives. */
function lockHome(thread: Thread): Cpu {
  while (true) {
    const cpu = unchecked(cpus[thread.home])!;
    cpu.lock.acquire();
    if (thread.home === cpu.number) return cpu;
    cpu.lock.release();
  }
}

/** Has `timer` expire on this CPU in `ns` nanoseconds, instead of when it was set to before. */
export function setTimeout(timer: Timer, ns: u64): void {
  const deadline = clock.after_ns(ns);
  const cpu = here();
  const flags = cpu.lock.acquireIrq();
  cpu.removeTimer(timer);
  timer.deadline = deadline;
  cpu.addTimer(timer);
  cpu.setTimer();
  cpu.lock.releaseIrq(flags);
}

/** On the CPU that set it; what has expired stays so. */
export function clearTimeout(timer: Timer): void {
  const cpu = here();
  const flags = cpu.lock.acquireIrq();
  cpu.removeTimer(timer);
  cpu.lock.releaseIrq(flags);
}

/** The fate of the thread that a CPU starts on: gives the CPU to whoever is ready and halts while nobody is. */
export function idle(): void {
  const cpu = here();
  while (true) {
    x86.cli();
    releaseEnded(cpu);
    cpu.lock.acquire();
    if (!clock.timerRuns) cpu.wakeDue();
    const next = cpu.take();
    cpu.lock.release();
    if (next !== cpu.idle) switchTo(cpu, next);
    else if (clock.timerRuns) halt(cpu);
    else {
      x86.sti();
      x86.pause();
    }
  }
}

/** Until the next interrupt. Who fills the run queue sees `idling`, or is seen here. */
function halt(cpu: Cpu): void {
  cpu.lock.acquire();
  cpu.setTimer();
  cpu.idling = true;
  const ready = cpu.hasReady;
  cpu.lock.release();
  if (!ready) x86.sti_hlt();
  cpu.idling = false;
}

/**
 * Returns when each CPU has left the interrupt handler or the tasklets, or whatever else it does with interrupts off, that it may
 * be in: what was taken from the reach of handlers before can be given back then. By the second interrupt from now on that is
 * sure: the first may have been counted late. False, after a line, if one does not within ten seconds.
 */
export function quiesce(): bool {
  for (let i: u32 = 0; i < x86.CPUS; i++) {
    const cpu = cpus[i];
    if (cpu === null || !cpu.online || leavesHandlers(cpu)) continue;
    log('cpu').decimal('', i).text(' does not come out of its interrupt handlers').end();
    return false;
  }
  return true;
}

function leavesHandlers(cpu: Cpu): bool {
  const tasklets = taskletsOf(cpu.number);
  const before = tasklets.interrupts;
  for (let polls: u32 = 0; polls < QUIESCE_POLLS_MAX; polls++) {
    const left = cpu === here() || tasklets.interrupts - before >= 2;
    if (left && tasklets.idle) return true;
    if (!left) lapic.send(cpu.apicId, wakeVector);
    sleep(QUIESCE_POLL_NS);
  }
  return false;
}

/** Has another CPU look at its run queue. */
function tell(cpu: Cpu): void {
  if (cpu.number !== x86.cpu() && cpu.idling) lapic.send(cpu.apicId, wakeVector);
}

function releaseEnded(cpu: Cpu): void {
  const ended = cpu.ended;
  if (ended === null) return;
  cpu.ended = null;
  cpu.lock.acquire();
  cpu.remove(ended);
  const program = ended.program!;
  ended.program = null;
  ended.state = GONE;
  cpu.lock.release();
  program.gone();
}

function traceSwitch(next: Thread): void {
  if (trace.on) trace.record(trace.SWITCH, next.slot, changetype<usize>(next.name) as u32);
}

/** Interrupts off. */
function switchTo(cpu: Cpu, next: Thread): void {
  const self = cpu.current;
  cpu.current = next;
  cpu.switches++;
  traceSwitch(next);
  x86.thread_switch(self.slot, next.slot);
}
