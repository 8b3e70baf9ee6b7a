// A virtqueue (virtio 1.2 §2.6) as a driver sees it, and the driver's own record of it, whatever the ring's format: chains
// of buffers go in, completions come out. split.ts and packed.ts are the formats. What a device writes is untrusted: what
// the driver must know again is kept here, apart from the ring, and every used entry is checked against it.
//
// All accesses to the rings are volatile. x86 keeps stores in order and loads in order (SDM 3A §8.2.2), so only the
// places where a store must be seen before a later load need a fence.

import { Window } from '../bus/window.ts';
import { Tasklet } from '../irq/tasklets.ts';
import { SpinLock } from '../lib/lock.ts';
import { log } from '../lib/log.ts';
import * as trace from '../lib/trace.ts';
import * as frames from '../mm/frames.ts';
import * as x86 from '../x86.ts';
import { EVENT_IDX, has, IN_ORDER, INDIRECT_DESC, RING_PACKED, VERSION_1 } from './features.ts';
import { DESCRIPTOR_BYTES, RingLayout } from './layout.ts';

// A descriptor's flags (§2.7.5, §2.8.13).
export const FLAG_NEXT: u32 = 1;
export const FLAG_WRITE: u32 = 2;
export const FLAG_INDIRECT: u32 = 4;

/** Bytes of a doorbell on PCI (§4.1.5.2), and of one elsewhere (§4.2.2). */
const DOORBELL_BYTES: u32 = 2;
const DOORBELL_BYTES_WIDE: u32 = 4;
/** More chains than this are never in flight, however many the ring has room for. */
const CHAINS_MAX: u32 = 256;
/** Chains that are taken back at once, interrupts off. */
export const PORTION: u32 = 32;
/** Descriptors in an indirect table, of which each chain has one. */
const TABLE_DESCRIPTORS: u32 = 16;
const TABLE_BYTES: u32 = TABLE_DESCRIPTORS * DESCRIPTOR_BYTES;

/** Gets the completions of a queue, in an interrupt handler. */
export abstract class QueueUser {
  /** `written` bytes were written to the chain that was submitted with `token`. */
  abstract completed(token: u32, written: u32): void;
  /** That was all for now: what has completed together is told of together. */
  collected(): void {}
  /** The device has broken the rules: nothing more will complete. */
  abstract failed(): void;
}

/** What is kept of each id that a chain can have; plain memory, without an object's header. */
@unmanaged
class Chain {
  /** Of the chain in flight, plus one; 0: there is none with this id. */
  token: u32 = 0;
  /** Bytes that the device may write. */
  writable: u32 = 0;
  /** Ring descriptors that it takes. */
  slots: u16 = 0;
  /** Its last descriptor's id, and the id that follows this one: in the list of those that are free, or in a chain. */
  last: u16 = 0;
  next: u16 = 0;
  unused: u16 = 0;
}
const CHAIN_SHIFT: u32 = 4;

/** As a tasklet it takes what an interrupt handler has left. */
export abstract class Virtqueue extends Tasklet {
  /** Guards all of it, interrupts off: the interrupt may come on another CPU. */
  readonly lock: SpinLock = new SpinLock();
  /** How often the device was notified. */
  kicks: u64 = 0;
  /** Most segments in a chain. */
  readonly chainMax: u32;
  /** Chains that have come back. */
  usedCount: u32 = 0;
  /** Of the device, for traces. */
  name: string = '';

  protected readonly useEvents: bool;
  private readonly useIndirect: bool;
  /** §2.7.9, §2.8.8: the device uses chains in the order of their submission, and may report several as one. */
  private readonly inOrder: bool;
  /** A packed ring's index counts descriptors, a split one's counts chains. */
  private readonly packed: bool;
  /** Of descriptors in an indirect table: the flag WRITE in its place, and the bits that link them. */
  private readonly tableWrite: u64;
  private readonly tableLinks: u64;
  /** §2.7.8.1: legacy devices are known to set the length wrongly. */
  private readonly trustLength: bool;
  private readonly doorbell: u32;
  private readonly doorbellIsPort: bool;
  private readonly doorbellIsWide: bool;

