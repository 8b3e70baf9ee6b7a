// All that takes address space, and where it may be: BARs and bridges' windows, in the spaces that lead to them.

import { makeIn } from '../../mm/objects.ts';
import { BARS_MAX, PciFunction } from './function.ts';
import { BUSES } from './numbers.ts';
import { Resource, Space } from './resource.ts';
import * as window from './window.ts';
import { BridgeWindow, openWindow } from './window.ts';

/** The address space in front of each bus, by kind. */
export class BusSpaces {
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

export const plan = new Plan();

export function addBars(fn: PciFunction): void {
  const spaces = plan.buses[fn.bus]!;
  for (let i: u32 = 0; i < BARS_MAX; i++) {
    const bar = fn.bars[i];
    if (bar === null || bar.isBelow1Mib) continue;
    const space = bar.ports ? spaces.io : memoryFor(spaces, bar, bar.isPrefetchable);
    if (space !== null) space.addMember(bar);
    else bar.release('');
  }
}

/** They are the bridge's own, and go with it. */
export function addWindows(bridge: PciFunction): void {
  const arena = makeIn(bridge.arena);
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
  makeIn(arena);
}

/** Nothing is behind the bridge any more. */
export function removeWindows(bridge: PciFunction): void {
  for (let i = plan.windows.length - 1; i >= 0; i--) {
    const window = plan.windows[i];
    if (window.address !== bridge.address) continue;
    window.space!.removeMember(window);
    plan.spaces.splice(plan.spaces.indexOf(window.inside), 1);
    plan.windows.splice(i, 1);
  }
  plan.buses[bridge.firstBus] = null;
}

function addWindow(added: BridgeWindow, space: Space): void {
  space.addMember(added);
  const arena = makeIn(null); // the lists outlive it
  plan.windows.push(added);
  plan.spaces.push(added.inside);
  makeIn(arena);
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
