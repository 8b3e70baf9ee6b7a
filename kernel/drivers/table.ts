// All drivers, and how they meet their devices: every virtio device on the PCI bus, or that the firmware describes, gets the
// driver of its type.

import { PciFunction } from '../bus/pci/function.ts';
import { functions } from '../bus/pci/scan.ts';
import { findVirtioMmio } from '../bus/platform.ts';
import { VirtioBus } from '../virtio/bus.ts';
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
  const transport = openTransport(fn);
  return transport !== null && virtioBus.attach(driver, transport);
}

function attachMmio(): void {
  const places = findVirtioMmio();
  for (let i = 0; i < places.length; i++) {
    const transport = openMmio(places[i]);
    if (transport === null) continue;
    const driver = virtioBus.driverFor(transport.name, transport.deviceId);
    if (driver !== null) virtioBus.attach(driver, transport);
  }
}
