// A CPU's local APIC (Intel SDM 3A chapter 10): requests and what is in service by priority, the timer, messages. Its
// registers are reached as xAPIC in memory; as x2APIC the same ones are MSRs.

import type { Registers, Width } from '../bus/space.ts';
import type { Clock, TimedEvent } from '../time/clock.ts';

// Registers (table 10-1).
const ID = 0x20;
const VERSION = 0x30;
const TASK_PRIORITY = 0x80;
const PROCESSOR_PRIORITY = 0xa0;
const END_OF_INTERRUPT = 0xb0;
const LOGICAL_DESTINATION = 0xd0;
const DESTINATION_FORMAT = 0xe0;
const SPURIOUS_VECTOR = 0xf0;
const IN_SERVICE = 0x100;
const TRIGGER_MODE = 0x180;
const REQUESTED = 0x200;
const ERROR_STATUS = 0x280;
const COMMAND_LOW = 0x300;
const COMMAND_HIGH = 0x310;
const LVT_TIMER = 0x320;
export const LVT_LINT0 = 0x350;
const LVT_ERROR = 0x370;
const TIMER_INITIAL = 0x380;
const TIMER_CURRENT = 0x390;
const TIMER_DIVIDE = 0x3e0;

const VERSION_VALUE = 0x0005_0014; // as QEMU's: six LVT entries
const SVR_ENABLE = 1 << 8;
const LVT_MASKED = 1 << 16;
const LVT_PERIODIC = 1 << 17;
const LVT_DEADLINE = 1 << 18;
const LVT_EXTINT = 7 << 8;

/** Of the timer before its divisor: 1 GHz, as QEMU's. */
const TICK_NS = 1;

const BITS = 256;

export class LocalApic implements Registers {
  readonly id: number;
  private readonly clock: Clock;
  /** Of the registers that only keep what is written to them. */
  private readonly values = new Map<number, number>();
  private readonly requested = new Uint8Array(BITS);
  private readonly inService = new Uint8Array(BITS);
  /** Level-triggered interrupts: their end is told to the IOAPIC. */
  private readonly level = new Uint8Array(BITS);
  /** The highest requested vector, -1: none. */
  private highestRequested = -1;
  private timerStart_ns = 0;
  private timerEvent: TimedEvent | undefined;
  /** Called at the end of a level-triggered interrupt. */
  onEnd: (vector: number) => void = () => {};
  /** Called for an interrupt to other CPUs (§10.6). */
  onCommand: (low: number, high: number) => void = () => {};

  constructor(id: number, clock: Clock) {
    this.id = id;
    this.clock = clock;
    this.values.set(DESTINATION_FORMAT, 0xffff_ffff);
    this.values.set(SPURIOUS_VECTOR, 0xff);
    for (let lvt = LVT_TIMER; lvt <= LVT_ERROR; lvt += 0x10) this.values.set(lvt, LVT_MASKED);
    // As the firmware leaves it: the 8259's requests pass through LINT0 of the first CPU.
    if (id === 0) {
      this.values.set(SPURIOUS_VECTOR, SVR_ENABLE | 0xff);
      this.values.set(LVT_LINT0, LVT_EXTINT);
    }
  }

  /** A message or the IOAPIC asks for `vector`. */
  request(vector: number, level = false): void {
    // §10.5.2: vectors below 16 are illegal. §10.4.7.2: switched off, it takes no requests.
    if (vector < 16 || !this.enabled) return;
    this.requested[vector] = 1;
    this.level[vector] = level ? 1 : 0;
    if (vector > this.highestRequested) this.highestRequested = vector;
  }

  /** The vector to be delivered now, by priority; -1: none. */
  pending(): number {
    if (this.highestRequested < 0 || !this.enabled) return -1;
    return this.highestRequested >> 4 > this.priority >> 4 ? this.highestRequested : -1;
  }

  /** The processor takes `vector`: from requested to in service (§10.8.4). */
  accept(vector: number): void {
    this.requested[vector] = 0;
    this.highestRequested = this.requested.lastIndexOf(1);
    this.inService[vector] = 1;
  }

  /** Whether the 8259's output comes through. */
  get passesExternal(): boolean {
    const lint0 = this.get(LVT_LINT0);
    return (lint0 & LVT_MASKED) === 0 && (lint0 & LVT_EXTINT) === LVT_EXTINT;
  }

  read(offset: number, _width: Width): number {
    if (offset === ID) return (this.id << 24) >>> 0;
    if (offset === VERSION) return VERSION_VALUE;
    if (offset === PROCESSOR_PRIORITY) return this.priority;
    if (offset === TIMER_CURRENT) return this.timerCurrent();
    if (offset >= IN_SERVICE && offset < ERROR_STATUS) return this.readBits(offset);
    return this.get(offset);
  }