  /** The device has done wrong, and how; the queue is not used any more then. */
  protected broken: bool = false;
  /** The driver looks for what has been used; or, if it has `asked`, waits for the one interrupt that says so. */
  protected polling: bool = false;
  private asked: bool = false;
  private removed: bool = false;
  private fault: string = '';
  private faultId: u32 = 0;
  private faultLength: u32 = 0;

  /** Ids are below this. */
  private readonly ids: u32;
  private readonly chains: u32;
  private readonly tables: u32;
  private freeHead: u32 = 0;
  /** Ring descriptors that are free. */
  protected freeCount: u32 = 0;
  /** With IN_ORDER: the chain that is used next. */
  private oldest: u32 = 0;
  /** How far the ring's index has moved since the device was last told. */
  protected unannounced: u32 = 0;

  /** The chain being made: its first and its latest id, its next descriptor in an indirect table. */
  protected head: u32 = 0;
  protected last: u32 = 0;
  private at: u32 = 0;
  private segments: u32 = 0;
  /** Segments that are still to be added. */
  private remaining: u32 = 0;
  private indirect: bool = false;
  private writable: u32 = 0;

  constructor(
    public readonly index: u32,
    public readonly ring: RingLayout,
    doorbell: Window,
    private readonly user: QueueUser,
    features: u64,
  ) {
    super();
    assert(doorbell.bytes >= DOORBELL_BYTES, 'a doorbell too narrow');
    this.doorbell = doorbell.base;
    this.doorbellIsPort = doorbell.ports;
    this.doorbellIsWide = doorbell.bytes >= DOORBELL_BYTES_WIDE;
    this.useIndirect = has(features, INDIRECT_DESC);
    this.useEvents = has(features, EVENT_IDX);
    this.inOrder = has(features, IN_ORDER);
    this.trustLength = has(features, VERSION_1);
    this.packed = has(features, RING_PACKED);
    // §2.7.5: u32 length, u16 flags, u16 next, in a table chained from the first on; §2.8.13: u32 length, u16 id, u16 flags,
    // not chained in a table (§2.8.7).
    this.tableWrite = (FLAG_WRITE as u64) << (this.packed ? 48 : 32);
    this.tableLinks = this.packed ? 0 : ((FLAG_NEXT as u64) << 32) | (0xffff << 48);
    const ids = min(ring.size, CHAINS_MAX);
    this.ids = ids;
    // §2.7.5.3.1, §2.8.17: no chain is longer than the ring, indirect or not.
    this.chainMax = this.useIndirect ? min(ring.size, TABLE_DESCRIPTORS) : ids;
    this.chains = frames.allocate(ids << CHAIN_SHIFT);
    this.tables = this.useIndirect ? frames.allocate(ids * TABLE_BYTES) : 0;
    this.forget();
  }

  /** Starts a chain of `segments` segments, to be added in order; false: no room now. */
  begin(segments: u32): bool {
    assert(segments > 0 && segments <= this.chainMax, 'virtqueue chain too long');
    const indirect = this.useIndirect && segments > 1;
    const slots: u32 = indirect ? 1 : segments;
    if (this.freeCount < slots) return false;
    this.freeCount -= slots;
    const head = this.takeId();
    const chain = this.chain(head);
    chain.slots = slots as u16;
    this.head = head;
    this.last = head;
    this.at = this.tables + head * TABLE_BYTES;
    this.segments = segments;
    this.remaining = segments;
    this.indirect = indirect;
    this.writable = 0;
    return true;
  }

