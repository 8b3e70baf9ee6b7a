// The virtio bus: which devices there are, each matched by its type to a driver of a table, and which of them are in use. A
// device can be taken away from its driver, and given to one again.

import { log } from '../lib/log.ts';
import { Mutex } from '../sched/mutex.ts';
import { VirtioDevice } from './device.ts';
import { Attachment, VirtioDriver } from './driver.ts';
import { Transport } from './transport.ts';

/** A device that a driver has. */
class Binding {
  constructor(
    public readonly place: string,
    public readonly device: VirtioDevice,
    public readonly attachment: Attachment,
  ) {}
}

export class VirtioBus {
  /** Of those who attach and detach. */
  private readonly mutex: Mutex = new Mutex();
  private readonly bindings: Array<Binding> = [];

  constructor(private readonly drivers: StaticArray<VirtioDriver>) {}

  /** The driver for a type of device; null after a line that says so. */
  driverFor(place: string, deviceId: u32): VirtioDriver | null {
    for (let i = 0; i < this.drivers.length; i++)
      if (this.drivers[i].deviceId === deviceId) return this.drivers[i];
    log('virtio').text(place).decimal(': no driver for device type ', deviceId).end();
    return null;
  }

  /** False after a line that says why the device cannot be used. */
  attach(driver: VirtioDriver, transport: Transport): bool {
    const device = new VirtioDevice(driver.name + ' ' + transport.name, transport);
    this.mutex.acquire();
    const attachment = driver.attach(device);
    if (attachment !== null) this.bindings.push(new Binding(transport.name, device, attachment));
    this.mutex.release();
    return attachment !== null;
  }

  /** Takes the device at a place away from its driver, whether it still answers or not; false: nobody has it. */
  detach(place: string): bool {
    this.mutex.acquire();
    const at = this.find(place);
    if (at >= 0) {
      const binding = this.bindings[at];
      this.bindings.splice(at, 1);
      release(binding);
    }
    this.mutex.release();
    return at >= 0;
  }

  isAttached(place: string): bool {
    this.mutex.acquire();
    const at = this.find(place);
    this.mutex.release();
    return at >= 0;
  }

  private find(place: string): i32 {
    for (let i = 0; i < this.bindings.length; i++) if (this.bindings[i].place === place) return i;
    return -1;
  }
}

function release(binding: Binding): void {
  const device = binding.device;
  const gone = device.isGone;
  device.cutOff();
  binding.attachment.detach();
  device.release();
  log(device.name)
    .text(gone ? 'has gone' : 'detached')
    .end();
}
