// Memory for what a CPU traces (lib/trace.ts). It is not cleared, which would take longer than all else that starts a CPU.

import * as cmdline from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import * as trace from '../lib/trace.ts';
import * as frames from './frames.ts';

const EVENTS_MAX: u32 = 1 << 20;

/** Gives CPU `number` a ring, if the command line asks for traces; before it starts. */
export function addTraceRing(number: u32): void {
  const wanted = cmdline.number('trace', 0, EVENTS_MAX);
  if (wanted === 0) return;
  const events: u32 = (1 as u32) << (31 - clz(wanted));
  trace.setRing(number, frames.allocate(trace.RING_HEAD_BYTES + events * trace.EVENT_BYTES), events);
  if (number === 0) log('trace').decimal('the last ', events).text(' events of each CPU').end();
}
