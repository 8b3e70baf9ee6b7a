// The devices of one kind, whatever drives them, numbered in the order in which they were found.

import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';

export const DEVICES_MAX: u32 = 16;

export class Registry<T> {
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
    for (let i: u32 = 0; i < DEVICES_MAX; i++) if (this.devices[i] === device) this.devices[i] = null;
  }

  /** Null: there is none of this number. */
  at(index: u32): T | null {
    return index < DEVICES_MAX ? this.devices[index] : null;
  }

  /** The one that was found first; panics with `problem` when there is none. */
  need(problem: string): T {
    for (let i: u32 = 0; i < DEVICES_MAX; i++) if (this.devices[i] !== null) return this.devices[i]!;
    panic(problem);
    return this.devices[0]!;
  }
}
