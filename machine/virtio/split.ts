// The split virtqueue (virtio 1.2 §2.7) from the device's side.

import { type Chain, VirtqueueError } from './queue.ts';
import { DESCRIPTOR_BYTES, type Descriptor, FLAG_INDIRECT, FLAG_NEXT, Ring } from './ring.ts';

/** Offsets in a descriptor. */
const FLAGS_AT = 12;
const NEXT_AT = 14;

// Of both rings: flags u16, idx u16, entries, event u16.
const FLAGS = 0;
const INDEX = 2;
const ENTRIES = 4;
const NO_INTERRUPT = 1;
const NO_NOTIFY = 1;

export class SplitRing extends Ring {
  /** How far the available ring has been read, and the used ring written; modulo 2^16. */
  lastAvailable = 0;
  usedIndex = 0;
  /** usedIndex when an interrupt was last decided on; undefined: not yet, or too long ago. */
  private signalled: number | undefined;

  next(): Chain | undefined {
    if (!this.available()) return undefined;
    if (this.inUse >= this.size)
      throw new VirtqueueError('more chains are available than the ring has descriptors');
    const entry = this.addresses.driver + ENTRIES + (this.lastAvailable % this.size) * 2;
    const head = this.dma.read16(entry);
    if (head >= this.size) throw new VirtqueueError(`the driver says that chain ${head} is available`);
    this.lastAvailable = (this.lastAvailable + 1) & 0xffff;
    // §2.7.10: the next one is to be notified; the driver may already be behind it.
    if (this.features.events) this.writeAvailableEvent(this.lastAvailable);
    const chain = this.readChain(head);
    this.inUse++;
    return chain;
  }

  available(): boolean {
    return this.availableIndex !== this.lastAvailable;
  }

  steps(): number {
    return 1;
  }

  give(head: number, written: number, steps: number): void {
    const old = this.usedIndex;
    this.writeUsed(old, head, written);
    this.setUsedIndex(old + steps);
    // The index has gone all the way round since it was signalled: then any event has been passed.
    if (this.signalled !== undefined && ((this.usedIndex - this.signalled) & 0xffff) === 0)
      this.signalled = undefined;
  }

  wantsInterrupt(): boolean {
    if (this.features.notifyOnEmpty && this.inUse === 0 && this.availableIndex === this.lastAvailable)
      return true;
    if (!this.features.events) return (this.dma.read16(this.addresses.driver + FLAGS) & NO_INTERRUPT) === 0;
    const old = this.signalled;
    this.signalled = this.usedIndex;
    if (old === undefined) return true;
    // §2.7.10: whether going from old to new passes the event.
    const event = this.dma.read16(this.addresses.driver + ENTRIES + this.size * 2);
    return ((this.usedIndex - event - 1) & 0xffff) < ((this.usedIndex - old) & 0xffff);
  }

  setNotification(on: boolean): void {
    if (this.features.events) this.writeAvailableEvent(this.availableIndex);
    else this.dma.write16(this.addresses.device + FLAGS, on ? 0 : NO_NOTIFY);
  }

  /** The driver's index, as it stands in memory. */
  get availableIndex(): number {
    return this.dma.read16(this.addresses.driver + INDEX);
  }

  /** Writes an entry of the used ring, wherever the index stands. */
  writeUsed(index: number, head: number, written: number): void {
    const entry = this.addresses.device + ENTRIES + (index % this.size) * 8;
    this.dma.write32(entry, head);
    this.dma.write32(entry + 4, written);
  }

  setUsedIndex(index: number): void {
    this.usedIndex = index & 0xffff;
    this.dma.write16(this.addresses.device + INDEX, this.usedIndex);
  }

  writeAvailableEvent(index: number): void {
    this.dma.write16(this.addresses.device + ENTRIES + this.size * 8, index & 0xffff);
  }

  private readChain(head: number): Chain {
    const chain: Chain = { head, slots: 1, readable: [], writable: [] };
    let table = this.addresses.descriptors;
    let count = this.size;
    let descriptor = this.readDescriptor(table, head);
    if (descriptor.flags & FLAG_INDIRECT) {
      // §2.7.5.3: a table of descriptors, chained by next among themselves from the first on. As QEMU, it is taken
      // whether the feature was negotiated or not.
      this.checkTable(descriptor);
      table = descriptor.address;
      count = descriptor.bytes / DESCRIPTOR_BYTES;
      descriptor = this.readDescriptor(table, 0);
    }
    for (;;) {
      this.addSegment(chain, descriptor);
      if (chain.readable.length + chain.writable.length > count)
        throw new VirtqueueError('a chain that loops');
      if ((descriptor.flags & FLAG_NEXT) === 0) return chain;
      if (table === this.addresses.descriptors) chain.slots++;
      if (descriptor.next >= count)
        throw new VirtqueueError(`a chain goes on at descriptor ${descriptor.next}`);
      descriptor = this.readDescriptor(table, descriptor.next);
    }
  }

  private readDescriptor(table: number, index: number): Descriptor {
    return this.readDescriptorAt(table + index * DESCRIPTOR_BYTES, FLAGS_AT, NEXT_AT);
  }
}
