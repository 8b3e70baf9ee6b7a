// A request to a virtio block device (virtio 1.2 §5.2.6): the header that the device reads, the status byte that it
// writes, and what the driver remembers of it until it completes.

import { Line } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import { Event } from '../sched/event.ts';
import { QueueUser } from '../virtio/queue.ts';
import * as x86 from '../x86.ts';
import { SECTOR_BYTES, Transfer } from './disk.ts';

// The header: type u32, reserved u32, sector u64; the status byte is kept behind it.
export const HEADER_BYTES: u32 = 16;
const HEADER_SECTOR: u32 = 8;
const TYPE_IN: u32 = 0;
const TYPE_OUT: u32 = 1;
/** What a request takes in memory. */
export const REQUEST_STRIDE: u32 = 32;
/** Segments of a chain that are not data: header and status. */
export const EXTRA_SEGMENTS: u32 = 2;

const STATUS_OK: u32 = 0;
const STATUS_IOERR: u32 = 1;
const STATUS_UNSUPP: u32 = 2;
/** What the status byte holds until the device writes it. */
const STATUS_NONE: u32 = 0xff;

export class Request {
  readonly done: Event = new Event();
  write: bool = false;
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

  prepare(what: Transfer): void {
    this.done.reset();
    this.write = what.write;
    this.sector = what.sector;
    this.count = what.count;
    x86.store64(this.header, what.write ? TYPE_OUT : TYPE_IN);
    x86.store64(this.header + HEADER_SECTOR, what.sector);
    x86.store8(this.status, STATUS_NONE);
  }

  /** Whether it was done, and all of it; else a line says what is wrong. */
  check(name: string, trustLength: bool): bool {
    const status = this.result;
    // §5.2.6: the device writes the data of a read, and the status byte. §2.7.8: len counts every byte written.
    const expected = (this.write ? 0 : this.count * SECTOR_BYTES) + 1;
    if (status === STATUS_OK && (!trustLength || this.written === expected)) return true;
    const line = log(name).text(this.write ? 'write of ' : 'read of ');
    appendSectors(line, this.sector, this.count).decimal(' failed: status ', status);
    if (status === STATUS_IOERR) line.text(' (I/O error)');
    else if (status === STATUS_UNSUPP) line.text(' (not supported)');
    else if (status === STATUS_OK) line.decimal(', but ', this.written).decimal(' bytes of ', expected);
    else line.text(' (unknown)');
    line.end();
    return false;
  }
}

export function appendSectors(line: Line, sector: u64, count: u32): Line {
  if (count === 1) return line.decimal('sector ', sector);
  return line.decimal('sectors ', sector).decimal(' to ', sector + count - 1);
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
