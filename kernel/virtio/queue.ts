// The split virtqueue (virtio 1.2 §2.7): a table of descriptors, a ring of chains that are available to the device,
// and a ring of those that it has used. The device's part of it is untrusted: what the driver must know again is kept
// apart, and every used entry is checked against it.
//
// All accesses to the rings are volatile. x86 keeps stores in order and loads in order (SDM 3A §8.2.2), so only the
// one place where a store must be seen before a later load needs a fence.

import { LONG, Window, WORD } from '../bus/window.ts';
import { SpinLock } from '../lib/lock.ts';
import { log } from '../lib/log.ts';
import * as frames from '../mm/frames.ts';
import * as x86 from '../x86.ts';
import { DESCRIPTOR_BYTES, RingLayout } from './layout.ts';

// Descriptor (§2.7.5): address u64, length u32, flags u16, next u16.
const FLAG_NEXT: u32 = 1;
const FLAG_WRITE: u32 = 2;
const FLAG_INDIRECT: u32 = 4;

// Available ring (§2.7.6) and used ring (§2.7.8): flags u16, idx u16, entries, event u16.
const RING_FLAGS: u32 = 0;
const RING_INDEX: u32 = 2;
const RING_ENTRIES: u32 = 4;
const USED_NO_NOTIFY: u32 = 1; // §2.7.10

/** More descriptors than this are not used, however many the ring has. */
const CHAINS_MAX: u32 = 256;
/** Descriptors in an indirect table, of which each ring descriptor has one. */
export const TABLE_DESCRIPTORS: u32 = 16;

/** Gets the completions of a queue, in an interrupt handler. */
export abstract class QueueUser {
  /** `written` bytes were written to the chain that was submitted with `token`. */
  abstract completed(token: u32, written: u32): void;
  /** The device has broken the rules: nothing more will complete. */
  abstract failed(): void;
}

export class SplitQueue {
  /** Guards all of it, interrupts off: the interrupt may come on another CPU. */
  readonly lock: SpinLock = new SpinLock();
  /** How often the device was notified. */
  kicks: u64 = 0;

  /** The device has done wrong, and how; the queue is not used any more then. */
  private broken: bool = false;
  private fault: string = '';
  private faultId: u32 = 0;
  private faultLength: u32 = 0;

  private readonly usable: u32;
  private readonly tables: u32;
  /** Free descriptors as a list, and the chains in use: the driver's own copy of `next`. */
  private readonly next: StaticArray<u16>;
  /** By a chain's first descriptor: token + 1, 0: not in flight; bytes the device may write; ring descriptors. */
  private readonly tokens: StaticArray<u32>;
  private readonly writable: StaticArray<u32>;
  private readonly lengths: StaticArray<u16>;
  private freeHead: u16 = 0;
  private freeCount: u32;

  /** The chain being made. */
  private head: u32 = 0;
  private at: u32 = 0;
  private segments: u32 = 0;
  private remaining: u32 = 0;
  private indirect: bool = false;
  private writableBytes: u32 = 0;

  /** idx of the available ring; idx when the device was last told; how far the used ring has been read. */
  private availableIndex: u16 = 0;
  private announced: u16 = 0;
  private lastUsed: u16 = 0;
  /** The used entry that shall interrupt, counted as the used ring's idx is: used_event. */
  private interruptAt: u16 = 0;

  constructor(
    public readonly index: u32,
    private readonly ring: RingLayout,
    private readonly doorbell: Window,
    private readonly user: QueueUser,
    private readonly useIndirect: bool,
    private readonly useEvents: bool,
    /** §2.7.8.1: legacy devices are known to set the length of used entries wrongly. */
    private readonly trustLength: bool,
  ) {
    const usable = min(ring.size, CHAINS_MAX);
    this.usable = usable;
    this.freeCount = usable;
    this.tables = useIndirect ? frames.allocate(usable * TABLE_DESCRIPTORS * DESCRIPTOR_BYTES) : 0;
    this.next = new StaticArray<u16>(usable);
    this.tokens = new StaticArray<u32>(usable);
    this.writable = new StaticArray<u32>(usable);
    this.lengths = new StaticArray<u16>(usable);
    for (let i: u32 = 0; i < usable; i++) this.next[i] = (i + 1) as u16;
  }

