// All drivers, and how they meet their devices: a PCI function gets the driver of its vendor and device, a virtio device on the
// PCI bus, or that the firmware describes, the driver of its type.

import { Resources } from '../acpi/resources.ts';
import { Binding, Bindings } from '../bus/bindings.ts';
import { PciDrivers } from '../bus/pci/driver.ts';
import { PciFunction } from '../bus/pci/function.ts';
import { functions } from '../bus/pci/scan.ts';
import { findVirtioMmio } from '../bus/platform.ts';
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

const bindings = new Bindings();

export function attachAll(): void {
  for (let i: u32 = 0; i < functions.count; i++) attachFunction(functions.at(i));
  const places = findVirtioMmio();
  for (let i = 0; i < places.length; i++) {
    bindings.begin();
    bindings.end(bindPlace(places[i]));
  }
}

/** False if no driver has it then. */
export function attachFunction(fn: PciFunction): bool {
  bindings.begin();
  return bindings.end(bindFunction(fn));
}

/** False: nobody has it. */
export function detachFunction(fn: PciFunction): bool {
  return bindings.detach(fn.name);
}

export function isAttached(fn: PciFunction): bool {
  return bindings.isAttached(fn.name);
}

function bindFunction(fn: PciFunction): Binding | null {
  const pciDriver = pciDrivers.driverFor(fn);
  if (pciDriver !== null) return pciDrivers.bind(pciDriver, fn);
  const id = deviceIdOf(fn);
  if (id === 0) return null;
  const driver = virtioBus.driverFor(fn.name, id);
  if (driver === null) return null;
  const transport = openTransport(fn);
  if (transport === null) return null;
  return virtioBus.bind(driver, transport);
}

function bindPlace(place: Resources): Binding | null {
  const transport = openMmio(place);
  if (transport === null) return null;
  const driver = virtioBus.driverFor(transport.name, transport.deviceId);
  if (driver === null) return null;
  return virtioBus.bind(driver, transport);
}
