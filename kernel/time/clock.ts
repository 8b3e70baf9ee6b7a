// Time: the time-stamp counter, in ticks, and the timer of each CPU, which interrupts at a tick: as the local APIC's
// TSC-deadline timer where there is one, else as its counter, which runs at a rate of its own (rates.ts).

import * as lapic from '../irq/lapic.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import * as trace from '../lib/trace.ts';
import * as x86 from '../x86.ts';
import { Rates, timerCounts } from './rates.ts';

/** So many readings of the same time, though each takes some: the counter has stopped. */
const READINGS_ALIKE_MAX: u32 = 10_000;

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
  const rates = new Rates();
  rates.find();
  tsc_khz = rates.tsc_khz;
  trace.setRate(tsc_khz);
  timer_khz = rates.timer_khz;
  const line = log('time').decimal('TSC ', tsc_khz).text(' kHz, ');
  if (lapic.hasDeadline()) line.text('TSC-deadline timer');
  else line.decimal('APIC timer ', timer_khz).text(' kHz');
  line.text(' by ').text(rates.source).end();
  timerRuns = lapic.hasDeadline() || timerCounts();
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

/** Has this CPU's timer interrupt at a moment, or at once if that has passed. */
export function interruptAt(moment: u64): void {
  if (lapic.hasDeadline()) {
    const lag = unchecked(ticksOf[x86.cpu()]).lag;
    lapic.startDeadline(moment > lag ? moment - lag : 1);
  } else {
    const present = now();
    lapic.startTimer(timerCount(moment > present ? moment - present : 0));
  }
}

/** A time in ticks as a count for the APIC's timer: at least 1, at most what its 32 bits hold. */
function timerCount(ticks: u64): u32 {
  // Beyond an hour the product would overflow; the timer holds only some seconds anyway.
  const milliseconds = ticks / tsc_khz;
  if (milliseconds > 3_600_000) return u32.MAX_VALUE;
  const counts_khz = timer_khz / lapic.TIMER_DIVISOR;
  const count = milliseconds * counts_khz + ((ticks % tsc_khz) * counts_khz) / tsc_khz;
  return min(max(count, 1), u32.MAX_VALUE) as u32;
}
