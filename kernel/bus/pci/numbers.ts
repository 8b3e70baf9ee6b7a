// Bus numbers (PCI-to-PCI Bridge 1.2 §3.2.5.3 to §3.2.5.5): a bridge passes on the cycles for the buses from its
// secondary to its subordinate number. The firmware gives them out. Where it has not, or they contradict each other, the
// whole tree is numbered anew, depth first, as the firmware does it.

import { log } from '../../lib/log.ts';
import * as config from './config.ts';
import { PciFunction } from './function.ts';

export const BUSES: u32 = 256;
const INDICES: u32 = 256; // device << 3 | function
const FUNCTION: u32 = 7;
const NOBODY: u8 = 0;

/** Which bus leads where. */
export class Numbers {
  /** By bus, the bridge that leads to it. */
  readonly bridges: StaticArray<PciFunction | null> = new StaticArray<PciFunction | null>(BUSES);
  /** By bus, the nearest bus in whose bridge's numbers it is. */
  private readonly holders: StaticArray<u8> = new StaticArray<u8>(BUSES);
  private readonly roots: StaticArray<bool> = new StaticArray<bool>(BUSES);

  isTaken(bus: u32): bool {
    return this.roots[bus] || this.holders[bus] !== NOBODY;
  }

  isRoot(bus: u32): bool {
    return this.roots[bus];
  }

  takeRoot(bus: u32): void {
    this.roots[bus] = true;
  }

  /** Gives the buses `first` to `last` to a bridge; false if they are not within those that lead to it, and free. */
  take(bridge: PciFunction, first: u32, last: u32): bool {
    const above = this.bridges[bridge.bus];
    if (first <= bridge.bus || last < first || (above !== null && last > above.lastBus)) return false;
    const holder = this.holderAt(bridge.bus);
    for (let bus = first; bus <= last; bus++)
      if (this.roots[bus] || this.holders[bus] !== holder) return false;
    for (let bus = first; bus <= last; bus++) this.holders[bus] = first as u8;
    this.bridges[first] = bridge;
    return true;
  }

  /** The opposite. */
  giveBack(bridge: PciFunction): void {
    const holder = this.holderAt(bridge.bus);
    for (let bus = bridge.firstBus; bus <= bridge.lastBus; bus++) this.holders[bus] = holder;
    this.bridges[bridge.firstBus] = null;
  }

  /** The last number that what is behind a bus may have. */
  lastBehind(bus: u32): u32 {
    const above = this.bridges[bus];
    if (above !== null) return above.lastBus;
    let last = bus;
    while (last + 1 < BUSES && !this.roots[last + 1]) last++;
    return last;
  }

  /** The first number behind a bus that nobody has; where there is none, the one that follows. */
  firstFree(bus: u32): u32 {
    const last = this.lastBehind(bus);
    let first = bus + 1;
    while (first <= last && !this.isFree(first, bus)) first++;
    return first;
  }

  /** How far the numbers from `first` on can be had behind a bus: also behind the last, if they are nobody's there. */
  lastFree(bus: u32, first: u32): u32 {
    let next = first;
    while (true) {
      const last = this.lastBehind(bus);
      while (next <= last && this.isFree(next, bus)) next++;
      const above = this.bridges[bus];
      if (above === null || next <= last) return next - 1;
      bus = above.bus;
    }
  }

  /** The bridges above a bus have the numbers up to `last` too. */
  widen(bus: u32, last: u32): void {
    const nearest = this.bridges[bus];
    if (nearest === null) return;
    for (let i = nearest.lastBus + 1; i <= last; i++) this.holders[i] = bus as u8;
    for (let at = this.bridges[bus]; at !== null; at = this.bridges[at!.bus])
      at.lastBus = max(at.lastBus, last);
  }

  private isFree(number: u32, bus: u32): bool {
    return !this.roots[number] && this.holders[number] === this.holderAt(bus);
  }

  /** Of numbers that nobody has behind a bus. */
  private holderAt(bus: u32): u8 {
    return this.bridges[bus] === null ? NOBODY : (bus as u8);
  }
}

/** Whether the bridge's numbers can be; it leads to them from now on. */
export function claimNumbers(bridge: PciFunction, numbers: Numbers): bool {
  const first = config.read8(bridge.address, config.SECONDARY_BUS);
  const last = config.read8(bridge.address, config.SUBORDINATE_BUS);
  if (!numbers.take(bridge, first, last)) return false;
  bridge.firstBus = first;
  bridge.lastBus = last;
  return true;
}

