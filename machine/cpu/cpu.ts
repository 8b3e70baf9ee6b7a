// A CPU: its interrupt flag, its local APIC, the moment at which it takes an interrupt, and sleep. It runs whatever
// the kernel does between two intrinsics, and looks for interrupts at each of them; on the real machine they come
// between any two instructions, which code that is right cannot tell apart.

import type { Pic } from '../devices/pic.ts';
import { BudgetError, MachineError } from '../error.ts';
import type { Random } from '../random.ts';
import type { Clock } from '../time/clock.ts';
import type { Trace } from '../trace.ts';
import { KVM_SYSTEM_TIME, type KvmClock } from './kvmclock.ts';
import type { LocalApic } from './lapic.ts';

/** RFLAGS: bit 1 is always set (Intel SDM 1 §3.4.3). */
const FLAGS_FIXED = 1 << 1;
const FLAGS_INTERRUPT = 1 << 9;

const IA32_APIC_BASE = 0x1b;
const IA32_TSC = 0x10;
const IA32_TSC_DEADLINE = 0x6e0;
const X2APIC_FIRST = 0x800;
const X2APIC_LAST = 0x83f;
const X2APIC_COMMAND = 0x830;
const APIC_BASE = 0xfee0_0000n;
const APIC_BASE_BSP = 1n << 8n;
const APIC_BASE_ENABLE = 1n << 11n;

/** Steps of all CPUs: intrinsics that the kernel has executed. */
export class Steps {
  count = 0;
  private readonly max: number;

  /** `max`: until a run is given up. */
  constructor(max: number) {
    this.max = max;
  }

  next(): void {
    if (++this.count > this.max)
      throw new BudgetError(
        `the run was given up after ${this.max} steps: a wait without end? Option budget_steps allows more`,
      );
  }
}

export interface CpuOptions {
  /** What each step of a CPU takes. */
  step_ns: number;
  steps: Steps;
  tsc_khz: number;
  kvmclock?: KvmClock;
  /** Has interrupts taken some steps late. */
  random?: Random;
}

/** An interrupt is held back by fewer steps than this. */
const HOLD_STEPS = 64;

export class Cpu {
  readonly lapic: LocalApic;
  /** As the kernel numbers it. */
  number = 0;
  /** It runs or sleeps; others wait for a startup message. */
  started = false;
  /** It sleeps, until an interrupt that it takes. */
  halted = false;
  interruptsEnabled = false;
  /** Handlers that are running, one in the other. */
  depth = 0;
  /** The kernel's `interrupt`. */
  handler: (vector: number) => void = () => {};
  private readonly clock: Clock;
  private readonly pic: Pic;
  private readonly trace: Trace;
  private readonly options: CpuOptions;
  private interruptsTaken = 0;
  /** The step from which a pending interrupt may be taken; undefined: none was pending. */
  private heldUntil: number | undefined;
  private deadline = 0n;
  private readonly msrs = new Map<number, bigint>();

  constructor(lapic: LocalApic, pic: Pic, clock: Clock, trace: Trace, options: CpuOptions) {
    this.lapic = lapic;
    this.pic = pic;
    this.clock = clock;
    this.trace = trace;
    this.options = options;
    this.msrs.set(IA32_APIC_BASE, APIC_BASE | APIC_BASE_ENABLE | (lapic.id === 0 ? APIC_BASE_BSP : 0n));
  }

  /** Before each intrinsic: time passes. */
  step(): void {
    const { steps } = this.options;
    this.trace.step?.(steps.count);
    steps.next();
    this.clock.advance(this.options.step_ns);
  }

  /** INIT: it waits for a startup message. */
  reset(): void {
    this.started = false;
    this.halted = false;
    this.interruptsEnabled = false;
  }

  /** Whether an interrupt ends its sleep. */
  get wakes(): boolean {
    if (!this.interruptsEnabled) return false;
    return this.lapic.pending() >= 0 || (this.lapic.passesExternal && this.pic.pending);
  }