  /** §2.7.5.3.1: no chain is longer than the ring, indirect or not. */
  get chainMax(): u32 {
    return this.useIndirect ? min(this.ring.size, TABLE_DESCRIPTORS) : this.usable;
  }

  /** How far the used ring has been read, modulo 2^16. */
  get usedCount(): u32 {
    return this.lastUsed;
  }

  /** Starts a chain of `segments` segments, to be added in order; false: no room now. */
  begin(segments: u32): bool {
    assert(segments > 0 && segments <= this.chainMax, 'virtqueue chain too long');
    this.indirect = this.useIndirect && segments > 1;
    const needed: u32 = this.indirect ? 1 : segments;
    if (this.freeCount < needed) return false;
    this.head = this.freeHead;
    this.at = this.indirect
      ? this.tables + this.head * TABLE_DESCRIPTORS * DESCRIPTOR_BYTES
      : this.slot(this.head);
    this.segments = segments;
    this.remaining = segments;
    this.writableBytes = 0;
    this.lengths[this.head] = needed as u16;
    if (this.indirect) {
      // §2.7.5.3: one ring descriptor that stands for the table; §2.7.5.3.1: WRITE is for the table's own.
      this.describe(this.slot(this.head), this.at, segments * DESCRIPTOR_BYTES, FLAG_INDIRECT, 0);
      this.freeHead = this.next[this.head];
      this.freeCount--;
    }
    return true;
  }

  /** Adds a segment; `write`: the device writes it. §2.7.4.2: what it reads comes first. */
  add(address: u32, bytes: u32, write: bool): void {
    assert(this.remaining > 0, 'more virtqueue segments than announced');
    const remaining = this.remaining - 1;
    this.remaining = remaining;
    // §2.7.5: the device looks at `next` only where NEXT is set.
    const flags: u32 = (remaining > 0 ? FLAG_NEXT : 0) | (write ? FLAG_WRITE : 0);
    if (write) this.writableBytes += bytes;
    if (this.indirect) {
      this.describe(this.at, address, bytes, flags, this.segments - remaining);
      this.at += DESCRIPTOR_BYTES;
    } else {
      const free: u32 = this.freeHead;
      const next: u32 = this.next[free];
      this.describe(this.slot(free), address, bytes, flags, next);
      this.freeHead = next as u16;
      this.freeCount--;
    }
  }

  /** Makes the chain available (§2.7.13.1 to §2.7.13.3). The device need not look before kick(). */
  submit(token: u32): void {
    assert(this.remaining === 0, 'fewer virtqueue segments than announced');
    this.tokens[this.head] = token + 1;
    this.writable[this.head] = this.writableBytes;
    const ring = this.ring;
    const available = ring.available;
    const index: u32 = this.availableIndex;
    x86.store16(available + (index & (ring.size - 1)) * 2 + RING_ENTRIES, this.head);
    // §2.7.13.3: the entry before the index; x86 does not swap stores.
    x86.store16(available + RING_INDEX, index + 1);
    this.availableIndex = (index + 1) as u16;
  }

  /** Notifies the device of what was submitted, unless it has said that it need not be (§2.7.13.4). */
  kick(): void {
    const from = this.announced;
    this.announced = this.availableIndex;
    if (from === this.availableIndex) return;
    // §2.7.13.4.1: the index must be visible before the device's wish is read, or each waits for the other.
    x86.mfence();
    if (!this.wanted(from)) return;
    this.kicks++;
    this.doorbell.write(this.doorbell.bytes < 4 ? WORD : LONG, this.index);
  }

  /**
   * One interrupt is enough, when all chains that were submitted have been used (§2.7.7); a device without EVENT_IDX
   * can't be told. With interrupts off. What the device uses before it sees this interrupts at once, so nothing is missed.
   */
  awaitAll(): void {
    if (!this.useEvents || this.availableIndex === this.lastUsed) return;
    this.interruptAt = this.availableIndex - 1;
    x86.store16(this.usedEvent(), this.interruptAt);
  }

