// All drivers, and how they meet their devices: every virtio function on the bus gets the driver of its type.

import { functionCount, functions } from '../bus/pci/scan.ts';
import { log } from '../lib/log.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { VirtioDriver } from '../virtio/driver.ts';
import { deviceIdOf, openTransport } from '../virtio/pci.ts';
import { VirtioBlkDriver } from './virtio-blk.ts';
import { VirtioRngDriver } from './virtio-rng.ts';

const drivers: StaticArray<VirtioDriver> = [new VirtioBlkDriver(), new VirtioRngDriver()];

export function attachAll(): void {
  for (let i: u32 = 0; i < functionCount; i++) {
    const fn = functions[i]!;
    const id = deviceIdOf(fn);
    if (id === 0) continue;
    const driver = find(id);
    if (driver === null) {
      log('virtio').text(fn.name).decimal(': no driver for device type ', id).end();
      continue;
    }
    const transport = openTransport(fn);
    if (transport !== null) driver.attach(new VirtioDevice(driver.name + ' ' + fn.name, transport));
  }
}

function find(deviceId: u32): VirtioDriver | null {
  for (let i = 0; i < drivers.length; i++) if (drivers[i].deviceId === deviceId) return drivers[i];
  return null;
}
