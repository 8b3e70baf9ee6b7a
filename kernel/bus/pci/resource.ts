// What takes address space, and the address space that there is. A resource is a BAR, or a bridge's window, which is address
// space for what is behind the bridge. Addresses here are what the kernel wants; write() makes them the hardware's.

import { Line } from '../../lib/line.ts';
import { Region } from '../../mm/regions.ts';

const LOW_4_GIB: u64 = 0x1_0000_0000;

export abstract class Resource {
  /** Where it is, 0: nowhere; what it needs, 0 bytes: nothing. */
  start: u64 = 0;
  bytes: u64 = 0;
  /** Of places that are found for it. */
  align: u64 = 1;
  /** Must be below 4 GiB. */
  low: bool = false;
  /** It must not be anywhere else. */
  fixed: bool = false;
  /** A driver has it: it stays. */
  inUse: bool = false;
  /** As the hardware has it. */
  startWritten: u64 = 0;
  bytesWritten: u64 = 0;
  isNew: bool = false;
  /** There is no room for it and all others. */
  givenUp: bool = false;
  /** Why it cannot stay where it was. */
  why: string = '';
  /** What has to hold it, and the next in its list of all that it has to. */
  space: Space | null = null;
  nextMember: Resource | null = null;
  /** In the list of what its space holds, by address. */
  next: Resource | null = null;

  abstract write(): void;
  /** Whether the hardware has what was written. */
  abstract isKept(): bool;
  /** Says on a line where it is. */
  abstract describe(line: Line): Line;

  /** It is address space itself. */
  get isWindow(): bool {
    return false;
  }

  /** Nobody may have what it has. */
  get isReserved(): bool {
    return false;
  }

  get isNeeded(): bool {
    return this.bytes !== 0 && !this.givenUp;
  }

  get isPlaced(): bool {
    return this.start !== 0 && this.isNeeded;
  }

  get changed(): bool {
    return this.start !== this.startWritten || this.bytes !== this.bytesWritten;
  }

  get end(): u64 {
    return this.start + this.bytes;
  }

  /** Nobody reaches it while that is written. */
  get isDisturbed(): bool {
    return this.changed;
  }

  release(why: string): void {
    if (this.start !== 0 && this.why.length === 0) this.why = why;
    this.start = 0;
  }
}

/** A bridge's window has one range, a host bridge several. */
export class Space {
  /** The bridge's window; null: it is the host bridge's space. */
  window: Resource | null = null;
  /** Where things may be; and where they are put, the best range first. */
  readonly decoded: Array<Region> = [];
  readonly free: Array<Region> = [];
  members: Resource | null = null;
  private held: Resource | null = null;

  /** It is what a window passes on. */
  follow(window: Resource): void {
    this.window = window;
    this.free.push(new Region(0, 0));
    this.decoded.push(this.free[0]);
  }

  addMember(resource: Resource): void {
    resource.space = this;
    resource.nextMember = this.members;
    this.members = resource;
  }

  removeMember(resource: Resource): void {
    let at = this.members;
    if (at === resource) this.members = resource.nextMember;
    for (; at !== null; at = at!.nextMember)
      if (at.nextMember === resource) at.nextMember = resource.nextMember;
  }

  /** What is aligned most first. */
  sortMembers(): void {
    let sorted: Resource | null = null;
    for (let at = this.members; at !== null; ) {
      const following = at.nextMember;
      let before: Resource | null = null;
      let after = sorted;
      while (after !== null && after.align > at.align) {
        before = after;
        after = after.nextMember;
      }
      at.nextMember = after;
      if (before === null) sorted = at;
      else before.nextMember = at;
      at = following;
    }
    this.members = sorted;
  }

  /** Nothing in it needs anything. */
  get isIdle(): bool {
    for (let at = this.members; at !== null; at = at!.nextMember) if (at.isNeeded) return false;
    return true;
  }

  /** Holds nothing; a window's range is what the window is now. */
  clear(): void {
    this.held = null;
    const window = this.window;
    if (window === null) return;
    this.free[0].start = window.start;
    this.free[0].end = window.start === 0 ? 0 : window.end;
  }

  get isMoved(): bool {
    const window = this.window;
    if (window === null) return false;
    const range = this.free[0];
    return range.start !== window.start || (window.start !== 0 && range.end !== window.end);
  }

  /** Whether such a range may be here. */
  reaches(start: u64, bytes: u64): bool {
    for (let i = 0; i < this.decoded.length; i++) {
      const range = this.decoded[i];
      if (start >= range.start && start < range.end && bytes <= range.end - start) return true;
    }
    return false;
  }

  /** Holds the resource where it is, if that can be; else releases it. */
  keep(resource: Resource): bool {
    const below = resource.low && resource.end > LOW_4_GIB;
    if (below || !this.reaches(resource.start, resource.bytes)) {
      resource.release('nothing reaches it there');
      return false;
    }
    let before: Resource | null = null;
    let after = this.held;
    while (after !== null && after.start < resource.start) {
      before = after;
      after = after.next;
    }
    const overlaps =
      (before !== null && before.end > resource.start) || (after !== null && resource.end > after.start);
    if (overlaps) {
      resource.release('another is there');
      return false;
    }
    this.link(before, resource, after);
    return true;
  }

  /** Finds the first place for a resource that has none; false if there is none. */
  place(resource: Resource): bool {
    for (let i = 0; i < this.free.length; i++) if (this.placeIn(this.free[i], resource)) return true;
    return false;
  }

  private placeIn(range: Region, resource: Resource): bool {
    const limit = resource.low ? min(range.end, LOW_4_GIB) : range.end;
    const mask = resource.align - 1;
    let start = (max(range.start, 1) + mask) & ~mask; // 0 means nowhere
    let before: Resource | null = null;
    let after = this.held;
    for (;;) {
      if (start < range.start || start === 0 || start >= limit || resource.bytes > limit - start)
        return false;
      if (after === null || resource.bytes <= after.start - min(start, after.start)) break;
      before = after;
      start = max(start, (after.end + mask) & ~mask);
      after = after.next;
    }
    resource.start = start;
    this.link(before, resource, after);
    return true;
  }

  private link(before: Resource | null, resource: Resource, after: Resource | null): void {
    resource.next = after;
    if (before === null) this.held = resource;
    else before.next = resource;
  }
}
