// What happens, with the time, for `make trace`: the phases of the boot always; interrupts, requests, wake-ups and switches
// with trace=N on the command line, which gives each CPU a ring for its last N of them (a power of two). Who waits for
// something to record tests `on` first: without tracing that is a load and a branch.
//
// A CPU writes only its own ring, with interrupts off, so there is no lock. The host reads it all from memory
// (build/trace/memory.ts), which it finds by a magic number: after a panic too, or when the machine was just stopped.

import * as x86 from '../x86.ts';

// An event: time and kind (in the top byte) u64, two words u32 by the kind. Names are the addresses of strings.
export const EVENT_BYTES: u32 = 16;
const KIND_SHIFT: u64 = 56;
const TIME_MASK: u64 = (1 << KIND_SHIFT) - 1;
/** A phase of the boot begins, where the one before ends; a part of it begins, and ends: name. */
const PHASE: u32 = 1;
const PART: u32 = 2;
const PART_END: u32 = 3;
/** An interrupt's handler is called: vector; name. It has returned. */
export const INTERRUPT: u32 = 4;
export const INTERRUPT_END: u32 = 5;
/** A thread runs from now on, and one is ready to run: slot; name. */
export const SWITCH: u32 = 6;
export const READY: u32 = 7;
/** A chain of buffers is given to a device, and comes back: the device's name; queue << 16 | token. */
export const SUBMIT: u32 = 8;
export const COMPLETE: u32 = 9;
/** A tasklet runs; it has run. Interrupts can come meanwhile. */
export const TASKLET: u32 = 10;
export const TASKLET_END: u32 = 11;

// What the host looks for: magic u64, TSC in kHz u32, number of phases u32, then each CPU's ring, in a cache line of its own: how
// many events it was given u64, how many it holds u32, its address u32.
const MAGIC: u64 = 0x32656361_7274_7379; // 'ystrace2'
const HEAD_TSC_KHZ: u32 = 8;
const HEAD_PHASES: u32 = 12;
const HEAD_RINGS: u32 = 64;
const RING_SHIFT: u32 = 6;
const RING_CAPACITY: u32 = 8;
const RING_ADDRESS: u32 = 12;
const HEAD_EVENTS: u32 = HEAD_RINGS + (x86.CPUS << RING_SHIFT);
/** Phases and parts; what comes when the room is used up is only counted. */
const PHASE_EVENTS: u32 = 96;
const head: u32 = memory.data(HEAD_EVENTS + PHASE_EVENTS * EVENT_BYTES, 64) as u32;

/** Changes once, before there is a second CPU. */
export let on: bool = false;

/** Where CPU `number` has its ring for so many events, a power of two; before there is a second CPU. */
export function setRing(number: u32, address: u32, events: u32): void {
  const ring = ringOf(number);
  store<u32>(ring + RING_CAPACITY, events);
  store<u32>(ring + RING_ADDRESS, address);
  on = true;
}

export function setRate(tsc_khz: u64): void {
  store<u32>(head + HEAD_TSC_KHZ, tsc_khz as u32);
}

/** With interrupts off. */
export function record(kind: u32, first: u32, second: u32): void {
  const ring = ringOf(x86.cpu());
  const count = load<u64>(ring);
  const slot = (count as u32) & (load<u32>(ring + RING_CAPACITY) - 1);
  put(load<u32>(ring + RING_ADDRESS) + slot * EVENT_BYTES, kind, first, second);
  store<u64>(ring, count + 1);
}

function ringOf(cpu: u32): u32 {
  return head + HEAD_RINGS + (cpu << RING_SHIFT);
}

/** A phase of the boot begins; by the boot thread, then by the main thread. */
export function phase(name: string): void {
  mark(PHASE, name);
}

/** A part of the phase; by any thread. */
export function begin(name: string): void {
  mark(PART, name);
}

export function end(): void {
  mark(PART_END, '');
}

function mark(kind: u32, name: string): void {
  store<u64>(head, MAGIC);
  const count = atomic.add<u32>(head + HEAD_PHASES, 1); // devices can be plugged in meanwhile
  if (count < PHASE_EVENTS)
    put(head + HEAD_EVENTS + count * EVENT_BYTES, kind, changetype<usize>(name) as u32, 0);
}

function put(at: u32, kind: u32, first: u32, second: u32): void {
  store<u64>(at, (x86.rdtsc() & TIME_MASK) | ((kind as u64) << KIND_SHIFT));
  store<u32>(at, first, 8);
  store<u32>(at, second, 12);
}
