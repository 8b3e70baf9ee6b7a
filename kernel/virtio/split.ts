// The split virtqueue (virtio 1.2 §2.7): a table of descriptors, a ring of chains that are available to the device, and a
// ring of those that it has used. A descriptor's place in the table is its id; a chain has that of its first.

import { Window } from '../bus/window.ts';
import { log } from '../lib/log.ts';
import * as x86 from '../x86.ts';
import { DESCRIPTOR_BYTES, RingLayout } from './layout.ts';
import { FLAG_NEXT, PORTION, passed, QueueUser, Virtqueue } from './queue.ts';

// Descriptor (§2.7.5): address u64, length u32, flags u16, next u16.
const FLAGS_SHIFT: u64 = 32;
const NEXT_SHIFT: u64 = 48;

// Available ring (§2.7.6) and used ring (§2.7.8): flags u16, idx u16, entries, event u16.
const RING_FLAGS: u32 = 0;
const RING_INDEX: u32 = 2;
const RING_ENTRIES: u32 = 4;
const USED_NO_NOTIFY: u32 = 1; // §2.7.10
const AVAILABLE_NO_INTERRUPT: u32 = 1; // §2.7.7

export class SplitQueue extends Virtqueue {
  private readonly mask: u32;
  private readonly descriptors: u32;
  private readonly available: u32;
  private readonly used: u32;
  /** The used entry that the driver wants to hear of, and the available one that the device does (§2.7.7, §2.7.10). */
  private readonly usedEvent: u32;
  private readonly availableEvent: u32;
  /** idx of the available ring; how far the used ring has been read; what used_event holds. */
  private availableIndex: u32 = 0;
  private lastUsed: u32 = 0;
  private interruptAt: u32 = 0;

  constructor(index: u32, ring: RingLayout, doorbell: Window, user: QueueUser, features: u64) {
    super(index, ring, doorbell, user, features);
    this.mask = ring.size - 1;
    this.descriptors = ring.descriptors;
    this.available = ring.driver;
    this.used = ring.device;
    this.usedEvent = ring.driver + RING_ENTRIES + ring.size * 2;
    this.availableEvent = ring.device + RING_ENTRIES + ring.size * 8;
  }

  get hasUsed(): bool {
    return x86.load16(this.used + RING_INDEX) !== this.lastUsed;
  }

  get isDue(): bool {
    return !this.useEvents || ((this.interruptAt - this.lastUsed) & 0xffff) > this.mask;
  }

  protected get inFlight(): u32 {
    return (this.availableIndex - this.lastUsed) & 0xffff;
  }

  protected awaitUsed(steps: u32): void {
    this.interruptAt = (this.lastUsed + steps - 1) & 0xffff;
    x86.store16(this.usedEvent, this.interruptAt);
  }

  protected takeUsed(): bool {
    const used = this.used;
    const mask = this.mask;
    let seen = this.lastUsed;
    let index = x86.load16(used + RING_INDEX);
    while (true) {
      let news = (index - seen) & 0xffff;
      const rest = news > PORTION ? news - PORTION : 0;
      while (news > rest) {
        const entry = used + (seen & mask) * 8 + RING_ENTRIES;
        const steps = this.retire(x86.load32(entry), x86.load32(entry + 4), news);
        if (steps === 0) return false;
        news -= steps;
        seen = (seen + steps) & 0xffff;
        this.lastUsed = seen;
      }
      if (news > 0) return true;
      index = x86.load16(used + RING_INDEX);
      if (seen !== index) continue;
      if (!this.useEvents || this.polling) return false;
      // §2.7.7: the next entry shall interrupt, or a later one; what came before this was seen is taken now.
      if (((this.interruptAt - seen) & 0xffff) > mask) this.interruptAt = seen;
      x86.store16(this.usedEvent, this.interruptAt);
      x86.mfence();
      index = x86.load16(used + RING_INDEX);
      if (seen === index) return false;
    }
  }

  dump(name: string): void {
    log(name)
      .decimal('queue ', this.index)
      .decimal(' of ', this.ring.size)
      .decimal(': available ', this.availableIndex)
      .decimal(', announced ', (this.availableIndex - this.unannounced) & 0xffff)
      .decimal(', used ', x86.load16(this.used + RING_INDEX))
      .decimal(', seen ', this.lastUsed)
      .decimal(', free ', this.freeCount)
      .hex(', used flags ', x86.load16(this.used + RING_FLAGS), 4)
      .decimal(', used_event ', x86.load16(this.usedEvent))
      .decimal(', avail_event ', x86.load16(this.availableEvent))
      .end();
  }

  protected describe(address: u32, bytes: u32, flags: u32): void {
    const id = this.last;
    let rest: u64 = (bytes as u64) | ((flags as u64) << FLAGS_SHIFT);
    if (flags & FLAG_NEXT) {
      const next = this.takeId();
      this.last = next;
      rest |= (next as u64) << NEXT_SHIFT;
    }
    const at = this.descriptors + id * DESCRIPTOR_BYTES;
    x86.store64(at, address);
    x86.store64(at + 8, rest);
  }

  /** §2.7.13.1 to §2.7.13.3. */
  protected publish(): void {
    const available = this.available;
    const index = this.availableIndex;
    x86.store16(available + (index & this.mask) * 2 + RING_ENTRIES, this.head);
    // §2.7.13.3: the entry before the index; x86 does not swap stores.
    const next = (index + 1) & 0xffff;
    x86.store16(available + RING_INDEX, next);
    this.availableIndex = next;
  }

  protected wanted(steps: u32): bool {
    if (!this.useEvents) return (x86.load16(this.used + RING_FLAGS) & USED_NO_NOTIFY) === 0;
    const to = this.availableIndex;
    return passed(x86.load16(this.availableEvent) as u16, (to - steps) as u16, to as u16);
  }

  /** §2.7.7: with events there is no "none", only one that is far. */
  protected refuseInterrupts(): void {
    if (this.useEvents) x86.store16(this.usedEvent, (this.lastUsed - 1) & 0xffff);
    else x86.store16(this.available + RING_FLAGS, AVAILABLE_NO_INTERRUPT);
  }

  protected wantInterrupts(): void {
    if (this.useEvents)
      this.interruptAt = this.lastUsed; // collect() tells the device
    else x86.store16(this.available + RING_FLAGS, 0);
  }

  protected restart(): void {
    this.availableIndex = 0;
    this.lastUsed = 0;
    this.interruptAt = 0;
  }
}
