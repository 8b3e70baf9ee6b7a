// Time: the time-stamp counter, and the rate at which it and the local APIC's timer run. Where CPUID tells both rates
// they are taken from there; else both are measured against the PIT for 1 ms.

import * as lapic from '../irq/lapic.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import * as x86 from '../x86.ts';
import * as pit from './pit.ts';

const MEASURE_PIT_COUNTS: u32 = pit.PIT_HZ / 1000;
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
/** So many readings of the same time, though each takes some: the counter has stopped. */
const READINGS_ALIKE_MAX: u32 = 10_000;

const LEAF_TSC: u32 = 0x15; // Intel SDM 2A, CPUID: ratio of the TSC to the crystal, and the crystal's rate in Hz
const LEAF_HYPERVISOR: u32 = 0x4000_0000;
const LEAF_TIMING: u32 = 0x4000_0010; // rates of the TSC and of the APIC's bus in kHz (VMware's, KVM's too)
const CPUID_1_ECX_HYPERVISOR: u32 = 1 << 31;

let tsc_khz: u64 = 0;
/** The APIC timer before its divisor. */
let timer_khz: u64 = 0;
/** Whether the APIC's timer counts at all. */
export let timerRuns: bool = false;

/** A CPU's time. */
class Ticks {
  /** The last time that was told, how often in a row, and what makes up for steps backward. */
  latest: u64 = 0;
  readingsAlike: u32 = 0;
  lag: u64 = 0;
}

const ticksOf = new StaticArray<Ticks>(x86.CPUS);
for (let i: u32 = 0; i < x86.CPUS; i++) ticksOf[i] = new Ticks();

export function init(): void {
  const source = fromHypervisor()
    ? 'hypervisor'
    : fromCrystal()
      ? 'CPUID 0x15'
      : fromPit()
        ? 'PIT'
        : assumed();
  log('time')
    .decimal('TSC ', tsc_khz)
    .decimal(' kHz, APIC timer ', timer_khz)
    .text(' kHz by ')
    .text(source)
    .end();
  timerRuns = timerCounts();
  if (!timerRuns) log('time').text("the APIC's timer stands still: waits keep the CPU busy").end();
}

/**
 * Time in ticks: the time-stamp counter, but on a CPU never less than before, so that a counter that is set back makes no
 * wait longer. Panics when it stands still, or each wait would be for ever.
 */
export function now(): u64 {
  const own = unchecked(ticksOf[x86.cpu()]);
  const latest = own.latest; // before the counter: an interrupt in between moves it on
  let ticks = x86.rdtsc() + own.lag;
  if (ticks < latest) {
    own.lag += latest - ticks;
    ticks = latest;
  }
  own.readingsAlike = ticks === latest ? own.readingsAlike + 1 : 0;
  if (own.readingsAlike === READINGS_ALIKE_MAX) stopped();
  own.latest = ticks;
  return ticks;
}

export function stopped(): void {
  panic('the time-stamp counter stands still');
}

/** The moment `milliseconds` from now. */
export function after(milliseconds: u32): u64 {
  return now() + tsc_khz * milliseconds;
}

/** The moment `ns` nanoseconds from now. */
export function after_ns(ns: u64): u64 {
  // A rate of 100 GHz and an hour still fit in the product of a part and the rate.
  return now() + (ns / 1_000_000) * tsc_khz + ((ns % 1_000_000) * tsc_khz) / 1_000_000;
}

/** A time in ticks in nanoseconds. */
export function toNs(ticks: u64): u64 {
  const milliseconds = ticks / tsc_khz;
  return milliseconds * 1_000_000 + ((ticks % tsc_khz) * 1_000_000) / tsc_khz;
}