  /** Takes what the device has used (§2.7.14), at an interrupt or with interrupts off. */
  collect(): void {
    if (this.broken) return;
    const ring = this.ring;
    const used = ring.used;
    const mask = ring.size - 1;
    let seen = this.lastUsed;
    while (true) {
      while (seen !== (x86.load16(used + RING_INDEX) as u16)) {
        const entry = used + (seen & mask) * 8 + RING_ENTRIES;
        this.lastUsed = ++seen;
        if (!this.retire(x86.load32(entry), x86.load32(entry + 4))) return;
      }
      if (!this.useEvents) return;
      // §2.7.7: the next entry shall interrupt, or a later one; what came before this was seen is taken now.
      if (((this.interruptAt - seen) as u16) >= CHAINS_MAX) this.interruptAt = seen;
      x86.store16(ring.available + ring.size * 2 + RING_ENTRIES, this.interruptAt);
      x86.mfence();
      if (seen === (x86.load16(used + RING_INDEX) as u16)) return;
    }
  }

  /** Logs the rings' state: for waits that took too long. */
  dump(name: string): void {
    log(name)
      .decimal('queue ', this.index)
      .decimal(' of ', this.ring.size)
      .decimal(': available ', this.availableIndex)
      .decimal(', announced ', this.announced)
      .decimal(', used ', x86.load16(this.ring.used + RING_INDEX))
      .decimal(', seen ', this.lastUsed)
      .decimal(', free ', this.freeCount)
      .decimal(' of ', this.usable)
      .hex(', used flags ', x86.load16(this.ring.used + RING_FLAGS), 4)
      .decimal(', used_event ', x86.load16(this.usedEvent()))
      .decimal(', avail_event ', x86.load16(this.availableEvent()))
      .end();
  }

  /** Logs what the device did wrong, if anything; true if so. */
  reportFault(name: string): bool {
    if (!this.broken) return false;
    log(name)
      .decimal('queue ', this.index)
      .text(': ')
      .text(this.fault)
      .decimal(': used entry with id ', this.faultId)
      .decimal(', length ', this.faultLength)
      .end();
    return true;
  }

  private wanted(from: u16): bool {
    if (!this.useEvents) return (x86.load16(this.ring.used + RING_FLAGS) & USED_NO_NOTIFY) === 0;
    return passed(x86.load16(this.availableEvent()) as u16, from, this.availableIndex);
  }

  private usedEvent(): u32 {
    return this.ring.available + this.ring.size * 2 + RING_ENTRIES;
  }

  private availableEvent(): u32 {
    return this.ring.used + this.ring.size * 8 + RING_ENTRIES;
  }

  private retire(id: u32, length: u32): bool {
    if (id >= this.usable) return this.fail('no such descriptor', id, length);
    const token = this.tokens[id];
    if (token === 0) return this.fail('descriptor not in flight', id, length);
    if (this.trustLength && length > this.writable[id])
      return this.fail('more bytes than the chain has', id, length);
    this.tokens[id] = 0;
    this.free(id);
    this.user.completed(token - 1, length);
    return true;
  }

  private free(head: u32): void {
    const count: u32 = this.lengths[head];
    let last = head;
    for (let i: u32 = 1; i < count; i++) last = this.next[last];
    this.next[last] = this.freeHead;
    this.freeHead = head as u16;
    this.freeCount += count;
  }

  private fail(fault: string, id: u32, length: u32): bool {
    this.broken = true;
    this.fault = fault;
    this.faultId = id;
    this.faultLength = length;
    this.user.failed();
    return false;
  }

  private slot(index: u32): u32 {
    return this.ring.descriptors + index * DESCRIPTOR_BYTES;
  }

  private describe(at: u32, address: u32, bytes: u32, flags: u32, next: u32): void {
    x86.store64(at, address);
    x86.store64(at + 8, (bytes as u64) | ((flags as u64) << 32) | ((next as u64) << 48));
  }
}

/** §2.7.10: whether going from index `from` to `to` passes `event`; all modulo 2^16. */
export function passed(event: u16, from: u16, to: u16): bool {
  return ((to - event - 1) as u16) < ((to - from) as u16);
}
