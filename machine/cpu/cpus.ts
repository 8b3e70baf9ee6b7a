// The CPUs of a machine. One runs at a time, until it halts: then the next that can goes on, so that a run is the same
// each time. What they send each other arrives at once (Intel SDM 3A §10.6).

import type { Registers, Width } from '../bus/space.ts';
import { MachineError } from '../error.ts';
import type { Clock } from '../time/clock.ts';
import type { Cpu } from './cpu.ts';

// Interrupt command register (§10.6.1).
const DELIVERY_MODE = 7;
const FIXED = 0;
const LOWEST_PRIORITY = 1;
const INIT = 5;
const STARTUP = 6;
const TO_SELF = 1;
const TO_OTHERS = 3;
export const EVERY_CPU = 0xff;

export class Cpus implements Registers {
  readonly all: readonly Cpu[];
  /** The one that runs. */
  active: Cpu;
  /** Called when a CPU starts, at this page. */
  onStart: (cpu: Cpu, page: number) => void = () => {};
  private readonly clock: Clock;

  constructor(all: readonly Cpu[], clock: Clock) {
    this.all = all;
    this.active = all[0];
    this.clock = clock;
    for (const cpu of all) cpu.lapic.onCommand = (low, high) => this.command(cpu, low, high);
  }

  /** Registers of the running CPU's local APIC. */
  read(offset: number, width: Width): number {
    return this.active.lapic.read(offset, width);
  }

  write(offset: number, width: Width, value: number): void {
    this.active.lapic.write(offset, width, value);
  }

  /** An interrupt for the CPU with this APIC ID, or for all. */
  request(destination: number, vector: number, level = false): void {
    for (const { lapic } of this.all)
      if (destination === lapic.id || destination === EVERY_CPU) lapic.request(vector, level);
  }

  /** Whether another CPU could go on if the running one halts, now or later. */
  get several(): boolean {
    return this.all.some((cpu) => cpu !== this.active && cpu.started);
  }

  /** Goes on with a CPU that does not sleep, the next in turn; if all do, after the next event. */
  runNext(): void {
    const { all, clock } = this;
    for (;;) {
      for (let i = 1; i <= all.length; i++) {
        const cpu = all[(all.indexOf(this.active) + i) % all.length];
        if (!cpu.started || (cpu.halted && !cpu.wakes)) continue;
        this.active = cpu;
        return;
      }
      if (!clock.skipToNext())
        throw new MachineError('the machine sleeps for ever: no interrupt and no timer is due');
    }
  }

  private command(sender: Cpu, low: number, high: number): void {
    const mode = (low >>> 8) & DELIVERY_MODE;
    const shorthand = (low >>> 18) & 3;
    const destination = high >>> 24;
    for (const cpu of this.all) {
      if (shorthand === TO_SELF && cpu !== sender) continue;
      if (shorthand === TO_OTHERS && cpu === sender) continue;
      if (shorthand === 0 && destination !== EVERY_CPU && destination !== cpu.lapic.id) continue;
      if (mode === FIXED || mode === LOWEST_PRIORITY) cpu.lapic.request(low & 0xff);
      else if (mode === INIT) cpu.reset();
      else if (mode === STARTUP && !cpu.started) this.onStart(cpu, (low & 0xff) << 12);
      // An NMI stops a CPU that does not run anyway: a panic sends it.
    }
  }
}
