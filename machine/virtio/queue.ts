// A virtqueue as a device sees it, whatever the ring's format. The formats are in files of their own: split.ts and
// packed.ts.

import type { Dma } from '../bus/memory.ts';
import type { Ring } from './ring.ts';

const DESCRIPTOR_BYTES = 16;

export interface Segment {
  address: number;
  bytes: number;
}

/** A chain of buffers that the driver has made available. */
export interface Chain {
  /** The id that goes into the used entry. */
  head: number;
  /** Descriptors of the ring that it takes. */
  slots: number;
  /** What the device may read, then what it may write. */
  readable: Segment[];
  writable: Segment[];
}

/** The driver broke the ring's rules (virtio 1.2 §2.7, §2.8): the device stops, and needs a reset. */
export class VirtqueueError extends Error {
  override name = 'VirtqueueError';
}

/** Where the driver has put a queue's parts. */
export interface RingAddresses {
  descriptors: number;
  driver: number;
  device: number;
}

export class Virtqueue {
  readonly index: number;
  readonly sizeMax: number;
  /** What the driver has chosen. */
  size: number;
  addresses: RingAddresses = { descriptors: 0, driver: 0, device: 0 };
  /** The same as the driver has written them: three times the lower and the upper half. */
  readonly addressHalves = new Uint32Array(6);
  enabled = false;
  /** Entry of MSI-X. */
  vector = 0xffff;
  /** While the queue works. */
  ring: Ring | undefined;

  constructor(index: number, sizeMax: number) {
    this.index = index;
    this.sizeMax = sizeMax;
    this.size = sizeMax;
  }

  reset(): void {
    this.size = this.sizeMax;
    this.addresses = { descriptors: 0, driver: 0, device: 0 };
    this.addressHalves.fill(0);
    this.enabled = false;
    this.vector = 0xffff;
    this.ring = undefined;
  }
}

/** §2.7.2: a legacy queue is one block of memory, its used ring on the next boundary of `align`. */
export function legacyAddresses(start: number, size: number, align: number): RingAddresses {
  const driver = start + size * DESCRIPTOR_BYTES;
  const end = driver + 4 + size * 2 + 2;
  return { descriptors: start, driver, device: Math.ceil(end / align) * align };
}

export function totalBytes(segments: readonly Segment[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Copies up to `bytes` bytes out of segments, from `offset` on. */
export function readSegments(
  dma: Dma,
  segments: readonly Segment[],
  offset: number,
  bytes: number,
): Uint8Array {
  const result = new Uint8Array(Math.max(0, Math.min(bytes, totalBytes(segments) - offset)));
  let at = 0;
  for (const part of cut(segments, offset, result.length)) {
    result.set(dma.read(part.address, part.bytes), at);
    at += part.bytes;
  }
  return result;
}

/** Copies bytes into segments, from `offset` on; what does not fit is left out. */
export function writeSegments(
  dma: Dma,
  segments: readonly Segment[],
  offset: number,
  data: Uint8Array,
): void {
  let at = 0;
  for (const part of cut(segments, offset, data.length)) {
    dma.write(part.address, data.subarray(at, at + part.bytes));
    at += part.bytes;
  }
}

/** The parts of segments that hold `bytes` bytes from `offset` on. */
export function cut(segments: readonly Segment[], offset: number, bytes: number): Segment[] {
  const parts: Segment[] = [];
  for (const segment of segments) {
    const skipped = Math.min(offset, segment.bytes);
    const taken = Math.min(segment.bytes - skipped, bytes);
    if (taken > 0) parts.push({ address: segment.address + skipped, bytes: taken });
    offset -= skipped;
    bytes -= taken;
  }
  return parts;
}
