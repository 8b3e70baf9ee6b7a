// The virtio bus: which devices there are, each matched by its type to a driver of a table, and which of them are in use. A
// device can be taken away from its driver, and given to one again.

import { log } from '../lib/log.ts';
import * as trace from '../lib/trace.ts';
import { Arena } from '../mm/objects.ts';
import { Mutex } from '../sched/mutex.ts';
import { VirtioDevice } from './device.ts';
import { Attachment, VirtioDriver } from './driver.ts';
import { Transport } from './transport.ts';

/** A device that a driver has; of that device's own objects. */
class Binding {
  next: Binding | null = null;

  constructor(
    public readonly place: string,
    public readonly device: VirtioDevice,
    public readonly attachment: Attachment,
  ) {}
}

export class VirtioBus {
  /** Of those who attach and detach. */
  private readonly mutex: Mutex = new Mutex();
  private first: Binding | null = null;

  constructor(private readonly drivers: StaticArray<VirtioDriver>) {}

  /** The driver for a type of device; null after a line that says so. */
  driverFor(place: string, deviceId: u32): VirtioDriver | null {
    for (let i = 0; i < this.drivers.length; i++)
      if (this.drivers[i].deviceId === deviceId) return this.drivers[i];
    log('virtio').text(place).decimal(': no driver for device type ', deviceId).end();
    return null;
  }

  /** With all objects in `arena`; false after a line that says why the device cannot be used: it is as it was then. */
  attach(driver: VirtioDriver, transport: Transport, arena: Arena): bool {
    const device = new VirtioDevice(driver.name + ' ' + transport.name, transport);
    this.mutex.acquire();
    trace.begin(device.name);
    const attachment = driver.attach(device);
    trace.end();
    if (attachment !== null) {
      attachment.arena = arena;
      const binding = new Binding(transport.name, device, attachment);
      binding.next = this.first;
      this.first = binding;
    } else {
      device.giveUp();
      device.release();
    }
    this.mutex.release();
    return attachment !== null;
  }

  /** Takes the device at a place away from its driver, whether it still answers or not; false: nobody has it. */
  detach(place: string): bool {
    this.mutex.acquire();
    const binding = this.find(place);
    if (binding !== null) {
      this.remove(binding);
      release(binding);
    }
    this.mutex.release();
    return binding !== null;
  }

  isAttached(place: string): bool {
    this.mutex.acquire();
    const attached = this.find(place) !== null;
    this.mutex.release();
    return attached;
  }

  private find(place: string): Binding | null {
    for (let at = this.first; at !== null; at = at!.next) if (at.place === place) return at;
    return null;
  }

  private remove(binding: Binding): void {
    if (this.first === binding) this.first = binding.next;
    for (let at = this.first; at !== null; at = at!.next) if (at.next === binding) at.next = binding.next;
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
  binding.attachment.drop();
}