/** A time in ticks as a count for the APIC's timer: at least 1, at most what its 32 bits hold. */
export function timerCount(ticks: u64): u32 {
  // Beyond an hour the product would overflow; the timer holds only some seconds anyway.
  const milliseconds = ticks / tsc_khz;
  if (milliseconds > 3_600_000) return u32.MAX_VALUE;
  const counts_khz = timer_khz / lapic.TIMER_DIVISOR;
  return clamp(milliseconds * counts_khz + ((ticks % tsc_khz) * counts_khz) / tsc_khz) as u32;
}

function clamp(count: u64): u64 {
  return min(max(count, 1), u32.MAX_VALUE);
}

function fromHypervisor(): bool {
  if (!(x86.cpuid_ecx(1, 0) & CPUID_1_ECX_HYPERVISOR)) return false;
  if (x86.cpuid_eax(LEAF_HYPERVISOR, 0) < LEAF_TIMING) return false;
  tsc_khz = x86.cpuid_eax(LEAF_TIMING, 0);
  timer_khz = x86.cpuid_ebx(LEAF_TIMING, 0);
  return plausible();
}

function fromCrystal(): bool {
  if (x86.cpuid_eax(0, 0) < LEAF_TSC) return false;
  const denominator = x86.cpuid_eax(LEAF_TSC, 0);
  const numerator: u64 = x86.cpuid_ebx(LEAF_TSC, 0);
  timer_khz = x86.cpuid_ecx(LEAF_TSC, 0) / 1000; // SDM 3A §10.5.4: the APIC's timer runs at the crystal's rate
  if (denominator === 0 || numerator === 0 || timer_khz === 0) return false;
  tsc_khz = (timer_khz * numerator) / denominator;
  return plausible();
}

function plausible(): bool {
  return tsc_khz >= KHZ_MIN && tsc_khz <= KHZ_MAX && timer_khz >= KHZ_MIN && timer_khz <= KHZ_MAX;
}

/** All clocks at one moment. */
class Reading {
  tsc: u64 = 0;
  pit: u32 = 0;
  timer: u32 = 0;

  constructor() {
    let quickest: u64 = u64.MAX_VALUE;
    for (let i: u32 = 0; i < READINGS; i++) {
      const before = x86.rdtsc();
      const counts = pit.elapsed();
      const timer = lapic.timerCount();
      const took = x86.rdtsc() - before;
      if (took >= quickest) continue;
      quickest = took;
      this.tsc = before + took / 2;
      this.pit = counts;
      this.timer = timer;
    }
  }
}

function fromPit(): bool {
  for (let tries: u32 = 0; tries < MEASURE_TRIES; tries++) if (measure()) return true;
  return false;
}

/** False if the PIT does not count, or came to its end because the CPU was held up. */
function measure(): bool {
  pit.start();
  lapic.startSilentTimer(u32.MAX_VALUE);
  const first = new Reading();
  for (let polls: u32 = 0; pit.elapsed() - first.pit < MEASURE_PIT_COUNTS; polls++) {
    if (polls === POLLS_MAX) return false;
    if (polls === POLLS_TO_MOVE && pit.elapsed() === first.pit) return false;
  }
  const last = new Reading();
  if (pit.ended()) return false;
  const counts: u64 = last.pit - first.pit;
  if (counts === 0) return false;
  tsc_khz = ((last.tsc - first.tsc) * pit.PIT_HZ) / (counts * 1000);
  const timer: u64 = first.timer - last.timer; // it counts down
  timer_khz = (timer * lapic.TIMER_DIVISOR * pit.PIT_HZ) / (counts * 1000);
  return plausible();
}

function timerCounts(): bool {
  lapic.startSilentTimer(u32.MAX_VALUE);
  const first = lapic.timerCount();
  for (let polls: u32 = 0; polls < POLLS_TO_MOVE; polls++) if (lapic.timerCount() !== first) return true;
  return false;
}

function assumed(): string {
  tsc_khz = TSC_KHZ_ASSUMED;
  timer_khz = TIMER_KHZ_ASSUMED;
  return 'assumption, as nothing tells it';
}
