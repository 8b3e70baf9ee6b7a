// The kernel's log: one line a fact, `subsystem: text`. Each CPU has one line under construction, which is safe because
// a thread gives the CPU away only where it waits, and interrupt handlers never log.

import * as x86 from '../x86.ts';
import { Line } from './line.ts';

const lines = new StaticArray<Line | null>(x86.CPUS);
lines[0] = new Line();

/** Before CPU `number` starts. */
export function prepareCpu(number: u32): void {
  lines[number] = new Line();
}

class Verbosity {
  quiet: bool = false;
}

const verbosity = new Verbosity();

/** Whether facts are logged at all; lines without a subsystem are. */
export function setQuiet(quiet: bool): void {
  verbosity.quiet = quiet;
}

/** Starts a line; `.end()` sends it. */
export function log(subsystem: string): Line {
  return bare().mute(verbosity.quiet).text(subsystem).text(': ');
}

/** Starts a line that has no subsystem. */
export function bare(): Line {
  return lines[x86.cpu()]!.clear();
}
