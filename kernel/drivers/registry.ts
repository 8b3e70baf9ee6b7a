// The devices of one kind, whatever drives them, numbered in the order in which they were found.

import { Attachment } from '../bus/attachment.ts';
import { ThreadLock } from '../lib/lock.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';

export const DEVICES_MAX: u32 = 16;

export class Registry<T extends Attachment> {
  /** Of who looks for a device and who takes it out: it must not go in between. */
  private readonly lock: ThreadLock = new ThreadLock();
  private readonly devices: StaticArray<T | null> = new StaticArray<T | null>(DEVICES_MAX);

  /** False, after a line in the name of `name`: there are too many. */
  add(device: T, name: string): bool {
    for (let i: u32 = 0; i < DEVICES_MAX; i++) {
      if (this.devices[i] !== null) continue;
      this.devices[i] = device;
      return true;
    }
    log(name).decimal('is one too many: of its kind ', DEVICES_MAX).text(' are used').end();
    return false;
  }

  /** Its number is free then; the others keep theirs. */
  remove(device: T): void {
    this.lock.acquire();
    for (let i: u32 = 0; i < DEVICES_MAX; i++) if (this.devices[i] === device) this.devices[i] = null;
    this.lock.release();
  }

  /** The device of this number, held: who is done with it drops it. Null: there is none. */
  hold(index: u32): T | null {
    this.lock.acquire();
    const device = index < DEVICES_MAX ? this.devices[index] : null;
    if (device !== null) device.hold();
    this.lock.release();
    return device;
  }

  /** The one that was found first, held, for good as a rule; panics with `problem` when there is none. */
  need(problem: string): T {
    for (let i: u32 = 0; i < DEVICES_MAX; i++) {
      const device = this.hold(i);
      if (device !== null) return device;
    }
    panic(problem);
    return this.devices[0]!;
  }
}
