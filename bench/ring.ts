// A virtio 1.1 split ring (2.7) with both its sides: the driver makes chains of three descriptors as for a block
// request, offers them, and takes back what the device has used, in another order. As a driver in kernel/ does it.

import { EMPTY, mix } from './lib/hash';
import { random, seed } from './lib/random';

const SIZE: u16 = 256;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const DESCRIPTOR_BYTES: usize = 16;
const BATCH_MAX: u32 = 32;

@unmanaged
class Descriptor {
  address: u64 = 0;
  length: u32 = 0;
  flags: u16 = 0;
  next: u16 = 0;
}

class Ring {
  readonly table: usize = heap.alloc(<usize>SIZE * DESCRIPTOR_BYTES);
  readonly available: usize = heap.alloc(4 + 2 * <usize>SIZE);
  readonly used: usize = heap.alloc(4 + 8 * <usize>SIZE);
  private free: u16 = 0;
  freeCount: u16 = 0;
  private seen: u16 = 0;

  reset(): void {
    memory.fill(this.available, 0, 4 + 2 * <usize>SIZE);
    memory.fill(this.used, 0, 4 + 8 * <usize>SIZE);
    for (let i: u16 = 0; i < SIZE; i++) this.descriptor(i).next = i + 1;
    this.free = 0;
    this.freeCount = SIZE;
    this.seen = 0;
  }

  descriptor(index: u16): Descriptor {
    return changetype<Descriptor>(this.table + <usize>index * DESCRIPTOR_BYTES);
  }

  private take(address: u64, length: u32, flags: u16): u16 {
    const index = this.free;
    const d = this.descriptor(index);
    this.free = d.next;
    d.address = address;
    d.length = length;
    d.flags = flags;
    this.freeCount--;
    return index;
  }

  /** A header, a data buffer and a status byte. */
  add(address: u64, length: u32): void {
    const header = this.take(address, 16, NEXT);
    const data = this.take(address + 16, length, NEXT | WRITE);
    const status = this.take(address + 16 + length, 1, WRITE);
    this.descriptor(header).next = data;
    this.descriptor(data).next = status;
    const index = load<u16>(this.available, 2);
    store<u16>(this.available + 2 * <usize>(index % SIZE), header, 4);
    store<u16>(this.available, index + 1, 2);
  }

  /** Gives back a used chain's descriptors; its length as the device told it, or -1 if there is none. */
  reap(): i32 {
    if (this.seen === load<u16>(this.used, 2)) return -1;
    const entry = this.used + 8 * <usize>(this.seen % SIZE);
    const head = <u16>load<u32>(entry, 4);
    const length = load<u32>(entry, 8);
    let last = head;
    let count: u16 = 1;
    while (this.descriptor(last).flags & NEXT) {
      last = this.descriptor(last).next;
      count++;
    }
    this.descriptor(last).next = this.free;
    this.free = head;
    this.freeCount += count;
    this.seen++;
    return length;
  }
}

class Device {
  private seen: u16 = 0;
  constructor(private readonly ring: Ring) {}

  /** Uses `count` chains in pairs, the second of each pair first. */
  serve(count: u32): void {
    for (let i: u32 = 0; i < count; i++) {
      const other = (i ^ 1) < count ? i ^ 1 : i;
      const at = this.seen + <u16>other;
      const head = load<u16>(this.ring.available + 2 * <usize>(at % SIZE), 4);
      this.use(head);
    }
    this.seen += <u16>count;
  }

  private use(head: u16): void {
    let written: u32 = 0;
    for (let d = this.ring.descriptor(head); ; d = this.ring.descriptor(d.next)) {
      if (d.flags & WRITE) written += d.length;
      if (!(d.flags & NEXT)) break;
    }
    const used = this.ring.used;
    const index = load<u16>(used, 2);
    const entry = used + 8 * <usize>(index % SIZE);
    store<u32>(entry, head, 4);
    store<u32>(entry, written, 8);
    store<u16>(used, index + 1, 2);
  }
}

const ring = new Ring();

export function run(count: u32): u64 {
  seed(7);
  ring.reset();
  const device = new Device(ring);
  let hash = EMPTY;
  for (let round: u32 = 0; round < count; round++) {
    const batch: u32 = 1 + (random() % BATCH_MAX);
    for (let i: u32 = 0; i < batch; i++) ring.add((<u64>random()) << 9, 512 + (i << 9));
    device.serve(batch);
    for (let length = ring.reap(); length >= 0; length = ring.reap()) hash = mix(hash, length);
  }
  return mix(hash, ring.freeCount);
}
