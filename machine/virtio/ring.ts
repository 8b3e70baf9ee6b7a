// A ring from the device's side, whatever its format: what a device asks of it, in the order of its work (next, push,
// wantsInterrupt), and the checks that both formats share. Where the specification leaves open what a device does with a ring
// that breaks the rules, it stops and asks for a reset, as QEMU's hw/virtio/virtio.c does.

import type { Dma } from '../bus/memory.ts';
import { type Chain, type RingAddresses, type Segment, VirtqueueError } from './queue.ts';

export const DESCRIPTOR_BYTES = 16;
export const FLAG_NEXT = 1;
export const FLAG_WRITE = 2;
export const FLAG_INDIRECT = 4;

/** Of both kinds together, as in QEMU. */
const SEGMENTS_MAX = 1024;

export interface RingFeatures {
  indirect: boolean;
  events: boolean;
  /** Chains are used in their order, and one entry may stand for several (virtio 1.2 §2.7.9, §2.8.8). */
  inOrder: boolean;
  /** Interrupt when the device has used all there is, whatever the driver says: legacy. */
  notifyOnEmpty: boolean;
}

export interface Descriptor {
  address: number;
  bytes: number;
  flags: number;
  /** The split ring's `next`, the packed ring's buffer id. */
  next: number;
}

export abstract class Ring {
  readonly dma: Dma;
  readonly size: number;
  readonly addresses: RingAddresses;
  readonly features: RingFeatures;
  /** What has been taken and not given back, in the units that the ring counts. */
  inUse = 0;
  /** Of chains that the next entry stands for too. */
  private skipped = 0;

  constructor(dma: Dma, size: number, addresses: RingAddresses, features: RingFeatures) {
    this.dma = dma;
    this.size = size;
    this.addresses = addresses;
    this.features = features;
  }

  /** The next chain that is available; undefined: there is none. Throws VirtqueueError. */
  abstract next(): Chain | undefined;
  /** Whether there is a chain to be taken. */
  abstract available(): boolean;
  /** Writes a used entry, whatever it says, and moves on by `steps`. */
  abstract give(id: number, written: number, steps: number): void;
  /** Whether what was pushed since the last time is to be reported. */
  abstract wantsInterrupt(): boolean;
  /** Asks the driver to notify, or tells it that it need not. */
  abstract setNotification(on: boolean): void;
  /** How far the ring's count moves past a chain. */
  abstract steps(chain: Chain): number;

  /**
   * Gives a chain back, `written` bytes of it written. With IN_ORDER and `more` to come at once, its entry is left to the
   * next one; all that can be written must have been.
   */
  push(chain: Chain, written: number, more = false): void {
    const steps = this.steps(chain);
    this.inUse -= steps;
    this.skipped += steps;
    if (more && this.features.inOrder) return;
    this.give(chain.head, written, this.skipped);
    this.skipped = 0;
  }

  protected checkTable({ bytes }: Descriptor): void {
    if (bytes === 0 || bytes % DESCRIPTOR_BYTES !== 0)
      throw new VirtqueueError(`an indirect table of ${bytes} bytes`);
  }

  protected addSegment(chain: Chain, { address, bytes, flags }: Descriptor): void {
    const write = (flags & FLAG_WRITE) !== 0;
    // §2.7.4.2, §2.8.17: what the device reads comes before what it writes.
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

  /** `nextAt` and `flagsAt`: where the formats differ. */
  protected readDescriptorAt(at: number, flagsAt: number, nextAt: number): Descriptor {
    if (!this.dma.reaches(at, DESCRIPTOR_BYTES))
      throw new VirtqueueError(`a descriptor at 0x${at.toString(16)}, outside RAM`);
    const bytes = this.dma.read(at, DESCRIPTOR_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, DESCRIPTOR_BYTES);
    return {
      address: view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true),
      bytes: view.getUint32(8, true),
      flags: view.getUint16(flagsAt, true),
      next: view.getUint16(nextAt, true),
    };
  }
}
