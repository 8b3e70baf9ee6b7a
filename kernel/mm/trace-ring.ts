// Memory for what CPUs trace (lib/trace.ts). It is not cleared, which would take longer than all else that starts a CPU.

import * as cmdline from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import * as trace from '../lib/trace.ts';
import * as x86 from '../x86.ts';
import * as frames from './frames.ts';

const EVENTS_MAX: u32 = 1 << 20;
/** A page. */
const EVENTS_MIN: u32 = 256;

/** Gives each of the first `cpus` CPUs a ring, if the command line asks for traces: as long a one as half of the free RAM allows. */
export function addTraceRings(cpus: u32): void {
  const asked = cmdline.number('trace', 0, EVENTS_MAX);
  if (asked === 0) return;
  const wanted: u32 = (1 as u32) << (31 - clz(asked));
  const free = frames.freeBytes();
  let events = wanted;
  while (bytesOf(events, cpus) > free / 2 || !addRings(cpus, events)) {
    events /= 2;
    if (events < EVENTS_MIN) break;
  }
  const line = log('trace');
  if (events >= min(wanted, EVENTS_MIN)) line.decimal('the last ', events).text(' events of each CPU');
  else line.text('no event');
  if (events < wanted)
    line
      .decimal(': for ', wanted)
      .size(' there must be ', 2 * bytesOf(wanted, cpus))
      .size(' of free RAM, there are ', free & ~1023);
  line.end();
}

function bytesOf(events: u32, cpus: u32): u64 {
  return (max(events, EVENTS_MIN) as u64) * trace.EVENT_BYTES * cpus;
}

/** False: they do not fit, as free RAM lies in pieces. */
function addRings(cpus: u32, events: u32): bool {
  const rings = new StaticArray<u32>(x86.CPUS);
  const bytes = events * trace.EVENT_BYTES;
  for (let i: u32 = 0; i < cpus; i++) {
    rings[i] = frames.tryAllocate(bytes);
    if (rings[i] !== 0) continue;
    while (i > 0) frames.free(rings[--i], bytes);
    return false;
  }
  for (let i: u32 = 0; i < cpus; i++) trace.setRing(i, rings[i], events);
  return true;
}
