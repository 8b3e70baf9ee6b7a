// The virtio bus: devices, each matched by its type to a driver of a table.

import { Binding } from '../bus/bindings.ts';
import { log } from '../lib/log.ts';
import * as trace from '../lib/trace.ts';
import * as activity from '../sched/activity.ts';
import { VirtioDevice } from './device.ts';
import { Attachment, VirtioDriver } from './driver.ts';
import { Transport } from './transport.ts';

class VirtioBinding extends Binding {
  constructor(
    private readonly device: VirtioDevice,
    place: string,
    attachment: Attachment,
  ) {
    super(place, attachment);
  }

  detach(): void {
    const device = this.device;
    const gone = device.isGone;
    device.cutOff();
    this.attachment.detach();
    device.release();
    log(device.name)
      .text(gone ? 'has gone' : 'detached')
      .end();
  }
}

export class VirtioBus {
  constructor(private readonly drivers: StaticArray<VirtioDriver>) {}

  /** The driver for a type of device; null after a line that says so. */
  driverFor(place: string, deviceId: u32): VirtioDriver | null {
    for (let i = 0; i < this.drivers.length; i++)
      if (this.drivers[i].deviceId === deviceId) return this.drivers[i];
    log('virtio').text(place).decimal(': no driver for device type ', deviceId).end();
    return null;
  }

  /** Null after a line that says why the device cannot be used: it is as it was then. */
  bind(driver: VirtioDriver, transport: Transport): Binding | null {
    const device = new VirtioDevice(driver.name + ' ' + transport.name, transport);
    trace.begin(device.name);
    const before = activity.begin(device);
    const attachment = driver.attach(device);
    activity.end(before);
    trace.end();
    if (attachment === null) {
      device.giveUp();
      device.release();
      return null;
    }
    return new VirtioBinding(device, transport.name, attachment);
  }
}
