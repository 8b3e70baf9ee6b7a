// Finds every function of every bus: bus 0, and behind each bridge the bus that the firmware has given it. A machine
// with more host bridges has more root buses, which nothing in configuration space tells: then all numbers are tried.

import { log } from '../../lib/log.ts';
import * as config from './config.ts';
import { PciFunction } from './function.ts';

const DEVICES: u32 = 32;
const FUNCTIONS: u32 = 8;
const FUNCTIONS_MAX: u32 = 256;
const BUSES: u32 = 256;

export const functions = new StaticArray<PciFunction | null>(FUNCTIONS_MAX);
export let functionCount: u32 = 0;

/** Buses still to be scanned, in order; a bus is entered once, whatever the bridges say. */
const queue = new StaticArray<u8>(BUSES);
const queued = new StaticArray<bool>(BUSES);
let queueEnd: u32 = 0;
/** By bus, the bridge that leads to it. */
const bridges = new StaticArray<PciFunction | null>(BUSES);

/** `moreRoots`: there are root buses besides bus 0. */
export function scan(moreRoots: bool): void {
  const roots: u32 = moreRoots ? BUSES : 1;
  for (let bus: u32 = 0; bus < roots; bus++) enqueue(bus);
  for (let i: u32 = 0; i < queueEnd; i++) scanBus(queue[i]);
  log('pci').decimal('functions ', functionCount).decimal(', buses ', queueEnd).end();
}

/** The bridge through which a bus is reached; null: it is a root bus. A bridge's own bus is always one before. */
export function bridgeTo(bus: u32): PciFunction | null {
  return bridges[bus];
}

function enqueue(bus: u32): void {
  if (queued[bus]) return;
  queued[bus] = true;
  queue[queueEnd++] = bus as u8;
}

function scanBus(bus: u32): void {
  for (let device: u32 = 0; device < DEVICES; device++) {
    const first = config.addressOf(bus, device, 0);
    if (config.read16(first, config.VENDOR_ID) === config.NO_VENDOR) continue;
    // PCI 3.0 §6.2.1: other functions may exist only if function 0 says so.
    const several = config.read8(first, config.HEADER_TYPE) & config.HEADER_MULTIFUNCTION;
    const count: u32 = several ? FUNCTIONS : 1;
    for (let fn: u32 = 0; fn < count; fn++) scanFunction(config.addressOf(bus, device, fn));
  }
}

function scanFunction(address: u32): void {
  if (config.read16(address, config.VENDOR_ID) === config.NO_VENDOR) return;
  const found = new PciFunction(address);
  found.inspect();
  if (functionCount < FUNCTIONS_MAX) functions[functionCount++] = found;
  else log('pci').text(found.name).text(' ignored, it is one too many').end();
  if (found.isBridge) {
    const secondary = config.read8(address, config.SECONDARY_BUS);
    if (secondary !== 0) {
      if (!queued[secondary]) bridges[secondary] = found;
      enqueue(secondary);
    } else log('pci').text(found.name).text(': the firmware has given this bridge no bus').end();
  }
}
