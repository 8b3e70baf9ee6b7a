// job=threads: threads on all CPUs, which count under one lock, take memory and give it back, pass a token around, and wait for
// timers; threads=N of them, rounds=N, claims=N of memory. Then spawn=N threads that end at once. The log tells what came of it, which whoever knows
// the numbers can check.

import { number } from '../lib/cmdline.ts';
import { ThreadLock } from '../lib/lock.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import { usedBytes } from '../mm/heap.ts';
import { free } from '../mm/objects.ts';
import * as cpus from '../sched/cpu.ts';
import { Event } from '../sched/event.ts';
import * as scheduler from '../sched/scheduler.ts';
import { Program } from '../sched/thread.ts';
import { Timer } from '../sched/timer.ts';
import * as clock from '../time/clock.ts';

const THREADS: u32 = 8;
const THREADS_MAX: u32 = 40;
const ROUNDS: u32 = 1000;
const ROUNDS_MAX: u32 = 10_000_000;
const WAIT_MS_MAX: u32 = 30_000;
const TIMERS: u32 = 10;
/** Each worker has so many, and gives the oldest back for a new one. */
const CLAIMS: u32 = 16;
const CLAIM_BYTES: usize = 24;
const SPAWN_MAX: u32 = 10_000_000;
/** At the same time. */
const SPAWN_BATCH: u32 = 16;
const TIMER_NS: u64 = 50_000;

class Shared {
  readonly lock: ThreadLock = new ThreadLock();
  /** Guarded by the lock. */
  counter: u64 = 0;
  /** By whoever has the token. */
  passed: u64 = 0;
  rounds: u32 = 0;
  claims: u32 = 0;
}

class Alarm extends Timer {
  readonly rung: Event = new Event();

  expired(): void {
    this.rung.signal();
  }
}

class Worker extends Program {
  readonly token: Event = new Event();
  readonly done: Event = new Event();
  private readonly alarm: Alarm = new Alarm();
  alarms: u32 = 0;
  cpu: u32 = 0;
  next: Worker | null = null;
  /** Memory that was another's too. */
  stolen: u32 = 0;
  private claims: u32 = 0;
  private readonly claimed: StaticArray<usize> = new StaticArray<usize>(CLAIMS);

  constructor(private readonly shared: Shared) {
    super();
  }

  run(): void {
    this.cpu = cpus.here().number;
    this.count();
    for (let i: u32 = 0; i < this.shared.claims; i++) this.claim();
    this.pass();
    this.sleep();
    this.done.signal();
  }

  private count(): void {
    const shared = this.shared;
    for (let i: u32 = 0; i < shared.rounds; i++) {
      shared.lock.acquire();
      shared.counter++;
      shared.lock.release();
      if (i % 64 === 0) scheduler.yieldCpu();
    }
  }

  /** Takes memory at the same time as the others, and sees before it gives it back that nobody else has it. */
  private claim(): void {
    const own = changetype<usize>(this) as u32;
    const at = this.claims++ % CLAIMS;
    const oldest = this.claimed[at];
    if (oldest !== 0) {
      if (load<u32>(oldest) !== own) this.stolen++;
      heap.free(oldest);
    }
    const claim = heap.alloc(CLAIM_BYTES);
    if (load<u32>(claim) !== 0) this.stolen++;
    store<u32>(claim, own);
    this.claimed[at] = claim;
  }

  private pass(): void {
    for (let i: u32 = 0; i < this.shared.rounds; i++) {
      if (!this.token.wait(clock.after(WAIT_MS_MAX))) panic('a token is lost');
      this.token.reset();
      this.shared.passed++;
      this.next!.token.signal();
    }
  }

  private sleep(): void {
    for (let i: u32 = 0; i < TIMERS; i++) {
      this.alarm.rung.reset();
      const start = clock.now();
      const early = clock.after_ns(TIMER_NS) - start;
      scheduler.setTimeout(this.alarm, TIMER_NS);
      if (!this.alarm.rung.wait(clock.after(WAIT_MS_MAX))) panic('a timer did not expire');
      if (clock.now() - start >= early / 2) this.alarms++;
    }
  }
}

/** Threads that come and go. */
class Crowd {
  readonly lock: ThreadLock = new ThreadLock();
  /** Some are gone. */
  readonly change: Event = new Event();
  gone: u32 = 0;
}

class Passer extends Program {
  constructor(private readonly crowd: Crowd) {
    super();
  }

  run(): void {
    scheduler.yieldCpu();
  }

  gone(): void {
    const crowd = this.crowd;
    free(this);
    crowd.lock.acquire();
    crowd.gone++;
    crowd.lock.release();
    crowd.change.signal();
  }
}

/** Starts `count` threads and waits until they are gone. */
function spawn(crowd: Crowd, count: u32): void {
  const all = crowd.gone + count;
  for (let i: u32 = 0; i < count; i++)
    if (scheduler.create('passer', new Passer(crowd), cpus.nextCpu()) === null)
      panic('no thread for the job');
  while (crowd.gone < all) {
    crowd.change.reset();
    if (crowd.gone < all && !crowd.change.wait(clock.after(WAIT_MS_MAX))) panic('a thread is never gone');
  }
}

/** Many threads, a batch after the other: all but the first give back what they took. */
function spawnAll(count: u32): void {
  const crowd = new Crowd();
  spawn(crowd, min(count, SPAWN_BATCH));
  const before = usedBytes();
  while (crowd.gone < count) spawn(crowd, min(count - crowd.gone, SPAWN_BATCH));
  log('threads')
    .decimal('', crowd.gone)
    .decimal(' more came and went; the heap was ', before)
    .decimal(' bytes, is ', usedBytes())
    .end();
}

export function threadsJob(): void {
  const count = max(number('threads', THREADS, THREADS_MAX), 1);
  const shared = new Shared();
  shared.rounds = number('rounds', ROUNDS, ROUNDS_MAX);
  shared.claims = number('claims', shared.rounds, ROUNDS_MAX);
  const workers = new StaticArray<Worker | null>(count);
  for (let i: u32 = 0; i < count; i++) workers[i] = new Worker(shared);
  for (let i: u32 = 0; i < count; i++) workers[i]!.next = workers[(i + 1) % count];
  for (let i: u32 = 0; i < count; i++) {
    if (scheduler.create('worker', workers[i]!, cpus.nextCpu()) === null) panic('no thread for the job');
  }
  workers[0]!.token.signal();
  let alarms: u32 = 0;
  let used: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const worker = workers[i]!;
    if (!worker.done.wait(clock.after(WAIT_MS_MAX))) panic('a thread does not come to its end');
    alarms += worker.alarms;
    if (worker.stolen > 0) panic('two threads have the same memory');
    used |= 1 << worker.cpu;
  }
  log('threads')
    .decimal('', count)
    .decimal(' threads on ', popcnt(used))
    .decimal(' CPUs, ', cpus.switchCount())
    .text(' switches')
    .end();
  log('threads')
    .decimal('counted ', shared.counter)
    .decimal(', token passed ', shared.passed)
    .decimal(' times, timers expired ', alarms)
    .end();
  const more = number('spawn', 0, SPAWN_MAX);
  if (more > 0) spawnAll(more);
}