  write(offset: number, _width: Width, value: number): void {
    switch (offset) {
      case END_OF_INTERRUPT:
        this.endOfInterrupt();
        return;
      case COMMAND_LOW:
        this.values.set(offset, value);
        this.onCommand(value, this.get(COMMAND_HIGH));
        return;
      case TIMER_INITIAL:
        this.values.set(offset, value);
        this.startTimer();
        return;
      case LVT_TIMER:
      case TIMER_DIVIDE:
        this.values.set(offset, value);
        this.startTimer(this.timerStart_ns);
        return;
      case TASK_PRIORITY:
      case LOGICAL_DESTINATION:
      case DESTINATION_FORMAT:
      case SPURIOUS_VECTOR:
      case ERROR_STATUS:
      case COMMAND_HIGH:
        this.values.set(offset, value);
        return;
      default:
        if (offset > LVT_TIMER && offset <= LVT_ERROR) this.values.set(offset, value);
    }
  }

  /** x2APIC's command register is one of 64 bits, with an APIC ID of 32 (§10.12.9). */
  writeCommand(value: bigint): void {
    const destination = Number(value >> 32n);
    this.onCommand(Number(value & 0xffff_ffffn), destination << 24);
  }

  private get enabled(): boolean {
    return (this.get(SPURIOUS_VECTOR) & SVR_ENABLE) !== 0;
  }

  /** §10.8.3.1: the higher one of the task's priority and that of what is in service. */
  private get priority(): number {
    const task = this.get(TASK_PRIORITY) & 0xff;
    const serving = this.inService.lastIndexOf(1);
    return serving >> 4 > task >> 4 ? serving & 0xf0 : task;
  }

  private get(offset: number): number {
    return this.values.get(offset) ?? 0;
  }

  private endOfInterrupt(): void {
    const vector = this.inService.lastIndexOf(1);
    if (vector < 0) return;
    this.inService[vector] = 0;
    if (this.level[vector]) this.onEnd(vector);
  }

  /** In-service, trigger mode and request registers: eight of 32 bits each, 16 bytes apart. */
  private readBits(offset: number): number {
    const bits = offset >= REQUESTED ? this.requested : offset >= TRIGGER_MODE ? this.level : this.inService;
    const first = ((offset & 0x7f) >> 4) * 32;
    let value = 0;
    for (let i = 31; i >= 0; i--) value = value * 2 + bits[first + i];
    return value;
  }

  /** §10.5.4: bits 0, 1 and 3 are the divisor's power of two less 1; all ones is 1. */
  private get divisor(): number {
    const bits = this.get(TIMER_DIVIDE);
    return 1 << ((((bits & 3) | ((bits >> 1) & 4)) + 1) & 7);
  }

  private timerCurrent(): number {
    const initial = this.get(TIMER_INITIAL);
    const ticks = Math.floor((this.clock.now_ns - this.timerStart_ns) / (this.divisor * TICK_NS));
    if (ticks < initial) return initial - ticks;
    const periodic = (this.get(LVT_TIMER) & LVT_PERIODIC) !== 0;
    return periodic && initial > 0 ? initial - (ticks % initial) : 0;
  }

  /** The TSC-deadline timer (§10.5.4.1), in its mode: it interrupts once, at a moment; undefined: it does not. */
  startDeadline(at_ns: number | undefined): void {
    if ((this.get(LVT_TIMER) & LVT_DEADLINE) === 0) return;
    this.clock.cancel(this.timerEvent);
    this.timerEvent = undefined;
    if (at_ns === undefined) return;
    this.timerEvent = this.clock.schedule(at_ns - this.clock.now_ns, () => {
      this.timerEvent = undefined;
      if ((this.get(LVT_TIMER) & LVT_MASKED) === 0) this.request(this.get(LVT_TIMER) & 0xff);
    });
  }

  /** Whether a deadline is to come. */
  get deadlineRuns(): boolean {
    return this.timerEvent !== undefined && (this.get(LVT_TIMER) & LVT_DEADLINE) !== 0;
  }

  private startTimer(start_ns = this.clock.now_ns): void {
    this.clock.cancel(this.timerEvent);
    this.timerEvent = undefined;
    this.timerStart_ns = start_ns;
    const initial = this.get(LVT_TIMER) & LVT_DEADLINE ? 0 : this.get(TIMER_INITIAL);
    const period_ns = initial * this.divisor * TICK_NS;
    const lvt = this.get(LVT_TIMER);
    let end_ns = start_ns + period_ns;
    if (initial > 0 && lvt & LVT_PERIODIC && end_ns < this.clock.now_ns) {
      // Ends that have passed while it was masked, or time jumped, are lost.
      end_ns += Math.ceil((this.clock.now_ns - end_ns) / period_ns) * period_ns;
    }
    if (initial === 0 || end_ns < this.clock.now_ns) return;
    // A masked one-shot interrupts nobody: nothing has to happen at its end, and nobody is to wait for it.
    if (lvt & LVT_MASKED) return;
    this.timerEvent = this.clock.schedule(end_ns - this.clock.now_ns, () => {
      this.timerEvent = undefined;
      this.request(this.get(LVT_TIMER) & 0xff);
      if (this.get(LVT_TIMER) & LVT_PERIODIC) this.startTimer(end_ns);
    });
  }
}
