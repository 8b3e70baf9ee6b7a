// Spill slots: gives every home that is used a slot of the frame, the same one to homes that are never live at the
// same time. The first slots, which short displacements reach, are filled to the last hole; of those behind them each
// is given to homes one after the other, so that functions with many thousands of homes take no more than n log n.

import type { MFunc } from '../mir.ts';
import type { Home } from './bundles.ts';
import { firstEndingAfter, type Range } from './liveness.ts';

/** How many slots are searched for holes. */
const FILLED_MAX = 48;

export function assignSlots(func: MFunc, memory: Range[]): void {
  const filled: Range[][] = [];
  const rest = new Set<Home>();
  for (const { home } of memory) {
    if (!home || home.slot >= 0 || rest.has(home)) continue;
    home.slot = filled.findIndex((taken) => isFree(taken, home.ranges));
    if (home.slot < 0 && filled.length < FILLED_MAX) home.slot = filled.push([]) - 1;
    if (home.slot < 0) rest.add(home);
    else for (const r of home.ranges) insert(filled[home.slot], r);
  }
  func.spillSlots = assignInTurn([...rest], filled.length);
}

function isFree(taken: Range[], ranges: Range[]): boolean {
  for (const r of ranges) {
    const i = firstEndingAfter(taken, r.from);
    if (i < taken.length && taken[i].from < r.to) return false;
  }
  return true;
}

function insert(taken: Range[], r: Range): void {
  taken.splice(firstEndingAfter(taken, r.from), 0, r);
}

/** Gives out slots from `first` on, each again when the last range of who has it is over; returns how many there are
 * then. Starts and ends are two sorted lists: a home takes the slot of the earliest end that is not yet taken over. */
function assignInTurn(homes: Home[], first: number): number {
  const byEnd = [...homes].sort((a, b) => endOf(a) - endOf(b));
  homes.sort((a, b) => a.ranges[0].from - b.ranges[0].from);
  let slots = first;
  let over = 0;
  for (const home of homes) {
    // Whoever has ended by now began earlier, so it has a slot.
    home.slot = endOf(byEnd[over]) <= home.ranges[0].from ? byEnd[over++].slot : slots++;
  }
  return slots;
}

function endOf({ ranges }: Home): number {
  return ranges[ranges.length - 1].to;
}
