// Spill slots: gives every home that is used a slot of the frame, the same one to homes that are never live at the
// same time.

import type { MFunc } from '../mir.ts';
import { firstEndingAfter, type Range } from './liveness.ts';

export function assignSlots(func: MFunc, memory: Range[]): void {
  const slots: Range[][] = [];
  for (const { home } of memory) {
    if (!home || home.slot >= 0) continue;
    home.slot = slots.findIndex((taken) => isFree(taken, home.ranges));
    if (home.slot < 0) home.slot = slots.push([]) - 1;
    const taken = slots[home.slot];
    for (const r of home.ranges) taken.splice(firstEndingAfter(taken, r.from), 0, r);
  }
  func.spillSlots = slots.length;
}

function isFree(taken: Range[], ranges: Range[]): boolean {
  for (const r of ranges) {
    const i = firstEndingAfter(taken, r.from);
    if (i < taken.length && taken[i].from < r.to) return false;
  }
  return true;
}
