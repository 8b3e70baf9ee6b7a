// The split virtqueue (virtio 1.2 §2.7) from the device's side. Where the specification leaves open what a device does
// with a ring that breaks the rules, it stops and asks for a reset, as QEMU's hw/virtio/virtio.c does.

import type { Dma } from '../bus/memory.ts';
import {
  type Chain,
  type Ring,
  type RingAddresses,
  type RingFeatures,
  type Segment,
  VirtqueueError,
} from './queue.ts';

const DESCRIPTOR_BYTES = 16;
const FLAG_NEXT = 1;
const FLAG_WRITE = 2;
const FLAG_INDIRECT = 4;

// Of both rings: flags u16, idx u16, entries, event u16.
const FLAGS = 0;
const INDEX = 2;
const ENTRIES = 4;
const NO_INTERRUPT = 1;
const NO_NOTIFY = 1;

/** Of both kinds together, as in QEMU. */
const SEGMENTS_MAX = 1024;

interface Descriptor {
  address: number;
  bytes: number;
  flags: number;
  next: number;
}

export class SplitRing implements Ring {
  readonly size: number;
  readonly addresses: RingAddresses;
  readonly features: RingFeatures;
  /** How far the available ring has been read, and the used ring written; modulo 2^16. */
  lastAvailable = 0;
  usedIndex = 0;
  /** Chains that have been taken and not given back. */
  inUse = 0;
  private readonly dma: Dma;
  /** usedIndex when an interrupt was last decided on; undefined: not yet, or too long ago. */
  private signalled: number | undefined;

  constructor(dma: Dma, size: number, addresses: RingAddresses, features: RingFeatures) {
    this.dma = dma;
    this.size = size;
    this.addresses = addresses;
    this.features = features;
  }

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

  push(head: number, written: number): void {
    const old = this.usedIndex;
    this.writeUsed(old, head, written);
    this.inUse--;
    this.setUsedIndex(old + 1);
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
    const chain: Chain = { head, readable: [], writable: [] };
    let table = this.addresses.descriptors;
    let count = this.size;
    let descriptor = this.readDescriptor(table, head);
    if (descriptor.flags & FLAG_INDIRECT) {
      // §2.7.5.3: a table of descriptors, chained by next among themselves from the first on. As QEMU, it is taken
      // whether the feature was negotiated or not.
      if (descriptor.bytes === 0 || descriptor.bytes % DESCRIPTOR_BYTES !== 0)
        throw new VirtqueueError(`an indirect table of ${descriptor.bytes} bytes`);
      table = descriptor.address;
      count = descriptor.bytes / DESCRIPTOR_BYTES;
      descriptor = this.readDescriptor(table, 0);
    }
    for (;;) {
      this.addSegment(chain, descriptor);
      if (chain.readable.length + chain.writable.length > count)
        throw new VirtqueueError('a chain that loops');
      if ((descriptor.flags & FLAG_NEXT) === 0) return chain;
      if (descriptor.next >= count)
        throw new VirtqueueError(`a chain goes on at descriptor ${descriptor.next}`);
      descriptor = this.readDescriptor(table, descriptor.next);
    }
  }

  private addSegment(chain: Chain, { address, bytes, flags }: Descriptor): void {
    const write = (flags & FLAG_WRITE) !== 0;
    // §2.7.4.2: what the device reads comes before what it writes.
    if (!write && chain.writable.length > 0) throw new VirtqueueError('descriptors in the wrong order');
    if (bytes === 0) throw new VirtqueueError('a buffer of no bytes');
    // QEMU reads zeroes from there, or writes nowhere; here a driver is to notice.
    if (!this.dma.reaches(address, bytes))
      throw new VirtqueueError(`a buffer of ${bytes} bytes at 0x${address.toString(16)}, outside RAM`);
    const segments: Segment[] = write ? chain.writable : chain.readable;
    segments.push({ address, bytes });
    if (chain.readable.length + chain.writable.length > SEGMENTS_MAX)
      throw new VirtqueueError('a chain of too many buffers');
  }

  private readDescriptor(table: number, index: number): Descriptor {
    const at = table + index * DESCRIPTOR_BYTES;
    if (!this.dma.reaches(at, DESCRIPTOR_BYTES))
      throw new VirtqueueError(`a descriptor at 0x${at.toString(16)}, outside RAM`);
    const bytes = this.dma.read(at, DESCRIPTOR_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, DESCRIPTOR_BYTES);
    return {
      address: view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true),
      bytes: view.getUint32(8, true),
      flags: view.getUint16(12, true),
      next: view.getUint16(14, true),
    };
  }
}
