// A request to a virtio block device (virtio 1.2 §5.2.6): the header that the device reads, the status byte that it
// writes, and what the driver remembers of it until it completes.

import { Event } from '../sched/event.ts';
import { QueueUser } from '../virtio/queue.ts';
import * as x86 from '../x86.ts';

// The header: type u32, reserved u32, sector u64; the status byte is kept behind it.
export const HEADER_BYTES: u32 = 16;
const HEADER_SECTOR: u32 = 8;
const TYPE_IN: u32 = 0;
/** What a request takes in memory. */
export const REQUEST_STRIDE: u32 = 32;
/** Segments of a chain that are not data: header and status. */
export const EXTRA_SEGMENTS: u32 = 2;

export const STATUS_OK: u32 = 0;
export const STATUS_IOERR: u32 = 1;
export const STATUS_UNSUPP: u32 = 2;
/** What the status byte holds until the device writes it. */
const STATUS_NONE: u32 = 0xff;

export class Request {
  readonly done: Event = new Event();
  sector: u64 = 0;
  count: u32 = 0;
  /** Bytes that the device says it has written. */
  written: u32 = 0;

  constructor(public readonly header: u32) {}

  /** Where the device writes the status byte. */
  get status(): u32 {
    return this.header + HEADER_BYTES;
  }

  get result(): u32 {
    return x86.load8(this.status);
  }

  prepare(sector: u64, count: u32): void {
    this.done.reset();
    this.sector = sector;
    this.count = count;
    x86.store64(this.header, TYPE_IN);
    x86.store64(this.header + HEADER_SECTOR, sector);
    x86.store8(this.status, STATUS_NONE);
  }
}

/** Takes completions in the interrupt handler. */
export class Completions extends QueueUser {
  constructor(private readonly requests: StaticArray<Request>) {
    super();
  }

  completed(token: u32, written: u32): void {
    const request = this.requests[token];
    request.written = written;
    request.done.signal();
  }

  failed(): void {
    for (let i: u32 = 0; i < (this.requests.length as u32); i++) this.requests[i].done.signal();
  }
}
