// The packed virtqueue (virtio 1.2 §2.8): one ring of descriptors, which the driver writes for the chains that it makes
// available and the device overwrites with those that it has used, each in turn. Flags tell which is which, by a wrap
// counter that each side flips at the ring's end (§2.8.1). Chains have ids of their own, since they may be used in any order.

import { Window } from '../bus/window.ts';
import { log } from '../lib/log.ts';
import * as x86 from '../x86.ts';
import { DESCRIPTOR_BYTES, RingLayout } from './layout.ts';
import { PORTION, passed, QueueUser, Virtqueue } from './queue.ts';

// Descriptor (§2.8.13): address u64, length u32, id u16, flags u16.
const REST: u32 = 8;
const ID_SHIFT: u64 = 32;
const FLAGS_SHIFT: u64 = 48;
const FLAG_AVAILABLE: u32 = 1 << 7;
const FLAG_USED: u32 = 1 << 15;
const FLAGS_WRAP: u32 = FLAG_AVAILABLE | FLAG_USED;

// Event suppression (§2.8.14): place u15 and wrap counter u1, flags u16.
const EVENT_WRAP: u32 = 1 << 15;
const EVENT_FLAGS_SHIFT: u32 = 16;
const EVENT_FLAGS: u32 = 3;
const EVENT_DISABLE: u32 = 1;
const EVENT_DESCRIPTOR: u32 = 2;

export class PackedQueue extends Virtqueue {
  private readonly size: u32;
  private readonly descriptors: u32;
  /** Where the next descriptor goes, and its flags as to the driver's wrap counter: AVAILABLE or, every other time, USED. */
  private next: u32 = 0;
  private nextWrap: u32 = FLAG_AVAILABLE;
  /** Where the next used descriptor comes, and its flags as to the device's wrap counter: both or, every other time, none. */
  private used: u32 = 0;
  private usedWrap: u32 = FLAGS_WRAP;
  /** Descriptors before the one that the driver wants to hear of. */
  private awaited: u32 = 0;
  /** The second half of the chain's first descriptor, which makes it available, and where that belongs; 0: none yet. */
  private first: u64 = 0;
  private firstAt: u32 = 0;

  constructor(index: u32, ring: RingLayout, doorbell: Window, user: QueueUser, features: u64) {
    super(index, ring, doorbell, user, features);
    this.size = ring.size;
    this.descriptors = ring.descriptors;
    this.restart();
  }

  get hasUsed(): bool {
    return this.isUsed(this.read());
  }

  get isDue(): bool {
    return this.awaited === 0;
  }

  protected get inFlight(): u32 {
    return this.size - this.freeCount;
  }

  protected awaitUsed(steps: u32): void {
    this.awaited = steps;
    const place = this.used + steps - 1;
    const wrap = this.usedWrap !== 0;
    if (place < this.size) this.askFor(place, wrap);
    else this.askFor(place - this.size, !wrap);
  }

  protected takeUsed(): bool {
    let left = PORTION;
    while (true) {
      let rest = this.read();
      while (this.isUsed(rest)) {
        if (left-- === 0) return true;
        // §2.8.4: a length without the flag WRITE means nothing; but QEMU never sets that flag.
        const steps = this.retire((rest >> ID_SHIFT) as u16, rest as u32, this.size);
        if (steps === 0) return false;
        this.move(steps);
        rest = this.read();
      }
      if (!this.useEvents || this.polling) return false;
      // The next one shall interrupt, or a later one; what came before this was seen is taken now.
      if (this.awaited > 0) return false;
      this.askFor(this.used, this.usedWrap !== 0);
      x86.mfence();
      if (!this.isUsed(this.read())) return false;
    }
  }

  dump(name: string): void {
    const device = x86.load32(this.ring.device);
    const driver = x86.load32(this.ring.driver);
    log(name)
      .decimal('packed queue ', this.index)
      .decimal(' of ', this.size)
      .decimal(': next ', this.next)
      .text(this.nextWrap === FLAG_AVAILABLE ? '' : ' (wrapped)')
      .decimal(', unannounced ', this.unannounced)
      .decimal(', seen ', this.used)
      .text(this.usedWrap !== 0 ? '' : ' (wrapped)')
      .hex(', there ', this.read(), 16)
      .decimal(', free ', this.freeCount)
      .hex(', driver event ', driver, 8)
      .hex(', device event ', device, 8)
      .end();
  }

  protected describe(address: u32, bytes: u32, flags: u32): void {
    const at = this.descriptors + this.next * DESCRIPTOR_BYTES;
    const rest: u64 =
      (bytes as u64) | ((this.head as u64) << ID_SHIFT) | (((flags | this.nextWrap) as u64) << FLAGS_SHIFT);
    x86.store64(at, address);
    if (this.firstAt === 0) {
      this.first = rest;
      this.firstAt = at + REST;
    } else {
      x86.store64(at + REST, rest);
    }
    if (++this.next === this.size) {
      this.next = 0;
      this.nextWrap ^= FLAGS_WRAP;
    }
  }

  /** §2.8.6: the first descriptor when the others are there; x86 does not swap stores. */
  protected publish(): void {
    x86.store64(this.firstAt, this.first);
    this.firstAt = 0;
  }

  protected wanted(steps: u32): bool {
    const event = x86.load32(this.ring.device);
    const flags = (event >> EVENT_FLAGS_SHIFT) & EVENT_FLAGS;
    if (!this.useEvents || flags !== EVENT_DESCRIPTOR) return flags !== EVENT_DISABLE;
    const wrapped = (event & EVENT_WRAP) !== 0;
    let place = event & (EVENT_WRAP - 1);
    // A place of the round before.
    if (wrapped !== (this.nextWrap === FLAG_AVAILABLE)) place -= this.size;
    return passed(place as u16, (this.next - steps) as u16, this.next as u16);
  }

  protected refuseInterrupts(): void {
    x86.store32(this.ring.driver, EVENT_DISABLE << EVENT_FLAGS_SHIFT);
  }

  protected wantInterrupts(): void {
    this.awaited = 0; // collect() tells the device, with events
    if (!this.useEvents) x86.store32(this.ring.driver, 0);
  }

  protected restart(): void {
    this.next = 0;
    this.nextWrap = FLAG_AVAILABLE;
    this.used = 0;
    this.usedWrap = FLAGS_WRAP;
    this.awaited = 0;
    this.firstAt = 0;
    if (this.useEvents) this.askFor(0, true);
  }

  /** Has the device interrupt when it uses the descriptor at `place` (§2.8.10). */
  private askFor(place: u32, wrap: bool): void {
    x86.store32(this.ring.driver, place | (wrap ? EVENT_WRAP : 0) | (EVENT_DESCRIPTOR << EVENT_FLAGS_SHIFT));
  }

  /** Length, id and flags of the next used descriptor, if it is one: read as one, since the device writes flags last. */
  private read(): u64 {
    return x86.load64(this.descriptors + this.used * DESCRIPTOR_BYTES + REST);
  }

  private isUsed(rest: u64): bool {
    return (((rest >> FLAGS_SHIFT) as u32) & FLAGS_WRAP) === this.usedWrap;
  }

  /** §2.8.6: past all descriptors of what was used. */
  private move(steps: u32): void {
    this.awaited = this.awaited > steps ? this.awaited - steps : 0;
    let used = this.used + steps;
    if (used >= this.size) {
      used -= this.size;
      this.usedWrap ^= FLAGS_WRAP;
    }
    this.used = used;
  }
}