/** The bridge passes nothing on. */
export function clearNumbers(address: u32): void {
  writeNumbers(address, 0, 0, 0);
}

/**
 * Gives numbers to a bridge that has come, and to those behind it; the bridges above pass on more than they did, where theirs do
 * not suffice and the next are nobody's. False, after a line: it has none.
 */
export function numberAdded(bridge: PciFunction, numbers: Numbers): bool {
  const bus = bridge.bus;
  const first = numbers.firstFree(bus);
  const limit = numbers.lastFree(bus, first);
  if (limit < first) {
    refuse(bridge.name);
    clearNumbers(bridge.address);
    return false;
  }
  passAbove(numbers, bus, limit);
  writeNumbers(bridge.address, bus, first, limit);
  const last = config.reach(first) ? numberTree(first, limit) : first;
  config.write8(bridge.address, config.SUBORDINATE_BUS, last);
  numbers.widen(bus, last);
  passAbove(numbers, bus, 0);
  return claimNumbers(bridge, numbers);
}

/** Has the bridges above a bus pass on cycles for their numbers, and for those up to `last`. */
function passAbove(numbers: Numbers, bus: u32, last: u32): void {
  for (let at = numbers.bridges[bus]; at !== null; at = numbers.bridges[at!.bus])
    config.write8(at.address, config.SUBORDINATE_BUS, max(at.lastBus, last));
}

function refuse(name: string): void {
  log('pci')
    .text(name)
    .text(': there is no bus number left for this bridge; what is behind it is left alone')
    .end();
}

/** Numbers what is behind the bridges on a bus, from the number after it up to `last`; returns the last that was needed. */
export function numberTree(root: u32, last: u32): u32 {
  // By bus: the bridge that leads to it, and how far its functions have been looked at.
  const bridges = new StaticArray<u32>(BUSES);
  const positions = new StaticArray<u32>(BUSES);
  let bus = root;
  let used = root;
  clearBridges(root);
  while (true) {
    const index = nextBridge(bus, positions[bus]);
    const address = config.addressOf(bus, 0, index);
    if (index === INDICES) {
      if (bus === root) return used;
      const bridge = bridges[bus];
      config.write8(bridge, config.SUBORDINATE_BUS, used);
      bus = bridge >> 16;
    } else if (used === last) {
      refuse(new PciFunction(address).name);
      positions[bus] = index + 1;
    } else {
      positions[bus] = index + 1;
      writeNumbers(address, bus, ++used, last);
      bus = used;
      bridges[bus] = address;
      if (config.reach(bus)) clearBridges(bus);
      else positions[bus] = INDICES;
    }
  }
}

/** The first function of a bus from `index` on, device << 3 | function; INDICES if there is none. */
export function nextFunction(bus: u32, index: u32): u32 {
  while (index < INDICES) {
    if (index & FUNCTION) {
      // PCI 3.0 §6.2.1: other functions may exist only if function 0 says so.
      const header = config.read8(config.addressOf(bus, 0, index & ~FUNCTION), config.HEADER_TYPE);
      if (!(header & config.HEADER_MULTIFUNCTION)) index = (index | FUNCTION) + 1;
      for (; index & FUNCTION; index++) if (exists(bus, index)) return index;
    }
    if (index < INDICES) {
      if (exists(bus, index)) return index;
      index += FUNCTION + 1;
    }
  }
  return INDICES;
}

function exists(bus: u32, index: u32): bool {
  return config.read16(config.addressOf(bus, 0, index), config.VENDOR_ID) !== config.NO_VENDOR;
}

function nextBridge(bus: u32, index: u32): u32 {
  for (let i = nextFunction(bus, index); i < INDICES; i = nextFunction(bus, i + 1)) {
    const header = config.read8(config.addressOf(bus, 0, i), config.HEADER_TYPE);
    if ((header & config.HEADER_LAYOUT) === config.LAYOUT_BRIDGE) return i;
  }
  return INDICES;
}

function clearBridges(bus: u32): void {
  for (let i = nextBridge(bus, 0); i < INDICES; i = nextBridge(bus, i + 1))
    clearNumbers(config.addressOf(bus, 0, i));
}

function writeNumbers(address: u32, primary: u32, first: u32, last: u32): void {
  config.write8(address, config.SUBORDINATE_BUS, last);
  config.write8(address, config.SECONDARY_BUS, first);
  config.write8(address, config.PRIMARY_BUS, primary);
}
