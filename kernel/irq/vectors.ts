// Interrupt vectors: who handles which. asm/ calls interrupt() for vectors 32 … 255 with interrupts off. A handler
// takes no lock that threads hold with interrupts on, allocates nothing, logs nothing, which the build proves (proofs.txt): it
// moves completions and wakes threads.

import * as trace from '../lib/trace.ts';
import * as x86 from '../x86.ts';
import { InterruptHandler } from './handler.ts';
import * as lapic from './lapic.ts';
import * as pic from './pic.ts';
import { taskletsOf } from './tasklets.ts';

export { InterruptHandler };

// Vectors 0 … 31 are exceptions (Intel SDM 3A table 6-1).
const PIC_VECTORS: u32 = 32; // 16 of them, masked
const FIRST_FREE: u32 = 48;
/** Brings nothing but tasklets that are left. */
const CONTINUE: u32 = 253;
/** What is left for all that find no vector of their own. */
const SHARED: u32 = 254;
const SPURIOUS: u32 = 255;

const handlers = new StaticArray<InterruptHandler | null>(256);

/** By CPU, those that nobody handles. */
const strayCounts = new StaticArray<u64>(x86.CPUS);

/** On the first CPU. */
export function init(): void {
  pic.init(PIC_VECTORS);
  lapic.init(SPURIOUS);
}

/** On every other one. */
export function initCpu(): void {
  lapic.initCpu(SPURIOUS);
}

export function interruptCount(): u64 {
  let total: u64 = 0;
  for (let i: u32 = 0; i < x86.CPUS; i++) total += taskletsOf(i).interrupts;
  return total;
}

export function strayCount(): u64 {
  let total: u64 = 0;
  for (let i: u32 = 0; i < x86.CPUS; i++) total += strayCounts[i];
  return total;
}

/** Gives `handler` a vector of its own; 0 when there is none left. */
export function allocateVector(handler: InterruptHandler): u32 {
  for (let vector = FIRST_FREE; vector < SHARED; vector++) {
    if (handlers[vector] !== null) continue;
    handlers[vector] = handler;
    return vector;
  }
  return 0;
}

/** How many are left. */
export function freeCount(): u32 {
  let count: u32 = 0;
  for (let vector = FIRST_FREE; vector < SHARED; vector++) if (handlers[vector] === null) count++;
  return count;
}

/** As allocateVector(); where none is left, one that others have too, so that the handler must ask its device. */
export function shareVector(handler: InterruptHandler): u32 {
  const own = allocateVector(handler);
  if (own !== 0) return own;
  handler.next = handlers[SHARED];
  handlers[SHARED] = handler;
  return SHARED;
}

/** Nobody sends it for this handler any more; what is under way counts as stray. */
export function freeVector(vector: u32, handler: InterruptHandler): void {
  if (handlers[vector] === handler) handlers[vector] = handler.next;
  // An interrupt may go through the list while it changes.
  for (let at: InterruptHandler | null = handlers[vector]; at !== null; at = at!.next)
    if (at.next === handler) at.next = handler.next;
}

class Continuation extends InterruptHandler {
  interrupt(_vector: u32): void {}
}

handlers[CONTINUE] = new Continuation();

export function interrupt(vector: u32): void {
  const own = taskletsOf(x86.cpu());
  own.interrupts++;
  let handler = unchecked(handlers[vector]); // there is one for each
  if (handler !== null) {
    do {
      if (trace.on) trace.record(trace.INTERRUPT, vector, changetype<usize>(handler.name) as u32);
      own.handler = handler;
      handler.interrupt(vector);
      if (trace.on) trace.record(trace.INTERRUPT_END, 0, 0);
      handler = handler.next;
    } while (handler !== null);
    own.handler = null;
  } else {
    strayCounts[x86.cpu()]++;
    // SDM 3A §10.9: a spurious interrupt is not in service and takes no EOI, nor does one of the PICs. But a device can
    // send a message of any vector: without an EOI, that of 255 would hold back all others for good.
    if ((vector < FIRST_FREE || vector === SPURIOUS) && !lapic.inService(vector)) return;
  }
  lapic.endOfInterrupt();
  if (own.first !== null) own.run(CONTINUE);
}
