// The rates at which the time-stamp counter and the local APIC's timer run: told by the hypervisor or the CPU, else
// measured by a clock whose rate is known. Whatever is told or measured is taken only if it can be.

import * as lapic from '../irq/lapic.ts';
import * as x86 from '../x86.ts';
import { Hpet } from './hpet.ts';
import { KvmClock } from './kvmclock.ts';
import { Pit } from './pit.ts';
import { Reference } from './reference.ts';

const MEASURE_TRIES: u32 = 3;
/** Of so many readings of all clocks the quickest counts: a hypervisor may hold the CPU up between two of them. */
const READINGS: u32 = 4;
/** A reading of the PIT takes 3 µs on real hardware and less on a virtual one. */
const POLLS_MAX: u32 = 100_000;
/** A PIT that has not counted one of its 0.8 µs by then is none: a poll is three port accesses, 0.5 µs or more. */
const POLLS_TO_MOVE: u32 = 1000;

/** When nothing tells the rate, a fast CPU is assumed, so that waits are too long rather than too short. */
const TSC_KHZ_ASSUMED: u32 = 4_000_000;
const TIMER_KHZ_ASSUMED: u32 = 1_000_000;

/** What can be: a rate outside is a mistake of the clock that it was measured by, or a lie. */
const KHZ_MIN: u64 = 1000;
const KHZ_MAX: u64 = 10_000_000;

const LEAF_TSC: u32 = 0x15; // Intel SDM 2A, CPUID: ratio of the TSC to the crystal, and the crystal's rate in Hz
const LEAF_HYPERVISOR: u32 = 0x4000_0000;
const LEAF_TIMING: u32 = 0x4000_0010; // rates of the TSC and of the APIC's bus in kHz (VMware's, KVM's too)
const CPUID_1_ECX_HYPERVISOR: u32 = 1 << 31;

export class Rates {
  tsc_khz: u64 = 0;
  /** The APIC timer before its divisor. */
  timer_khz: u64 = 0;
  source: string = '';

  find(): void {
    if (this.fromHypervisor()) this.source = 'hypervisor';
    else if (this.fromCrystal()) this.source = 'CPUID 0x15';
    else if (!this.measured(new KvmClock()) && !this.measured(new Hpet()) && !this.measured(new Pit())) {
      this.source = 'assumption, as nothing tells it';
      this.tsc_khz = TSC_KHZ_ASSUMED;
      this.timer_khz = TIMER_KHZ_ASSUMED;
    }
  }

  private fromHypervisor(): bool {
    if (!(x86.cpuid_ecx(1, 0) & CPUID_1_ECX_HYPERVISOR)) return false;
    if (x86.cpuid_eax(LEAF_HYPERVISOR, 0) < LEAF_TIMING) return false;
    this.tsc_khz = x86.cpuid_eax(LEAF_TIMING, 0);
    this.timer_khz = x86.cpuid_ebx(LEAF_TIMING, 0);
    return this.plausible();
  }

  private fromCrystal(): bool {
    if (x86.cpuid_eax(0, 0) < LEAF_TSC) return false;
    const denominator = x86.cpuid_eax(LEAF_TSC, 0);
    const numerator: u64 = x86.cpuid_ebx(LEAF_TSC, 0);
    this.timer_khz = x86.cpuid_ecx(LEAF_TSC, 0) / 1000; // SDM 3A §10.5.4: the APIC's timer runs at the crystal's rate
    if (denominator === 0 || numerator === 0 || this.timer_khz === 0) return false;
    this.tsc_khz = (this.timer_khz * numerator) / denominator;
    return this.plausible();
  }

  private measured(reference: Reference): bool {
    for (let tries: u32 = 0; tries < MEASURE_TRIES; tries++) {
      if (!this.measure(reference)) continue;
      this.source = reference.name;
      return true;
    }
    return false;
  }

  /** False if the reference does not count, or came to its end because the CPU was held up. */
  private measure(reference: Reference): bool {
    if (!reference.start()) return false;
    const enough = reference.measureCounts();
    lapic.startSilentTimer(u32.MAX_VALUE);
    const first = new Reading(reference);
    for (let polls: u32 = 0; reference.elapsed() - first.counts < enough; polls++) {
      if (polls === POLLS_MAX) return false;
      if (polls === POLLS_TO_MOVE && reference.elapsed() === first.counts) return false;
    }
    const last = new Reading(reference);
    if (reference.ended()) return false;
    const counts: u64 = last.counts - first.counts;
    if (counts === 0) return false;
    const hz = reference.hz();
    this.tsc_khz = ((last.tsc - first.tsc) * hz) / (counts * 1000);
    const timer: u64 = first.timer - last.timer; // it counts down
    this.timer_khz = (timer * lapic.TIMER_DIVISOR * hz) / (counts * 1000);
    return this.plausible();
  }

  private plausible(): bool {
    return isPossible(this.tsc_khz) && isPossible(this.timer_khz);
  }
}

function isPossible(khz: u64): bool {
  return khz >= KHZ_MIN && khz <= KHZ_MAX;
}

/** All clocks at one moment. */
class Reading {
  tsc: u64 = 0;
  counts: u32 = 0;
  timer: u32 = 0;

  constructor(reference: Reference) {
    let quickest: u64 = u64.MAX_VALUE;
    for (let i: u32 = 0; i < READINGS; i++) {
      const before = x86.rdtsc();
      const counts = reference.elapsed();
      const timer = lapic.timerCount();
      const took = x86.rdtsc() - before;
      if (took >= quickest) continue;
      quickest = took;
      this.tsc = before + took / 2;
      this.counts = counts;
      this.timer = timer;
    }
  }
}

/** Whether the APIC's timer counts at all. */
export function timerCounts(): bool {
  lapic.startSilentTimer(u32.MAX_VALUE);
  const first = lapic.timerCount();
  for (let polls: u32 = 0; polls < POLLS_TO_MOVE; polls++) if (lapic.timerCount() !== first) return true;
  return false;
}
