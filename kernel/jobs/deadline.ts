// How long a job goes on that waits for the world outside: seconds=N, 0: for ever.

import { number } from '../lib/cmdline.ts';
import { NEVER } from '../sched/thread.ts';
import * as clock from '../time/clock.ts';

const SECONDS: u32 = 10;
const SECONDS_MAX: u32 = 1_000_000;

/** As the command line says it, from now on. */
export function jobDeadline(): u64 {
  const seconds: u64 = number('seconds', SECONDS, SECONDS_MAX);
  return seconds === 0 ? NEVER : clock.after_ns(seconds * 1_000_000_000);
}
