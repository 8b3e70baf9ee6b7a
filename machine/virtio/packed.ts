// The packed virtqueue (virtio 1.2 §2.8) from the device's side. As QEMU's, it leaves the flag WRITE out of used
// descriptors, and the first report after the ring's end is made whatever the driver asks for.

import type { Dma } from '../bus/memory.ts';
import { type Chain, type RingAddresses, VirtqueueError } from './queue.ts';
import {
  DESCRIPTOR_BYTES,
  type Descriptor,
  FLAG_INDIRECT,
  FLAG_NEXT,
  Ring,
  type RingFeatures,
} from './ring.ts';

const FLAG_AVAILABLE = 1 << 7;
const FLAG_USED = 1 << 15;
/** Offsets in a descriptor. */
const BYTES_AT = 8;
const ID_AT = 12;
const FLAGS_AT = 14;

// Event suppression (§2.8.14).
const EVENT_WRAP = 1 << 15;
const EVENT_FLAGS_AT = 2;
const EVENT_ENABLE = 0;
const EVENT_DISABLE = 1;
const EVENT_DESCRIPTOR = 2;

/** A place in the ring, and the wrap counter there (§2.8.1). */
export class Place {
  index = 0;
  wrap = true;
  private readonly size: number;

  constructor(size: number) {
    this.size = size;
  }

  /** True: it has passed the ring's end. */
  move(steps: number): boolean {
    this.index += steps;
    if (this.index < this.size) return false;
    this.index -= this.size;
    this.wrap = !this.wrap;
    return true;
  }

  get event(): number {
    return this.index | (this.wrap ? EVENT_WRAP : 0);
  }
}

export class PackedRing extends Ring {
  /** Where the next available descriptor is read, and the next used one written. */
  readonly nextAvailable: Place;
  readonly nextUsed: Place;
  /** nextUsed's index when an interrupt was last decided on; undefined: not yet, or before the ring's end. */
  private signalled: number | undefined;

  constructor(dma: Dma, size: number, addresses: RingAddresses, features: RingFeatures) {
    super(dma, size, addresses, features);
    this.nextAvailable = new Place(size);
    this.nextUsed = new Place(size);
  }

  next(): Chain | undefined {
    if (!this.available()) return undefined;
    const chain: Chain = { head: 0, slots: 0, readable: [], writable: [] };
    let descriptor: Descriptor;
    do {
      if (this.inUse >= this.size)
        throw new VirtqueueError('more descriptors are available than the ring has');
      if (!this.available()) throw new VirtqueueError('a chain that is available in parts');
      descriptor = this.readDescriptorAt(this.at(this.nextAvailable), FLAGS_AT, ID_AT);
      this.nextAvailable.move(1);
      this.inUse++;
      chain.slots++;
      if (descriptor.flags & FLAG_INDIRECT) {
        // §2.8.19.
        if (chain.slots > 1 || descriptor.flags & FLAG_NEXT)
          throw new VirtqueueError('an indirect table within a chain');
        this.readTable(chain, descriptor);
      } else {
        this.addSegment(chain, descriptor);
      }
    } while (descriptor.flags & FLAG_NEXT);
    chain.head = descriptor.next; // §2.8.6: the last one's counts
    return chain;
  }

  available(): boolean {
    const { wrap } = this.nextAvailable;
    const flags = this.dma.read16(this.at(this.nextAvailable) + FLAGS_AT);
    return ((flags & FLAG_AVAILABLE) !== 0) === wrap && ((flags & FLAG_USED) !== 0) !== wrap;
  }

  steps(chain: Chain): number {
    return chain.slots;
  }

  give(id: number, written: number, steps: number): void {
    this.writeUsed(this.nextUsed, id, written);
    if (this.nextUsed.move(steps)) this.signalled = undefined;
  }

  /** A used descriptor, its flags at last. */
  writeUsed(place: Pick<Place, 'index' | 'wrap'>, id: number, written: number, flags?: number): void {
    const at = this.at(place);
    this.dma.write16(at + ID_AT, id & 0xffff);
    this.dma.write32(at + BYTES_AT, written);
    this.writeUsedFlags(place, flags);
  }

  writeUsedFlags(
    place: Pick<Place, 'index' | 'wrap'>,
    flags = place.wrap ? FLAG_AVAILABLE | FLAG_USED : 0,
  ): void {
    this.dma.write16(this.at(place) + FLAGS_AT, flags);
  }

  wantsInterrupt(): boolean {
    const event = this.dma.read16(this.addresses.driver);
    const flags = this.dma.read16(this.addresses.driver + EVENT_FLAGS_AT) & 3;
    const old = this.signalled;
    const now = this.nextUsed.index;
    this.signalled = now;
    if (flags === EVENT_DISABLE || flags === EVENT_ENABLE) return flags === EVENT_ENABLE;
    if (old === undefined) return true;
    // §2.8.10: whether the descriptor was used; one with another wrap counter is of the round before.
    const wrap = (event & EVENT_WRAP) !== 0;
    const place = (event & (EVENT_WRAP - 1)) - (wrap === this.nextUsed.wrap ? 0 : this.size);
    return ((now - place - 1) & 0xffff) < ((now - old) & 0xffff);
  }

  setNotification(on: boolean): void {
    if (on && this.features.events) this.writeEvent(this.nextAvailable.event, EVENT_DESCRIPTOR);
    else this.writeEvent(undefined, on ? EVENT_ENABLE : EVENT_DISABLE);
  }

  /** The device's event suppression. */
  writeEvent(event: number | undefined, flags: number): void {
    if (event !== undefined) this.dma.write16(this.addresses.device, event);
    this.dma.write16(this.addresses.device + EVENT_FLAGS_AT, flags);
  }

  private at({ index }: Pick<Place, 'index'>): number {
    return this.addresses.descriptors + index * DESCRIPTOR_BYTES;
  }

  /** §2.8.7: as many descriptors as the table has, without links. As QEMU, it is taken whether the feature was negotiated. */
  private readTable(chain: Chain, table: Descriptor): void {
    this.checkTable(table);
    for (let at = table.address; at < table.address + table.bytes; at += DESCRIPTOR_BYTES)
      this.addSegment(chain, this.readDescriptorAt(at, FLAGS_AT, ID_AT));
  }
}
