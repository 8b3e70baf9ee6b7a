// Drivers of PCI functions, and which functions have one. Virtio devices have a bus of their own (virtio/bus.ts).

import { log } from '../../lib/log.ts';
import { makeIn, newArena } from '../../mm/objects.ts';
import { Mutex } from '../../sched/mutex.ts';
import { Attachment, discard } from '../attachment.ts';
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

/** A function that a driver has; of that function's own objects. */
class Binding {
  next: Binding | null = null;

  constructor(
    public readonly place: string,
    public readonly driver: PciDriver,
    public readonly attachment: Attachment,
  ) {}
}

export class PciDrivers {
  /** Of those who attach and detach. */
  private readonly mutex: Mutex = new Mutex();
  private first: Binding | null = null;

  constructor(private readonly drivers: StaticArray<PciDriver>) {}

  /** The driver for a function; null: there is none. */
  driverFor(fn: PciFunction): PciDriver | null {
    for (let i = 0; i < this.drivers.length; i++) {
      const driver = this.drivers[i];
      if (driver.vendor === fn.vendor && driver.device === fn.device) return driver;
    }
    return null;
  }

  /** False after a line that says why the function cannot be used. */
  attach(driver: PciDriver, fn: PciFunction): bool {
    this.mutex.acquire();
    const arena = newArena();
    const before = makeIn(arena);
    const attachment = driver.attach(fn);
    if (attachment !== null) {
      attachment.arena = arena;
      const binding = new Binding(fn.name, driver, attachment);
      binding.next = this.first;
      this.first = binding;
    }
    makeIn(before);
    if (attachment === null) discard(arena);
    this.mutex.release();
    return attachment !== null;
  }

  /** Takes the function at a place away from its driver, whether it still answers or not; false: nobody has it. */
  detach(place: string): bool {
    this.mutex.acquire();
    const binding = this.find(place);
    if (binding !== null) {
      this.remove(binding);
      binding.attachment.detach();
      log(binding.driver.name + ' ' + place)
        .text('detached')
        .end();
      binding.attachment.drop();
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
