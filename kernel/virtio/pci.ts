// virtio on the PCI bus (virtio 1.2 §4.1.2): which functions are virtio devices, of which type, and through which
// transport they are reached.

import * as config from '../bus/pci/config.ts';
import { PciFunction } from '../bus/pci/function.ts';
import { PciInterrupts } from '../bus/pci/interrupts.ts';
import { openLegacy } from './legacy.ts';
import { openModern } from './modern.ts';
import { Transport } from './transport.ts';

const VENDOR: u32 = 0x1af4;
const TRANSITIONAL_FIRST: u32 = 0x1000;
const MODERN_FIRST: u32 = 0x1040;
const MODERN_LAST: u32 = 0x107f;

/** The virtio device type (§5) of a function, 0: it is no virtio device. */
export function deviceIdOf(fn: PciFunction): u32 {
  if (fn.vendor !== VENDOR || fn.device < TRANSITIONAL_FIRST || fn.device > MODERN_LAST) return 0;
  if (fn.device >= MODERN_FIRST) return fn.device - MODERN_FIRST;
  return config.read16(fn.address, config.SUBSYSTEM_ID); // §4.1.2.3
}

/** Makes the function work and returns its transport; null after a line that says why not. */
export function openTransport(fn: PciFunction): Transport | null {
  fn.enable();
  const interrupts = new PciInterrupts(fn, false); // §4.1.5.1.2: by MSI-X or the pin
  const id = deviceIdOf(fn);
  const modernOnly = fn.device >= MODERN_FIRST; // §4.1.2.1: such an id promises no legacy interface
  let transport = openModern(fn, id, interrupts, modernOnly);
  if (transport === null && !modernOnly) transport = openLegacy(fn, id, interrupts);
  if (transport === null) interrupts.close();
  return transport;
}