  /** Adds a segment; `write`: the device writes it. §2.7.4.2, §2.8.17: what it reads comes first. */
  add(address: u32, bytes: u32, write: bool): void {
    assert(this.remaining > 0, 'more virtqueue segments than announced');
    const remaining = this.remaining - 1;
    this.remaining = remaining;
    if (write) this.writable += bytes;
    if (!this.indirect) {
      this.describe(address, bytes, (remaining > 0 ? FLAG_NEXT : 0) | (write ? FLAG_WRITE : 0));
      return;
    }
    const at = this.at;
    x86.store64(at, address);
    x86.store64(at + 8, this.tableEntry(this.segments - remaining, remaining > 0, write) | bytes);
    this.at = at + DESCRIPTOR_BYTES;
  }

  /** Makes the chain available. The device need not look before kick(). */
  submit(token: u32): void {
    if (trace.on) this.record(trace.SUBMIT, token);
    assert(this.remaining === 0, 'fewer virtqueue segments than announced');
    const chain = this.chain(this.head);
    chain.token = token + 1;
    chain.writable = this.writable;
    chain.last = this.last as u16;
    if (this.indirect) {
      const bytes = this.segments * DESCRIPTOR_BYTES;
      this.describe(this.at - bytes, bytes, FLAG_INDIRECT);
    }
    this.unannounced += this.stepOf(chain);
    this.publish();
  }

  /** Whether a chain can lie in a table of the driver's own, which it keeps for chains that are alike. */
  get takesTables(): bool {
    return this.useIndirect;
  }

  /**
   * The second half of a table's descriptor, with a length of 0 to be added; `next`: the number of the one that follows, if there
   * is `more`. The first half is the address.
   */
  tableEntry(next: u32, more: bool, write: bool): u64 {
    const links: u64 = more ? (((FLAG_NEXT as u64) << 32) | ((next as u64) << 48)) & this.tableLinks : 0;
    return write ? links | this.tableWrite : links;
  }

  /** Does for a chain in a table what begin(), add() and submit() do, where there are tables; false: no room now. */
  submitTable(table: u32, segments: u32, writable: u32, token: u32): bool {
    if (this.freeCount === 0) return false;
    this.freeCount--;
    const head = this.takeId();
    const chain = this.chain(head);
    chain.token = token + 1;
    chain.writable = writable;
    chain.slots = 1;
    chain.last = head as u16;
    this.head = head;
    this.last = head;
    this.describe(table, segments * DESCRIPTOR_BYTES, FLAG_INDIRECT);
    this.unannounced++;
    if (trace.on) this.record(trace.SUBMIT, token);
    this.publish();
    return true;
  }

  /** Notifies the device of what was submitted, unless it has said that it need not be (§2.7.10, §2.8.10). */
  kick(): void {
    const steps = this.unannounced;
    if (steps === 0) return;
    this.unannounced = 0;
    // §2.7.13.4.1, §2.8.21.2: what was made available must be visible before the device's wish is read, or each waits for
    // the other.
    x86.mfence();
    if (!this.wanted(steps)) return;
    this.kicks++;
    if (this.doorbellIsPort) x86.out16(this.doorbell, this.index);
    else if (this.doorbellIsWide) x86.store32(this.doorbell, this.index);
    else x86.store16(this.doorbell, this.index);
  }

  /** Makes one buffer a chain and tells the device; for threads that share the queue. False: no room now. */
  give(address: u32, bytes: u32, write: bool, token: u32): bool {
    const flags = this.lock.acquireIrq();
    const room = this.begin(1);
    if (room) {
      this.add(address, bytes, write);
      this.submit(token);
      this.kick();
    }
    this.lock.releaseIrq(flags);
    return room;
  }

  /** kick(), for threads that share the queue. */
  kickLocked(): void {
    const flags = this.lock.acquireIrq();
    this.kick();
    this.lock.releaseIrq(flags);
  }

  /**
   * One interrupt is enough, when all chains that were submitted have been used (§2.7.7, §2.8.10); a device without EVENT_IDX
   * can't be told. With interrupts off. What the device uses before it sees this interrupts at once, so nothing is missed.
   */
  awaitAll(): void {
    if (this.useEvents && this.inFlight > 0) this.awaitUsed(this.inFlight);
  }

