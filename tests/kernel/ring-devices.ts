// Devices' ends of the two ring formats, which count without wrapping: the oracle for the kernel's queues. They share nothing
// with the machine in Node.

export interface Segment {
  address: number;
  bytes: number;
  write: boolean;
}

export interface Taken {
  id: number;
  segments: Segment[];
  /** How far the ring's count moves past it. */
  steps: number;
}

export interface Areas {
  descriptors: number;
  driver: number;
  device: number;
}

/** Chains are taken and used at `seen` and `used`: numbers of chains in a split ring, of descriptors in a packed one. */
export interface RingDevice {
  seen: number;
  used: number;
  /** The next chain; undefined: there is none. */
  take(): Taken | undefined;
  /** One used entry, at `used`, which then moves on. */
  use(id: number, bytes: number, steps: number): void;
  /** Whether to notify: when `event` is passed, always or never. */
  ask(event: number | boolean): void;
  /** Whether the driver wants to hear of the entry at `place`. */
  isAwaited(place: number): boolean;
  /** Whether the driver's flags say that it wants no interrupt. */
  readonly isRefused: boolean;
}

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

export class SplitDevice implements RingDevice {
  seen = 0;
  used = 0;
  private readonly view: DataView;
  private readonly size: number;
  private readonly at: Areas;
  private readonly inOrder: boolean;

  constructor(view: DataView, size: number, at: Areas, inOrder: boolean) {
    this.view = view;
    this.size = size;
    this.at = at;
    this.inOrder = inOrder;
  }

  take(): Taken | undefined {
    const { view, at, size } = this;
    if (view.getUint16(at.driver + 2, true) === (this.seen & 0xffff)) return undefined;
    const id = view.getUint16(at.driver + 4 + (this.seen++ % size) * 2, true);
    return { id, segments: this.readChain(id), steps: 1 };
  }

  /** Virtio 1.2 §2.7.5. */
  private readChain(head: number): Segment[] {
    const { view } = this;
    let table = this.at.descriptors;
    let index = head;
    const flagsOf = (i: number) => view.getUint16(table + i * 16 + 12, true);
    if (flagsOf(head) & INDIRECT) {
      check(flagsOf(head) === INDIRECT, 'a table is not part of a chain');
      table = Number(view.getBigUint64(table + head * 16, true));
      index = 0;
    }
    const segments: Segment[] = [];
    for (;;) {
      const at = table + index * 16;
      segments.push(readSegment(view, at, flagsOf(index)));
      if (!(flagsOf(index) & NEXT)) return segments;
      const next = view.getUint16(at + 14, true);
      // §2.7.5.2: with IN_ORDER the descriptors are used in the order of the table.
      const inTurn = next === (index + 1) % this.size;
      check(inTurn || !this.inOrder || table !== this.at.descriptors, 'descriptors in their order');
      index = next;
    }
  }

  use(id: number, bytes: number, steps: number): void {
    const entry = this.at.device + 4 + (this.used % this.size) * 8;
    this.view.setUint32(entry, id, true);
    this.view.setUint32(entry + 4, bytes, true);
    this.used += steps;
    this.view.setUint16(this.at.device + 2, this.used & 0xffff, true);
  }

  ask(event: number | boolean): void {
    this.view.setUint16(this.at.device, event === false ? 1 : 0, true);
    this.view.setUint16(this.at.device + 4 + this.size * 8, Number(event) & 0xffff, true);
  }

  isAwaited(place: number): boolean {
    return this.view.getUint16(this.at.driver + 4 + this.size * 2, true) === (place & 0xffff);
  }

  get isRefused(): boolean {
    return this.view.getUint16(this.at.driver, true) === 1;
  }
}

const AVAILABLE = 1 << 7;
const USED = 1 << 15;

export class PackedDevice implements RingDevice {
  seen = 0;
  used = 0;
  private readonly view: DataView;
  private readonly size: number;
  private readonly at: Areas;

  constructor(view: DataView, size: number, at: Areas) {
    this.view = view;
    this.size = size;
    this.at = at;
  }

  /** §2.8.1: the wrap counter is 1 in the first round. */
  private wrap(place: number): boolean {
    return Math.floor(place / this.size) % 2 === 0;
  }

  private place(place: number): number {
    return this.at.descriptors + (place % this.size) * 16;
  }

  take(): Taken | undefined {
    const first = this.seen;
    const segments: Segment[] = [];
    for (;;) {
      const at = this.place(this.seen);
      const flags = this.view.getUint16(at + 14, true);
      const wrap = this.wrap(this.seen);
      const available = ((flags & AVAILABLE) !== 0) === wrap && ((flags & USED) !== 0) !== wrap;
      if (!available && this.seen === first) return undefined;
      check(available, 'all of a chain is available');
      this.seen++;
      const id = this.view.getUint16(at + 12, true);
      if (flags & INDIRECT) {
        check((flags & (NEXT | WRITE)) === 0, 'a table is not part of a chain');
        return { id, segments: this.readTable(at), steps: 1 };
      }
      segments.push(readSegment(this.view, at, flags));
      if (!(flags & NEXT)) return { id, segments, steps: this.seen - first };
    }
  }

  /** §2.8.19: no flag but WRITE. */
  private readTable(at: number): Segment[] {
    const table = Number(this.view.getBigUint64(at, true));
    return Array.from({ length: this.view.getUint32(at + 8, true) / 16 }, (_, i) => {
      const flags = this.view.getUint16(table + i * 16 + 14, true);
      check((flags & ~WRITE) === 0, 'no flag but WRITE in a table');
      return readSegment(this.view, table + i * 16, flags);
    });
  }

  use(id: number, bytes: number, steps: number): void {
    const at = this.place(this.used);
    this.view.setUint32(at + 8, bytes, true);
    this.view.setUint16(at + 12, id, true);
    this.view.setUint16(at + 14, this.wrap(this.used) ? AVAILABLE | USED : 0, true);
    this.used += steps;
  }

  /** §2.8.14. */
  ask(event: number | boolean): void {
    const place = Number(event);
    this.view.setUint16(this.at.device, (place % this.size) | (this.wrap(place) ? 0x8000 : 0), true);
    this.view.setUint16(this.at.device + 2, event === true ? 0 : event === false ? 1 : 2, true);
  }

  isAwaited(place: number): boolean {
    const wanted = (place % this.size) | (this.wrap(place) ? 0x8000 : 0);
    return this.view.getUint32(this.at.driver, true) === wanted + 2 * 0x1_0000;
  }

  get isRefused(): boolean {
    return this.view.getUint16(this.at.driver + 2, true) === 1;
  }
}

function readSegment(view: DataView, at: number, flags: number): Segment {
  return {
    address: Number(view.getBigUint64(at, true)),
    bytes: view.getUint32(at + 8, true),
    write: (flags & WRITE) !== 0,
  };
}

/** Of the driver; expect() takes too long here. */
function check(good: boolean, rule: string): void {
  if (!good) throw new Error(`the driver breaks a rule: ${rule}`);
}
