// What the running thread is at. A driver says it while it works for the thread, and after that what the thread was at before: the
// log that a driver writes may itself go through a driver.

import { Activity } from '../lib/activity.ts';
import { current } from './scheduler.ts';

/** Gives what end() needs. */
export function begin(activity: Activity): Activity | null {
  const thread = current();
  const before = thread.activity;
  thread.activity = activity;
  return before;
}

export function end(before: Activity | null): void {
  current().activity = before;
}