  /** With interrupts off: the driver calls collect() by itself from now on, or (`on` is false) waits for interrupts again. */
  setPolling(on: bool): void {
    this.polling = on;
    this.asked = false;
    if (on) this.refuseInterrupts();
    else {
      this.wantInterrupts();
      this.collect();
    }
  }

  get isPolling(): bool {
    return this.polling;
  }

  /**
   * With interrupts off, while the driver polls: it is about to sleep until an interrupt, which comes once, when half of what is
   * in flight has been used, so that both sides have work meanwhile. What has been used by now is taken, and then none comes.
   */
  askForInterrupt(): void {
    this.asked = true;
    if (this.useEvents) this.awaitUsed(max(this.inFlight >> 1, 1));
    else this.wantInterrupts();
    x86.mfence(); // §2.7.7.1: or both sides would miss each other
    this.collect();
  }

  /** Whether the interrupt that was asked for should have come by now. */
  abstract get isDue(): bool;

  /** Takes what the device has used, at an interrupt or with interrupts off. */
  collect(): void {
    while (this.collectPortion()) {}
  }

  /** Takes some of that; true: there may be more, of which the device does not tell again. */
  collectPortion(): bool {
    if (this.broken) return false;
    const before = this.usedCount;
    const more = this.takeUsed();
    if (this.usedCount === before) return false;
    if (this.asked) {
      this.asked = false;
      this.refuseInterrupts();
    }
    this.user.collected();
    return more;
  }

  /** As a tasklet: between the portions interrupts are on. It comes to an end, since nobody submits anything meanwhile. */
  run(): void {
    let more: bool = true;
    while (more) {
      const flags = this.lock.acquireIrq();
      more = this.collectPortion();
      this.lock.releaseIrq(flags);
    }
  }

  /** Whether collect() would find something; without the lock it may be out of date. */
  abstract get hasUsed(): bool;

  /** Logs the rings' state: for waits that took too long. */
  abstract dump(name: string): void;

  /** Forgets all chains in flight and begins anew, with an empty ring. The device must not have the queue any more. */
  reset(): void {
    this.ring.clear();
    this.forget();
    this.broken = false;
    this.restart();
  }

  /** The device is gone: nothing more will complete, and there is room for nothing. */
  cutOff(): void {
    const flags = this.lock.acquireIrq();
    this.broken = true;
    this.removed = true;
    this.freeCount = 0;
    this.unannounced = 0;
    this.user.failed();
    this.lock.releaseIrq(flags);
  }

  /** Gives its memory back, when neither the device nor a thread uses it any more. */
  release(): void {
    frames.free(this.ring.descriptors, this.ring.bytes);
    frames.free(this.chains, this.ids << CHAIN_SHIFT);
    if (this.useIndirect) frames.free(this.tables, this.ids * TABLE_BYTES);
  }

  /** The device has done wrong. */
  get isBroken(): bool {
    return this.broken;
  }

  /** Logs what the device did wrong, if anything; true if so. */
  reportFault(name: string): bool {
    if (!this.broken) return false;
    if (this.removed) {
      log(name).decimal('queue ', this.index).text(': the device was removed').end();
      return true;
    }
    log(name)
      .decimal('queue ', this.index)
      .text(': ')
      .text(this.fault)
      .decimal(': used entry with id ', this.faultId)
      .decimal(', length ', this.faultLength)
      .end();
    return true;
  }

  /** Describes a ring descriptor, the next of the chain. The device may not see the chain yet. */
  protected abstract describe(address: u32, bytes: u32, flags: u32): void;
  /** Lets the device see the chain. */
  protected abstract publish(): void;
  /** Whether the device wants to hear of the last `steps` that the ring's index has moved. */
  protected abstract wanted(steps: u32): bool;
  /** How far the ring's index has yet to move until all is used. */
  protected abstract get inFlight(): u32;
  /** With EVENT_IDX: the next interrupt is when the ring's index has moved that far, but not by more than what is in flight. */
  protected abstract awaitUsed(steps: u32): void;
  /** Takes what the device has used, PORTION of it or a little more at once; true: there is more. */
  protected abstract takeUsed(): bool;
  /** Sets the ring's indices to those of an empty ring. */
  protected abstract restart(): void;
  /** Tells the device that interrupts are not wanted, or that they are; it may send some all the same. */
  protected abstract refuseInterrupts(): void;
  protected abstract wantInterrupts(): void;

