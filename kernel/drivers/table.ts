// All drivers, and how they meet their devices: every virtio device on the PCI bus, or that the firmware describes, gets the
// driver of its type.

import { Resources } from '../acpi/resources.ts';
import { PciFunction } from '../bus/pci/function.ts';
import { functions } from '../bus/pci/scan.ts';
import { findVirtioMmio } from '../bus/platform.ts';
import { Arena, makeIn, newArena } from '../mm/objects.ts';
import { VirtioBus } from '../virtio/bus.ts';
import { discard } from '../virtio/driver.ts';
import { openMmio } from '../virtio/mmio.ts';
import { deviceIdOf, openTransport } from '../virtio/pci.ts';
import { VirtioBalloonDriver } from './virtio-balloon.ts';
import { VirtioBlkDriver } from './virtio-blk.ts';
import { VirtioConsoleDriver } from './virtio-console.ts';
import { VirtioNetDriver } from './virtio-net.ts';
import { VirtioRngDriver } from './virtio-rng.ts';

export const virtioBus = new VirtioBus([
  new VirtioNetDriver(),
  new VirtioBlkDriver(),
  new VirtioConsoleDriver(),
  new VirtioRngDriver(),
  new VirtioBalloonDriver(),
]);

export function attachAll(): void {
  for (let i: u32 = 0; i < functions.count; i++) attachFunction(functions.at(i));
  attachMmio();
}

/** False if no driver has it then. */
export function attachFunction(fn: PciFunction): bool {
  const id = deviceIdOf(fn);
  if (id === 0) return false;
  const driver = virtioBus.driverFor(fn.name, id);
  if (driver === null) return false;
  const arena = newArena();
  const before = makeIn(arena);
  const transport = openTransport(fn);
  const attached = transport !== null && virtioBus.attach(driver, transport, arena);
  makeIn(before);
  if (!attached) discard(arena);
  return attached;
}

function attachMmio(): void {
  const places = findVirtioMmio();
  for (let i = 0; i < places.length; i++) {
    const arena = newArena();
    const before = makeIn(arena);
    const attached = attachPlace(places[i], arena);
    makeIn(before);
    if (!attached) discard(arena);
  }
}

function attachPlace(place: Resources, arena: Arena): bool {
  const transport = openMmio(place);
  if (transport === null) return false;
  const driver = virtioBus.driverFor(transport.name, transport.deviceId);
  return driver !== null && virtioBus.attach(driver, transport, arena);
}
