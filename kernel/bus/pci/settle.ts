// Decides where all that takes address space is to be: keeps what can stay, and finds places for the rest. A window that is too
// small, or was never opened, is made as large as what is behind it needs and placed anew with all of it.

import { plan } from './plan.ts';
import { Resource, Space } from './resource.ts';
import { BridgeWindow } from './window.ts';

/** More than anybody has: sums of sizes stay far from 2^64. */
const BYTES_MAX: u64 = 1 << 48;
const LOW_4_GIB: u64 = 0x1_0000_0000;
/** Each costs a look at everything. */
export const GIVEN_UP_MAX: u32 = 64;

/**
 * Decides where everything is to be; the hardware stays as it is. Where a window finds no place, the largest of what is
 * behind it goes without, so that the others need not. False if what is fixed could not be held.
 */
export function settle(): bool {
  let held = settleOnce();
  for (let i: u32 = 0; i < GIVEN_UP_MAX && giveUp(); i++) held = settleOnce();
  return held;
}

function settleOnce(): bool {
  plan.failed = false;
  // Downwards: who cannot stay, because of where he is or of what is above.
  for (let i = 0; i < plan.spaces.length; i++) hold(plan.spaces[i]);
  // Upwards: how large windows must be for what is behind them.
  for (let i = plan.windows.length - 1; i >= 0; i--) fit(plan.windows[i]);
  // Downwards: the places.
  for (let i = 0; i < plan.spaces.length; i++) {
    const space = plan.spaces[i];
    if (space.isMoved) releaseAll(space);
    hold(space);
    placeAll(space);
  }
  return !plan.failed;
}

/** False if there is nothing to be given up. */
function giveUp(): bool {
  for (let i = 0; i < plan.windows.length; i++) {
    const outer = plan.windows[i];
    if (outer.start !== 0 || outer.bytes === 0) continue;
    const largest = largestIn(outer.inside);
    if (largest === null) continue;
    largest.givenUp = true;
    return true;
  }
  return false;
}

/** The largest BAR that is reached through a space. */
function largestIn(space: Space): Resource | null {
  let largest: Resource | null = null;
  for (let i = 0; i < plan.spaces.length; i++) {
    for (let at = plan.spaces[i].members; at !== null; at = at!.nextMember) {
      if (at.isWindow || !at.isNeeded || at.fixed || !isWithin(plan.spaces[i], space)) continue;
      if (largest === null || at.bytes > largest.bytes) largest = at;
    }
  }
  return largest;
}

export function isWithin(inner: Space, outer: Space): bool {
  let at = inner;
  while (at !== outer) {
    const window = at.window;
    if (window === null) return false;
    at = window.space!;
  }
  return true;
}

/** Keeps what is placed, the fixed first; releases what cannot stay. */
function hold(space: Space): void {
  space.clear();
  for (let at = space.members; at !== null; at = at!.nextMember)
    if (at.fixed && at.isPlaced && !space.keep(at)) plan.failed = true;
  for (let at = space.members; at !== null; at = at!.nextMember) if (!at.fixed && at.isPlaced) space.keep(at);
}

/** Finds places for all that have none, what is aligned most first; false if one is left without. */
function placeAll(space: Space): bool {
  let all: bool = true;
  space.sortMembers();
  for (let at = space.members; at !== null; at = at!.nextMember)
    if (at.start === 0 && at.isNeeded && !space.place(at)) all = false;
  return all;
}

function releaseAll(space: Space): void {
  for (let at = space.members; at !== null; at = at!.nextMember) {
    if (at.fixed) plan.failed = true;
    else at.release('its window has moved');
  }
}

/** Makes a window large enough; if it is not where it is, it has no place then, nor has what is in it. */
function fit(outer: BridgeWindow): void {
  const space = outer.inside;
  if (space.isIdle) {
    if (outer.start === 0) outer.bytes = 0;
    return;
  }
  if (outer.start !== 0) {
    if (outer.fixed) cover(outer);
    hold(space);
    if (placeAll(space)) return;
    if (outer.fixed) {
      grow(outer);
      return;
    }
    outer.release('too small');
  }
  releaseAll(space);
  space.sortMembers();
  outer.align = outer.granularity;
  outer.low = !outer.is64;
  outer.bytes = 0;
  for (let at = space.members; at !== null; at = at!.nextMember) {
    if (!at.isNeeded || at.bytes > BYTES_MAX) continue;
    outer.bytes = alignUp(outer.bytes, at.align) + at.bytes;
    outer.align = max(outer.align, at.align);
    outer.low = outer.low || at.low;
  }
  outer.bytes = alignUp(outer.bytes, outer.granularity);
}

/** A window that must hold something at a fixed place reaches as far. */
function cover(outer: BridgeWindow): void {
  for (let at = outer.inside.members; at !== null; at = at!.nextMember) {
    if (!at.fixed || !at.isPlaced) continue;
    const start = min(outer.start, at.start & ~(outer.granularity - 1));
    outer.bytes = max(outer.end, alignUp(at.end, outer.granularity)) - start;
    outer.start = start;
  }
}

/** A window that cannot go elsewhere takes what else is in it at its end, or else at its start. */
function grow(outer: BridgeWindow): void {
  const space = outer.inside;
  for (let at = space.members; at !== null; at = at!.nextMember) {
    if (at.start !== 0 || !at.isNeeded || at.bytes > BYTES_MAX) continue;
    const end = alignUp(alignUp(outer.end, at.align) + at.bytes, outer.granularity);
    const start = (outer.start - min(at.bytes, outer.start)) & ~(max(at.align, outer.granularity) - 1);
    if (isPassed(outer, outer.start, end)) {
      outer.bytes = end - outer.start;
    } else if (start !== 0 && isPassed(outer, start, outer.end)) {
      outer.bytes = outer.end - start;
      outer.start = start;
    } else {
      plan.failed = true;
    }
  }
  hold(space);
  if (!placeAll(space)) plan.failed = true;
}

/** Whether such a range reaches a window's bridge from the host bridge, now or with wider windows. */
function isPassed(outer: BridgeWindow, start: u64, end: u64): bool {
  let space = outer.space!;
  while (space.window !== null) space = space.window!.space!;
  if ((outer.low && end > LOW_4_GIB) || !space.reaches(start, end - start)) return false;
  for (let at = space.members; at !== null; at = at!.nextMember)
    if (at.isReserved && start < at.end && end > at.start) return false;
  return true;
}

export function alignUp(value: u64, align: u64): u64 {
  return (value + align - 1) & ~(align - 1);
}
