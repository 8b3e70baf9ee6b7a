// Gives every BAR and every bridge window its addresses: keeps what the firmware has placed where it can be reached and is in
// nobody's way, and finds places for the rest. A window that is too small, or was never opened, is made as large as what is
// behind it needs and placed anew with all of it.

import { log } from '../../lib/log.ts';
import { BARS_MAX, PciFunction } from './function.ts';
import { HostSpaces } from './host.ts';
import { BUSES } from './numbers.ts';
import { Resource, Space } from './resource.ts';
import { bridgeTo, functions } from './scan.ts';
import * as window from './window.ts';
import { BridgeWindow, openWindow } from './window.ts';

/** More than anybody has: sums of sizes stay far from 2^64. */
const BYTES_MAX: u64 = 1 << 48;

/** What is below has been given out when PCs had no PCI. */
const FIRST_FREE_PORT: u64 = 0x1000;
const LOW_4_GIB: u64 = 0x1_0000_0000;
/** Each costs a look at everything. */
const GIVEN_UP_MAX: u32 = 64;
const NO_SPACE = ': there is no address space left for it';

/** The address space in front of each bus, by kind. */
class BusSpaces {
  constructor(
    public readonly io: Space | null,
    public readonly memory: Space,
    /** That of memory, where there is no other. */
    public readonly prefetchable: Space,
  ) {}
}

class Plan {
  /** A space before those that are windows in it; null after the last. */
  readonly spaces: Array<Space> = [];
  readonly windows: Array<BridgeWindow> = [];
  readonly buses: StaticArray<BusSpaces | null> = new StaticArray<BusSpaces | null>(BUSES);
  /** Something that is fixed could not stay. */
  failed: bool = false;

  fixed(): Array<Resource> {
    const found: Array<Resource> = [];
    for (let i = 0; i < this.spaces.length; i++)
      for (let at = this.spaces[i].members; at !== null; at = at!.nextMember) if (at.fixed) found.push(at);
    return found;
  }
}

const plan = new Plan();

/** After all functions have been found. */
export function assignAll(): void {
  const host = new HostSpaces();
  plan.spaces.push(host.ports);
  plan.spaces.push(host.memory);
  for (let bus: u32 = 0; bus < BUSES; bus++)
    if (bridgeTo(bus) === null) plan.buses[bus] = new BusSpaces(host.ports, host.memory, host.memory);
  for (let i: u32 = 0; i < functions.count; i++) {
    const fn = functions.at(i);
    addBars(fn);
    if (fn.firstBus !== 0) addWindows(fn);
  }
  settle();
  commit(true);
}

/**
 * Moves BAR `index` to a base of somebody's choice, for good; other things make room, and the windows of the bridges above
 * follow. False after a line, and all as it was, if that cannot be or would move what a driver has.
 */
export function moveBar(fn: PciFunction, index: u32, base: u64): bool {
  const bar = index < BARS_MAX ? fn.bars[index] : null;
  if (bar === null) return refuse(fn, index, 'there is none');
  const spaces = plan.buses[fn.bus]!;
  const space = bar.ports ? spaces.io : bar.isPrefetchable ? spaces.prefetchable : spaces.memory;
  if (space === null || bar.isBelow1Mib) return refuse(fn, index, 'no bridge passes it on');
  if (base === 0 || base & (bar.bytes - 1)) return refuse(fn, index, 'an address is a multiple of the size');
  if (bar.ports && base < FIRST_FREE_PORT) return refuse(fn, index, 'these ports belong to the ISA bus');
  const before = bar.space!;
  const fixed = plan.fixed();
  change(bar, before, space);
  bar.givenUp = false;
  bar.start = base;
  bar.fixed = true;
  bar.why = 'as asked';
  for (let i = plan.windows.length - 1; i >= 0; i--) pin(plan.windows[i], space, bar);
  if (settle() && !disturbs()) {
    commit(false);
    return bar.start === base;
  }
  change(bar, space, before);
  restore(fixed);
  return refuse(fn, index, 'there is no room, or what is in use would have to move');
}

/** Places the BARs of a function that has come while drivers have others, which stay where they are. */
export function placeFunction(fn: PciFunction): void {
  const fixed = plan.fixed();
  addBars(fn);
  if (settle() && !disturbs()) commit(false);
  else restore(fixed);
  for (let i: u32 = 0; i < BARS_MAX; i++) {
    const bar = fn.bars[i];
    if (bar !== null && bar.start === 0) bar.describe(log('pci')).text(NO_SPACE).end();
  }
}

/** Its addresses are free. */
export function forgetFunction(fn: PciFunction): void {
  for (let i: u32 = 0; i < BARS_MAX; i++) {
    const bar = fn.bars[i];
    if (bar === null) continue;
    const space = bar.space;
    if (space !== null) space.removeMember(bar);
  }
}

function change(bar: Resource, from: Space, to: Space): void {
  from.removeMember(bar);
  to.addMember(bar);
}

/** A window that leads to what is fixed is fixed too, and reaches as far. */
function pin(outer: BridgeWindow, space: Space, bar: Resource): void {
  if (!isWithin(space, outer.inside)) return;
  outer.fixed = true;
  outer.low = !outer.is64;
  if (outer.start !== 0 && bar.start >= outer.start && bar.end <= outer.end) return;
  outer.release('it follows what is behind it');
  outer.start = bar.start & ~(outer.granularity - 1);
  outer.bytes = alignUp(bar.end, outer.granularity) - outer.start;
}