  /** Behind each intrinsic: takes what interrupts are due, one after the other. */
  deliver(): void {
    while (this.interruptsEnabled) {
      if (this.options.random && this.held(this.options.random)) return;
      const vector = this.takeVector();
      if (vector < 0) return;
      this.trace.interrupt?.(this.lapic.id, vector);
      this.interruptsEnabled = false;
      this.depth++;
      this.handler(vector);
      this.depth--;
      this.interruptsEnabled = true; // iretq
    }
  }

  /** After a sleep that another CPU has used: takes the interrupt that ends it. */
  wake(): void {
    this.halted = false;
    this.heldUntil = 0; // who sleeps is woken at once
    this.deliver();
  }

  /** Sleeps until an interrupt has been taken, while no other CPU runs. */
  halt(): void {
    if (!this.interruptsEnabled)
      throw new MachineError('the machine sleeps for ever: CPU halted with interrupts off');
    const before = this.interruptsTaken;
    for (;;) {
      this.heldUntil = 0; // who sleeps is woken at once
      this.deliver();
      if (this.interruptsTaken !== before) return;
      if (!this.clock.skipToNext())
        throw new MachineError('the machine sleeps for ever: no interrupt and no timer is due');
      this.options.steps.next();
    }
  }

  get flags(): number {
    return FLAGS_FIXED | (this.interruptsEnabled ? FLAGS_INTERRUPT : 0);
  }

  set flags(flags: number) {
    this.interruptsEnabled = (flags & FLAGS_INTERRUPT) !== 0;
  }

  readTsc(): bigint {
    return BigInt(Math.floor((this.clock.now_ns * this.options.tsc_khz) / 1e6));
  }

  readMsr(msr: number): bigint {
    if (msr === IA32_TSC) return this.readTsc();
    if (msr === IA32_TSC_DEADLINE) return this.lapic.deadlineRuns ? this.deadline : 0n;
    if (msr >= X2APIC_FIRST && msr <= X2APIC_LAST) return this.readX2apic((msr - X2APIC_FIRST) * 16);
    return this.msrs.get(msr) ?? 0n;
  }

  writeMsr(msr: number, value: bigint): void {
    if (msr === IA32_TSC_DEADLINE) this.setDeadline(value);
    else if (msr === KVM_SYSTEM_TIME) this.options.kvmclock?.write(value, this.readTsc());
    else if (msr === X2APIC_COMMAND) this.lapic.writeCommand(value);
    else if (msr >= X2APIC_FIRST && msr <= X2APIC_LAST)
      this.lapic.write((msr - X2APIC_FIRST) * 16, 4, Number(value & 0xffff_ffffn));
    else this.msrs.set(msr, value);
  }

  /** Intel SDM 3A §10.5.4.1: of the time-stamp counter; 0 means none. In other modes of the timer writes are ignored. */
  private setDeadline(ticks: bigint): void {
    const at_ns = Math.ceil((Number(ticks) * 1e6) / this.options.tsc_khz);
    this.lapic.startDeadline(ticks === 0n ? undefined : at_ns);
    this.deadline = ticks;
  }

  private held(random: Random): boolean {
    if (this.lapic.pending() < 0) {
      this.heldUntil = undefined;
      return false;
    }
    this.heldUntil ??= this.options.steps.count + random.below(HOLD_STEPS);
    return this.options.steps.count < this.heldUntil;
  }

  private takeVector(): number {
    let vector = this.lapic.pending();
    if (vector >= 0) this.lapic.accept(vector);
    else if (this.lapic.passesExternal) vector = this.pic.acknowledge();
    if (vector >= 0) this.interruptsTaken++;
    this.heldUntil = undefined;
    return vector;
  }

  /** §10.12.1.2: the ID has all 32 bits there. */
  private readX2apic(offset: number): bigint {
    const value = this.lapic.read(offset, 4);
    return BigInt(offset === 0x20 ? value >>> 24 : value);
  }
}
