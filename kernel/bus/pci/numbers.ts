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
    const holder: u32 = above === null ? NOBODY : bridge.bus;
    for (let bus = first; bus <= last; bus++)
      if (this.roots[bus] || this.holders[bus] !== holder) return false;
    for (let bus = first; bus <= last; bus++) this.holders[bus] = first as u8;
    this.bridges[first] = bridge;
    return true;
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

/** Numbers what is behind the bridges on a root bus, from the number after it up to `last`. */
export function numberTree(root: u32, last: u32): void {
  // By bus: the bridge that leads to it, and how far its functions have been looked at.
  const bridges = new StaticArray<u32>(BUSES);
  const positions = new StaticArray<u32>(BUSES);
  let bus = root;
  let used = root;
  clearBridges(root);
  for (;;) {
    const index = nextBridge(bus, positions[bus]);
    const address = config.addressOf(bus, 0, index);
    if (index === INDICES) {
      if (bus === root) return;
      const bridge = bridges[bus];
      config.write8(bridge, config.SUBORDINATE_BUS, used);
      bus = bridge >> 16;
    } else if (used === last) {
      log('pci')
        .text(new PciFunction(address).name)
        .text(': there is no bus number left for this bridge')
        .end();
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
