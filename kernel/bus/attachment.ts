// A device that a driver has, whatever bus it is on.

import { Activity } from '../lib/activity.ts';
import { Arena } from '../mm/objects.ts';
import { quiesce } from '../sched/scheduler.ts';

/** Gives back what a device and its driver were made of; not if a handler of interrupts may still be looking at it. */
export function discard(arena: Arena): void {
  if (arena.isEmpty || quiesce()) arena.free();
}

/** A device that is in use. What it is made of stays as long as somebody may ask it for something, also when it is gone. */
export abstract class Attachment extends Activity {
  /** All objects of device and driver. */
  arena: Arena | null = null;
  /** How many may: the bus is the first. */
  holders: u32 = 1;

  hold(): void {
    atomic.add<u32>(this.place(), 1);
  }

  /** By who has held it, or by the bus. */
  drop(): void {
    if (atomic.sub<u32>(this.place(), 1) === 1) discard(this.arena!);
  }

  private place(): usize {
    return changetype<usize>(this) + offsetof<Attachment>('holders');
  }

  /**
   * The device is gone, or cut off: nobody finds it any more, and who waits for it is woken, and fails. Returns when no thread
   * uses the device's memory.
   */
  abstract detach(): void;
}
