// Drivers of PCI functions. Virtio devices have a bus of their own (virtio/bus.ts).

import { log } from '../../lib/log.ts';
import { Attachment } from '../attachment.ts';
import { Binding } from '../bindings.ts';
import { PciFunction } from './function.ts';

export abstract class PciDriver {
  constructor(
    public readonly name: string,
    // Of the functions that it serves.
    public readonly vendor: u32,
    public readonly device: u32,
  ) {}

  /** Brings the function up; null after a line that says why it cannot be used: it is disabled then. */
  abstract attach(fn: PciFunction): Attachment | null;
}

class PciBinding extends Binding {
  constructor(
    private readonly driver: PciDriver,
    place: string,
    attachment: Attachment,
  ) {
    super(place, attachment);
  }

  detach(): void {
    this.attachment.detach();
    log(this.driver.name + ' ' + this.place)
      .text('detached')
      .end();
  }
}

export class PciDrivers {
  constructor(private readonly drivers: StaticArray<PciDriver>) {}

  /** The driver for a function; null: there is none. */
  driverFor(fn: PciFunction): PciDriver | null {
    for (let i = 0; i < this.drivers.length; i++) {
      const driver = this.drivers[i];
      if (driver.vendor === fn.vendor && driver.device === fn.device) return driver;
    }
    return null;
  }

  /** Null after a line that says why the function cannot be used. */
  bind(driver: PciDriver, fn: PciFunction): Binding | null {
    const attachment = driver.attach(fn);
    if (attachment === null) return null;
    return new PciBinding(driver, fn.name, attachment);
  }
}
