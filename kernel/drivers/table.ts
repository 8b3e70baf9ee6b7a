// All drivers, and how they meet their devices: a PCI function gets the driver of its vendor and device, a virtio device on the
// PCI bus, or that the firmware describes, the driver of its type.

import { Resources } from '../acpi/resources.ts';
import { discard } from '../bus/attachment.ts';
import { PciDrivers } from '../bus/pci/driver.ts';
import { PciFunction } from '../bus/pci/function.ts';
import { functions } from '../bus/pci/scan.ts';
import { findVirtioMmio } from '../bus/platform.ts';
import { Arena, makeIn, newArena } from '../mm/objects.ts';
import { VirtioBus } from '../virtio/bus.ts';
import { openMmio } from '../virtio/mmio.ts';
import { deviceIdOf, openTransport } from '../virtio/pci.ts';
import { EduDriver } from './edu.ts';
import { VirtioBalloonDriver } from './virtio-balloon.ts';
import { VirtioBlkDriver } from './virtio-blk.ts';
import { VirtioConsoleDriver } from './virtio-console.ts';
import { VirtioNetDriver } from './virtio-net.ts';
import { VirtioRngDriver } from './virtio-rng.ts';

const pciDrivers = new PciDrivers([new EduDriver()]);

const virtioBus = new VirtioBus([
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

/** False: nobody has it. */
export function detachFunction(fn: PciFunction): bool {
  return pciDrivers.detach(fn.name) || virtioBus.detach(fn.name);
}

export function isAttached(fn: PciFunction): bool {
  return pciDrivers.isAttached(fn.name) || virtioBus.isAttached(fn.name);
}

/** False if no driver has it then. */
export function attachFunction(fn: PciFunction): bool {
  const pciDriver = pciDrivers.driverFor(fn);
  if (pciDriver !== null) return pciDrivers.attach(pciDriver, fn);
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