  /** Takes a free id; those of a chain are linked. */
  protected takeId(): u32 {
    const id = this.freeHead;
    this.freeHead = this.chain(id).next;
    return id;
  }

  /**
   * Takes back what the device says it has used; how far the ring's index moves by that, 0 after a fault. It may move by
   * `stepsMax` at most.
   */
  protected retire(id: u32, length: u32, stepsMax: u32): u32 {
    if (id >= this.ids) return this.fail('no such descriptor', id, length);
    const chain = this.chain(id);
    if (chain.token === 0) return this.fail('descriptor not in flight', id, length);
    if (this.trustLength && length > chain.writable)
      return this.fail('more bytes than the chain has', id, length);
    if (this.inOrder) return this.retireUpTo(id, length, stepsMax);
    // The last one that was used is taken first.
    this.chain(chain.last).next = this.freeHead as u16;
    this.freeHead = id;
    return this.complete(chain, length);
  }

  private fail(fault: string, id: u32, length: u32): u32 {
    this.broken = true;
    this.fault = fault;
    this.faultId = id;
    this.faultLength = length;
    this.user.failed();
    return 0;
  }

  /**
   * §2.7.9, §2.8.8: with IN_ORDER an entry stands for all chains up to the one that it names; those before it have been used
   * completely. Ids stay in the order of the ring, in which the descriptors must be used then.
   */
  private retireUpTo(id: u32, length: u32, stepsMax: u32): u32 {
    let steps: u32 = 0;
    let at: u32;
    do {
      at = this.oldest;
      const chain = this.chain(at);
      this.oldest = this.chain(chain.last).next;
      steps += this.complete(chain, at === id ? length : chain.writable);
    } while (at !== id);
    return steps <= stepsMax ? steps : this.fail('more chains than the index says', id, length);
  }

  @inline
  private complete(chain: Chain, length: u32): u32 {
    const token = chain.token - 1;
    if (trace.on) this.record(trace.COMPLETE, token);
    chain.token = 0;
    this.freeCount += chain.slots;
    this.usedCount++;
    this.user.completed(token, length);
    return this.stepOf(chain);
  }

  private record(kind: u32, token: u32): void {
    trace.record(kind, changetype<usize>(this.name) as u32, (this.index << 16) | (token & 0xffff));
  }

  /** How far the ring's index moves past a chain. */
  private stepOf(chain: Chain): u32 {
    return this.packed ? chain.slots : 1;
  }

  /**
   * Ids go on where they were, but with IN_ORDER, where the ring begins at 0: an answer that comes after the queue's reset, as
   * QEMU 7.2's disks give, mostly names a chain that is not in flight.
   */
  private forget(): void {
    const ids = this.ids;
    for (let id: u32 = 0; id < ids; id++) {
      const chain = this.chain(id);
      chain.token = 0;
      chain.next = (id + 1 === ids ? 0 : id + 1) as u16;
    }
    if (this.inOrder) this.freeHead = 0;
    this.freeCount = ids;
    this.oldest = 0;
    this.unannounced = 0;
    this.remaining = 0;
    this.polling = false;
    this.asked = false;
  }

  private chain(id: u32): Chain {
    return changetype<Chain>(this.chains + (id << CHAIN_SHIFT));
  }
}

/** §2.7.10: whether going from index `from` to `to` passes `event`; all modulo 2^16. */
export function passed(event: u16, from: u16, to: u16): bool {
  return ((to - event - 1) as u16) < ((to - from) as u16);
}