/** Whether somebody has lost his place, or would move who is in use. */
function disturbs(): bool {
  for (let i = 0; i < plan.spaces.length; i++) {
    for (let at = plan.spaces[i].members; at !== null; at = at!.nextMember) {
      if (at.startWritten !== 0 && at.start === 0 && at.bytes !== 0) return true;
      if (at.changed && (at.inUse || isUsed(at))) return true;
    }
  }
  return false;
}

/** Whether a driver has something behind a window. */
function isUsed(outer: Resource): bool {
  for (let i = 0; i < plan.spaces.length; i++) {
    for (let at = plan.spaces[i].members; at !== null; at = at!.nextMember) {
      if (!at.inUse) continue;
      for (let above = plan.spaces[i].window; above !== null; above = above!.space!.window)
        if (above === outer) return true;
    }
  }
  return false;
}

/** All as the hardware has it. */
function restore(fixed: Array<Resource>): void {
  for (let i = 0; i < plan.spaces.length; i++) {
    for (let at = plan.spaces[i].members; at !== null; at = at!.nextMember) {
      at.start = at.startWritten;
      at.bytes = at.bytesWritten;
      if (at.start !== 0) at.givenUp = false;
      at.fixed = fixed.includes(at);
      at.why = '';
    }
  }
}

function refuse(fn: PciFunction, index: u32, why: string): bool {
  log('pci').text(fn.name).decimal(' BAR ', index).text(' is not moved: ').text(why).end();
  return false;
}

function addBars(fn: PciFunction): void {
  const spaces = plan.buses[fn.bus]!;
  for (let i: u32 = 0; i < BARS_MAX; i++) {
    const bar = fn.bars[i];
    if (bar === null || bar.isBelow1Mib) continue;
    const space = bar.ports ? spaces.io : memoryFor(spaces, bar, bar.isPrefetchable);
    if (space !== null) space.addMember(bar);
    else bar.release('');
  }
}

function addWindows(bridge: PciFunction): void {
  const above = plan.buses[bridge.bus]!;
  const io = openWindow(bridge.address, bridge.name, window.IO);
  const memory = openWindow(bridge.address, bridge.name, window.MEMORY)!;
  const prefetchable = openWindow(bridge.address, bridge.name, window.PREFETCHABLE);
  const aboveIo = above.io;
  if (io !== null && aboveIo !== null) addWindow(io, aboveIo);
  addWindow(memory, above.memory);
  if (prefetchable !== null) addWindow(prefetchable, memoryFor(above, prefetchable, true));
  plan.buses[bridge.firstBus] = new BusSpaces(
    io === null || aboveIo === null ? null : io.inside,
    memory.inside,
    prefetchable === null ? memory.inside : prefetchable.inside,
  );
}

function addWindow(added: BridgeWindow, space: Space): void {
  space.addMember(added);
  plan.windows.push(added);
  plan.spaces.push(added.inside);
}

/** Prefetchable memory may be in either window; what is placed belongs to that in which it is. */
function memoryFor(spaces: BusSpaces, resource: Resource, prefetchable: bool): Space {
  const proper = prefetchable ? spaces.prefetchable : spaces.memory;
  if (resource.start === 0) return proper;
  if (isInside(spaces.memory, resource)) return spaces.memory;
  return isInside(spaces.prefetchable, resource) ? spaces.prefetchable : proper;
}

function isInside(space: Space, resource: Resource): bool {
  const outer = space.window;
  return outer !== null && outer.start !== 0 && resource.start >= outer.start && resource.start < outer.end;
}

/**
 * Decides where everything is to be; the hardware stays as it is. Where a window finds no place, the largest of what is
 * behind it goes without, so that the others need not. False if what is fixed could not be held.
 */
function settle(): bool {
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

function isWithin(inner: Space, outer: Space): bool {
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

function alignUp(value: u64, align: u64): u64 {
  return (value + align - 1) & ~(align - 1);
}

/** Writes what has changed, with a line for each; `first`: tells what has no place. */
function commit(first: bool): void {
  for (let i = 0; i < plan.spaces.length; i++) {
    for (let at = plan.spaces[i].members; at !== null; at = at!.nextMember) {
      at.isNew = at.changed;
      if (at.isNew) commitOne(at);
      else if (first && at.start === 0 && at.bytes !== 0) at.describe(log('pci')).text(NO_SPACE).end();
      at.why = '';
    }
  }
  // All are written by now: of two that are one, the first does not keep its address.
  for (let i = 0; i < plan.spaces.length; i++) {
    for (let at = plan.spaces[i].members; at !== null; at = at!.nextMember) {
      if (!at.isNew || at.start === 0 || at.isKept()) continue;
      at.describe(log('pci')).text(': it does not keep this address').end();
      at.start = 0;
    }
  }
}

function commitOne(resource: Resource): void {
  const was = resource.startWritten;
  resource.startWritten = resource.start;
  resource.bytesWritten = resource.bytes;
  resource.write();
  if (was === 0 && resource.bytes === 0) return; // a window that a reset has left open, and nobody needs
  const line = resource.describe(log('pci'));
  if (resource.start === 0 && resource.bytes !== 0) line.text(NO_SPACE);
  else if (was === 0) line.text(': placed');
  if (was !== 0) line.hex(': was at ', was, 8);
  if (was !== 0 && resource.why.length > 0) line.text(', ').text(resource.why);
  line.end();
}
