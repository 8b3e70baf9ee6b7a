// Tasklets: work that an interrupt handler leaves to be done right behind it, when the interrupt has ended and others can come,
// but before the thread that was interrupted goes on. Each CPU has a list of its own.
//
// Rules. A tasklet runs on the CPU whose handler has scheduled it, one at a time there, on the stack of whoever was
// interrupted. So it waits for nothing, makes and frees no objects, logs nothing, and takes only locks that are never held
// with interrupts on; between two portions of its work it lets go of them. What handlers schedule meanwhile comes after it.
// Handlers of one CPU only schedule a tasklet. After BATCH of them those that are left wait for an interrupt that the CPU
// asks itself for, behind all that devices have asked for before.

import { Activity } from '../lib/activity.ts';
import * as trace from '../lib/trace.ts';
import * as x86 from '../x86.ts';
import { InterruptHandler } from './handler.ts';
import * as lapic from './lapic.ts';

const BATCH: u32 = 16;

export abstract class Tasklet {
  /** The next in its CPU's list. */
  nextScheduled: Tasklet | null = null;
  scheduled: bool = false;
  /** What its work is a part of. */
  activity: Activity | null = null;

  abstract run(): void;
}

/** Those of a CPU; interrupts off. */
export class Tasklets {
  /** Interrupts of this CPU, with those that nobody handles. */
  interrupts: u64 = 0;
  /** The one that handles an interrupt. */
  handler: InterruptHandler | null = null;
  first: Tasklet | null = null;
  /** The tasklet that runs. */
  current: Tasklet | null = null;
  private last: Tasklet | null = null;
  /** Some run, or one does that was interrupted. */
  private running: bool = false;
  /** How many have run. */
  count: u64 = 0;

  get idle(): bool {
    return this.first === null && !this.running;
  }

  add(tasklet: Tasklet): void {
    if (tasklet.scheduled) return;
    tasklet.scheduled = true;
    tasklet.nextScheduled = null;
    const last = this.last;
    if (last === null) this.first = tasklet;
    else last.nextScheduled = tasklet;
    this.last = tasklet;
  }

  /** Behind the end of an interrupt, which asks itself for the next as `vector` if some are left. */
  run(vector: u32): void {
    if (this.running) return; // this interrupt came in the midst of them
    this.running = true;
    for (let left = BATCH; left > 0 && this.first !== null; left--) {
      const tasklet = this.take();
      if (trace.on) trace.record(trace.TASKLET, 0, 0);
      this.current = tasklet;
      x86.sti();
      tasklet.run();
      x86.cli();
      this.current = null;
      if (trace.on) trace.record(trace.TASKLET_END, 0, 0);
      this.count++;
    }
    this.running = false;
    if (this.first !== null) lapic.sendToSelf(vector);
  }

  private take(): Tasklet {
    const tasklet = this.first!;
    this.first = tasklet.nextScheduled;
    if (this.first === null) this.last = null;
    tasklet.scheduled = false;
    return tasklet;
  }
}

const byCpu = new StaticArray<Tasklets>(x86.CPUS);
for (let i: u32 = 0; i < x86.CPUS; i++) byCpu[i] = new Tasklets();

export function taskletsOf(cpu: u32): Tasklets {
  return unchecked(byCpu[cpu]);
}

/** By an interrupt handler: has `tasklet` run behind it, once. */
export function schedule(tasklet: Tasklet): void {
  taskletsOf(x86.cpu()).add(tasklet);
}
