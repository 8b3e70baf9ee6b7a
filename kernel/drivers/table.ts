// All drivers, and how they meet their devices: every virtio device on the PCI bus, or that the firmware describes, gets the
// driver of its type.

import { functionCount, functions } from '../bus/pci/scan.ts';
import { findVirtioMmio } from '../bus/platform.ts';
import { log } from '../lib/log.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { VirtioDriver } from '../virtio/driver.ts';
import { openMmio } from '../virtio/mmio.ts';
import { deviceIdOf, openTransport } from '../virtio/pci.ts';
import { Transport } from '../virtio/transport.ts';
import { VirtioBalloonDriver } from './virtio-balloon.ts';
import { VirtioBlkDriver } from './virtio-blk.ts';
import { VirtioConsoleDriver } from './virtio-console.ts';
import { VirtioNetDriver } from './virtio-net.ts';
import { VirtioRngDriver } from './virtio-rng.ts';

const drivers: StaticArray<VirtioDriver> = [
  new VirtioNetDriver(),
  new VirtioBlkDriver(),
  new VirtioConsoleDriver(),
  new VirtioRngDriver(),
  new VirtioBalloonDriver(),
];

export function attachAll(): void {
  attachPci();
  attachMmio();
}

function attachPci(): void {
  for (let i: u32 = 0; i < functionCount; i++) {
    const fn = functions[i]!;
    const id = deviceIdOf(fn);
    if (id === 0) continue;
    const driver = find(fn.name, id);
    if (driver === null) continue;
    const transport = openTransport(fn);
    if (transport !== null) attach(driver, transport);
  }
}

function attachMmio(): void {
  const places = findVirtioMmio();
  for (let i = 0; i < places.length; i++) {
    const transport = openMmio(places[i]);
    if (transport === null) continue;
    const driver = find(transport.name, transport.deviceId);
    if (driver !== null) attach(driver, transport);
  }
}

function attach(driver: VirtioDriver, transport: Transport): void {
  driver.attach(new VirtioDevice(driver.name + ' ' + transport.name, transport));
}

/** Null after a line that says so. */
function find(name: string, deviceId: u32): VirtioDriver | null {
  for (let i = 0; i < drivers.length; i++) if (drivers[i].deviceId === deviceId) return drivers[i];
  log('virtio').text(name).decimal(': no driver for device type ', deviceId).end();
  return null;
}
