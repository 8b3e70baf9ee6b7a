// Stacks of the kernel by Asyncify: x86.thread_new and x86.thread_switch, and the CPUs, each of which runs on one of them.
// Who switches, or halts while there are other CPUs, has its call stack taken down into its place in memory; the loop in
// `run` then puts the next one's up again, or starts it.

import type { Cpu } from '../cpu/cpu.ts';
import type { Cpus } from '../cpu/cpus.ts';
import { IMAGE_START } from '../cpu/paging.ts';
import { MachineError } from '../error.ts';

/** The CPUs' own, then the threads' (asm/layout.inc). */
const CPUS = 16;
const SLOTS = 64;
/** Where the real kernel's image lies, which is not here. Frames that can suspend are few and small. */
const STACK_BYTES = 0x4000;

/** What Asyncify adds to a module's exports. */
export interface Asyncify {
  asyncify_start_unwind(data: number): void;
  asyncify_stop_unwind(): void;
  asyncify_start_rewind(data: number): void;
  asyncify_stop_rewind(): void;
}

interface Stack {
  /** Calls its first function: at its start, and again to put it up. */
  enter: () => void;
  suspended: boolean;
}

export class Threads {
  private readonly stacks: (Stack | undefined)[] = new Array(SLOTS).fill(undefined);
  /** By CPU number: the stack that it runs on. */
  private readonly running: number[] = new Array(CPUS).fill(0);
  private readonly view: DataView;
  private readonly asyncify: Asyncify | undefined;
  private readonly exports: Record<string, unknown>;
  private readonly cpus: Cpus;
  /** By APIC ID: where a CPU starts, and as which number. */
  private readonly prepared = new Map<number, { page: number; number: number }>();
  private unwinding = false;
  private rewinding = false;

  constructor(memory: ArrayBuffer, exports: Record<string, unknown>, cpus: Cpus) {
    this.view = new DataView(memory);
    this.asyncify = 'asyncify_start_unwind' in exports ? (exports as unknown as Asyncify) : undefined;
    this.exports = exports;
    this.cpus = cpus;
    cpus.onStart = (cpu, page) => this.startCpu(cpu, page);
  }

  /** Runs `boot` on stack 0, and whatever is switched to or started; returns only if one of them does. */
  run(boot: () => void): void {
    const { cpus, stacks, running } = this;
    stacks[0] = { enter: boot, suspended: false };
    for (;;) {
      const slot = running[cpus.active.number];
      const stack = stacks[slot]!;
      if (stack.suspended) {
        stack.suspended = false;
        this.rewinding = true;
        this.asyncify!.asyncify_start_rewind(dataOf(slot));
      }
      stack.enter();
      if (!this.unwinding) return;
      this.unwinding = false;
      this.asyncify!.asyncify_stop_unwind();
      if (cpus.active.halted) cpus.runNext();
    }
  }

  /** x86.thread_new. */
  create(slot: number, arg: number): void {
    if (slot < CPUS || slot >= SLOTS)
      throw new MachineError(`x86.thread_new: there is no stack ${slot} for a thread`);
    this.stacks[slot] = { enter: () => this.call('thread_main', arg), suspended: false };
  }

  /** x86.thread_switch. */
  switch(from: number, to: number): void {
    if (this.resumed()) return;
    if (this.asyncify === undefined)
      throw new MachineError('x86.thread_switch: this module cannot suspend; load it with loadKernel()');
    if (this.cpus.active.depth > 0) throw new MachineError('x86.thread_switch in an interrupt handler');
    const { number } = this.cpus.active;
    if (this.stacks[from] === undefined || this.stacks[to] === undefined || this.running[number] !== from)
      throw new MachineError(`x86.thread_switch from stack ${from} to ${to}: there is no such thread here`);
    this.running[number] = to;
    this.suspend(from);
  }

  /** x86.sti_hlt: the running CPU sleeps until an interrupt. */
  halt(): void {
    const cpu = this.cpus.active;
    if (this.resumed()) {
      cpu.wake();
      return;
    }
    cpu.step();
    cpu.interruptsEnabled = true;
    if (this.asyncify === undefined || cpu.depth > 0 || !this.cpus.several) {
      cpu.halt();
      return;
    }
    cpu.halted = true;
    this.suspend(this.running[cpu.number]);
  }

  /** x86.cpu_prepare. */
  prepareCpu(page: number, number: number, apicId: number): void {
    if (number < 1 || number >= CPUS) throw new MachineError(`x86.cpu_prepare: there is no CPU ${number}`);
    this.prepared.set(apicId, { page, number });
  }

  private startCpu(cpu: Cpu, page: number): void {
    const prepared = this.prepared.get(cpu.lapic.id);
    if (prepared === undefined || prepared.page !== page)
      throw new MachineError(
        `CPU with APIC ID ${cpu.lapic.id} starts at 0x${page.toString(16)}: no code is there`,
      );
    const { number } = prepared;
    cpu.started = true;
    cpu.number = number;
    this.running[number] = number;
    this.stacks[number] = { enter: () => this.call('cpu_main', number), suspended: false };
  }

  /** The second call of a function that suspends: its stack is up again. */
  private resumed(): boolean {
    if (!this.rewinding) return false;
    this.rewinding = false;
    this.asyncify!.asyncify_stop_rewind();
    return true;
  }

  private suspend(slot: number): void {
    this.stacks[slot]!.suspended = true;
    this.unwinding = true;
    // Asyncify's own: where the saved frames go, and where the room for them ends.
    const data = dataOf(slot);
    this.view.setUint32(data, data + 8, true);
    this.view.setUint32(data + 4, data + STACK_BYTES, true);
    this.asyncify!.asyncify_start_unwind(data);
  }

  private call(name: string, arg: number): void {
    (this.exports[name] as (arg: number) => void)(arg);
  }
}

function dataOf(slot: number): number {
  return IMAGE_START + slot * STACK_BYTES;
}
