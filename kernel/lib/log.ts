// The kernel's log: one line a fact, `subsystem: text`. Threads share one line under construction, which is safe
// because a thread gives the CPU away only where it waits, and interrupt handlers never log.

import { Line } from './line.ts';

const current = new Line();

/** Starts a line; `.end()` sends it. */
export function log(subsystem: string): Line {
  return current.clear().text(subsystem).text(': ');
}

/** Starts a line that has no subsystem. */
export function bare(): Line {
  return current.clear();
}
