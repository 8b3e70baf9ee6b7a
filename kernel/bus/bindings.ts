// Which devices have a driver, whatever bus they are on. A device can be taken away from its driver, and given to one again: the
// objects of both are in an arena of their own, and go together.

import { Arena, makeIn, newArena } from '../mm/objects.ts';
import { Mutex } from '../sched/mutex.ts';
import { Attachment, discard } from './attachment.ts';

/** A device that a driver has; of the device's own objects. */
export abstract class Binding {
  next: Binding | null = null;

  constructor(
    public readonly place: string,
    public readonly attachment: Attachment,
  ) {}

  /** Ends the driver's use of the device, whether it still answers or not, with a line. */
  abstract detach(): void;
}

export class Bindings {
  /** Of those who attach and detach. */
  private readonly mutex: Mutex = new Mutex();
  private first: Binding | null = null;
  /** Of the device that is being attached. */
  private arena: Arena | null = null;
  private arenaBefore: Arena | null = null;

  /** What is made until end() is the next device's. */
  begin(): void {
    this.mutex.acquire();
    const arena = newArena();
    this.arena = arena;
    this.arenaBefore = makeIn(arena);
  }

  /** Null: no driver has taken the device, and what was made for it is given back. False then. */
  end(binding: Binding | null): bool {
    const arena = this.arena!;
    makeIn(this.arenaBefore);
    if (binding === null) discard(arena);
    else {
      binding.attachment.arena = arena;
      binding.next = this.first;
      this.first = binding;
    }
    this.mutex.release();
    return binding !== null;
  }

  /** Takes the device at a place away from its driver; false: nobody has it. */
  detach(place: string): bool {
    this.mutex.acquire();
    const binding = this.find(place);
    if (binding !== null) {
      this.remove(binding);
      binding.detach();
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
