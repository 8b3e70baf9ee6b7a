// Threads of the kernel: x86.thread_new and x86.thread_switch by Asyncify. A switch takes the running thread's call stack
// down into its place in memory; the loop in `run` then puts the next thread's up again, or starts it.

import { IMAGE_START } from '../cpu/paging.ts';
import { MachineError } from '../error.ts';

const SLOTS = 16;
/** As the real stacks, which also lie in the kernel image's memory (asm/stacks.S). */
const STACK_BYTES = 0x8000;

/** What Asyncify adds to a module's exports. */
export interface Asyncify {
  asyncify_start_unwind(data: number): void;
  asyncify_stop_unwind(): void;
  asyncify_start_rewind(data: number): void;
  asyncify_stop_rewind(): void;
}

interface Thread {
  /** Calls the thread's first function: at its start, and again to put its stack up. */
  enter: () => void;
  suspended: boolean;
}

export class Threads {
  private readonly threads: (Thread | undefined)[] = new Array(SLOTS).fill(undefined);
  private readonly view: DataView;
  private readonly asyncify: Asyncify | undefined;
  /** Calls the kernel's thread_main. */
  private readonly main: (arg: number) => void;
  private rewinding = false;
  private next = -1;

  constructor(memory: ArrayBuffer, exports: Record<string, unknown>) {
    this.view = new DataView(memory);
    this.asyncify = 'asyncify_start_unwind' in exports ? (exports as unknown as Asyncify) : undefined;
    this.main = exports.thread_main as (arg: number) => void;
  }

  /** Runs `boot` on stack 0, and every thread that is switched to; returns only if one of them does. */
  run(boot: () => void): void {
    let current: Thread = { enter: boot, suspended: false };
    this.threads[0] = current;
    for (;;) {
      current.enter();
      if (this.next < 0) return;
      this.asyncify!.asyncify_stop_unwind();
      const slot = this.next;
      this.next = -1;
      current = this.threads[slot]!;
      if (!current.suspended) continue;
      current.suspended = false;
      this.rewinding = true;
      this.asyncify!.asyncify_start_rewind(dataOf(slot));
    }
  }

  /** x86.thread_new. */
  create(slot: number, arg: number): void {
    if (slot < 1 || slot >= SLOTS) throw new MachineError(`x86.thread_new: there is no stack ${slot}`);
    this.threads[slot] = { enter: () => this.main(arg), suspended: false };
  }

  /** x86.thread_switch; `handling`: an interrupt handler is running. */
  switch(from: number, to: number, handling: boolean): void {
    if (this.rewinding) {
      this.rewinding = false;
      this.asyncify!.asyncify_stop_rewind();
      return;
    }
    if (this.asyncify === undefined)
      throw new MachineError('x86.thread_switch: this module cannot suspend; load it with loadKernel()');
    if (handling) throw new MachineError('x86.thread_switch in an interrupt handler');
    const thread = this.threads[from];
    if (thread === undefined || this.threads[to] === undefined)
      throw new MachineError(`x86.thread_switch from stack ${from} to ${to}: there is no such thread`);
    thread.suspended = true;
    this.next = to;
    // Asyncify's own: where the saved frames go, and where the room for them ends.
    const data = dataOf(from);
    this.view.setUint32(data, data + 8, true);
    this.view.setUint32(data + 4, data + STACK_BYTES, true);
    this.asyncify.asyncify_start_unwind(data);
  }
}

function dataOf(slot: number): number {
  return IMAGE_START + slot * STACK_BYTES;
}
