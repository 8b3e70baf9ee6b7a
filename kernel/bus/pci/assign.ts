// Gives every BAR and every bridge window its addresses: keeps what the firmware has placed where it can be reached and is in
// nobody's way, and finds places for the rest; also for what comes later, while all that is in use stays. What is decided in the
// plan is written to the hardware here.

import { log } from '../../lib/log.ts';
import { BARS_MAX, PciFunction } from './function.ts';
import { HostSpaces } from './host.ts';
import { BUSES } from './numbers.ts';
import { addBars, addWindows, BusSpaces, plan, removeWindows } from './plan.ts';
import { Resource, Space } from './resource.ts';
import { bridgeTo, functions } from './scan.ts';
import { alignUp, GIVEN_UP_MAX, isWithin, settle } from './settle.ts';
import { BridgeWindow } from './window.ts';

/** What is below has been given out when PCs had no PCI. */
const FIRST_FREE_PORT: u64 = 0x1000;
const NO_SPACE = ': there is no address space left for it';

/** After all functions have been found. */
export function assignAll(): void {
  const host = new HostSpaces();
  plan.spaces.push(host.ports);
  plan.spaces.push(host.memory);
  const spaces = new BusSpaces(host.ports, host.memory, host.memory);
  for (let bus: u32 = 0; bus < BUSES; bus++) if (bridgeTo(bus) === null) plan.buses[bus] = spaces;
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

/**
 * Places what functions need that have come while drivers have others, which stay where they are. Where not all of it finds a
 * place, the largest go without.
 */
export function placeFunctions(added: Array<PciFunction>): void {
  const fixed = plan.fixed();
  for (let i = 0; i < added.length; i++) {
    addBars(added[i]);
    if (added[i].firstBus !== 0) addWindows(added[i]);
  }
  for (let i: u32 = 0; i < GIVEN_UP_MAX; i++) {
    // The way to what is in use stays, but can become wider.
    for (let j = 0; j < plan.windows.length; j++) if (isUsed(plan.windows[j])) plan.windows[j].fixed = true;
    if (settle() && !disturbs()) {
      fixOnly(fixed);
      commit(false);
      break;
    }
    restore(fixed);
    const largest = largestOf(added);
    if (largest === null) break;
    largest.givenUp = true;
  }
  for (let i = 0; i < added.length; i++) {
    for (let j: u32 = 0; j < BARS_MAX; j++) {
      const bar = added[i].bars[j];
      if (bar !== null && bar.start === 0) bar.describe(log('pci')).text(NO_SPACE).end();
    }
  }
}

/** The largest BAR that has not been given up. */
function largestOf(added: Array<PciFunction>): Resource | null {
  let largest: Resource | null = null;
  for (let i = 0; i < added.length; i++) {
    for (let j: u32 = 0; j < BARS_MAX; j++) {
      const bar = added[i].bars[j];
      if (bar !== null && bar.isNeeded && (largest === null || bar.bytes > largest.bytes)) largest = bar;
    }
  }
  return largest;
}

/** Its addresses are free, and those that it passed on. */
export function forgetFunction(fn: PciFunction): void {
  if (fn.firstBus !== 0) removeWindows(fn);
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
      if (at.isDisturbed && (at.inUse || isUsed(at))) return true;
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
      at.why = '';
    }
  }
  fixOnly(fixed);
}

function fixOnly(fixed: Array<Resource>): void {
  for (let i = 0; i < plan.spaces.length; i++)
    for (let at = plan.spaces[i].members; at !== null; at = at!.nextMember) at.fixed = fixed.includes(at);
}

function refuse(fn: PciFunction, index: u32, why: string): bool {
  log('pci').text(fn.name).decimal(' BAR ', index).text(' is not moved: ').text(why).end();
  return false;
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
  resource.write();
  resource.startWritten = resource.start;
  resource.bytesWritten = resource.bytes;
  if (was === 0 && resource.bytes === 0) return; // a window that a reset has left open, and nobody needs
  const line = resource.describe(log('pci'));
  if (resource.start === 0 && resource.bytes !== 0) line.text(NO_SPACE);
  else if (was === 0) line.text(': placed');
  if (was !== 0) line.hex(': was at ', was, 8);
  if (was !== 0 && resource.why.length > 0) line.text(', ').text(resource.why);
  line.end();
}
