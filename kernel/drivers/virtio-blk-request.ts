// A request to a virtio block device (virtio 1.2 §5.2.6): the header that the device reads, the status byte that it
// writes, and what the driver remembers of it until it completes.

import { Line } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import { Event } from '../sched/event.ts';
import { DESCRIPTOR_BYTES } from '../virtio/layout.ts';
import { QueueUser, Virtqueue } from '../virtio/queue.ts';
import * as x86 from '../x86.ts';
import { SECTOR_BYTES, Transfer } from './disk.ts';

// The header: type u32, reserved u32, sector u64; the status byte is kept behind it.
export const HEADER_BYTES: u32 = 16;
const HEADER_SECTOR: u32 = 8;
const TYPE_IN: u32 = 0;
const TYPE_OUT: u32 = 1;
export const TYPE_FLUSH: u32 = 4;
export const TYPE_GET_ID: u32 = 8;
export const TYPE_DISCARD: u32 = 11;
export const TYPE_WRITE_ZEROES: u32 = 13;
/** Segments of a chain that are not data: header and status. */
export const EXTRA_SEGMENTS: u32 = 2;
/** Behind both a table of descriptors (§2.7.5.3) for a chain with one segment of data, of which only that changes. */
const TABLE: u32 = 32;
export const TABLE_SEGMENTS: u32 = EXTRA_SEGMENTS + 1;
/** What a request takes in memory. */
export const REQUEST_STRIDE: u32 = TABLE + TABLE_SEGMENTS * DESCRIPTOR_BYTES;

const STATUS_OK: u32 = 0;
const STATUS_IOERR: u32 = 1;
const STATUS_UNSUPP: u32 = 2;
/** What the status byte holds until the device writes it. */
const STATUS_NONE: u32 = 0xff;

/** How often a transfer is carried out at most. */
const TRIES_MAX: u32 = 3;

export class Request {
  /** The device has given it back, or will never do so. */
  done: bool = false;
  private type: u32 = 0;
  private sector: u64 = 0;
  private count: u32 = 0;
  /** Where its data lies. */
  buffer: u32 = 0;
  /** Bytes that the device is to write, but for the status. */
  expected: u32 = 0;
  /** Bytes that the device says it has written. */
  written: u32 = 0;
  private tries: u32 = 0;

  constructor(public readonly header: u32) {}

  /** Where the device writes the status byte. */
  get status(): u32 {
    return this.header + HEADER_BYTES;
  }

  get result(): u32 {
    return x86.load8(this.status);
  }

  get table(): u32 {
    return this.header + TABLE;
  }

  /** Of its data. */
  get bytes(): u32 {
    return this.count * SECTOR_BYTES;
  }

  /** Whether the device writes its data. */
  get reads(): bool {
    return this.type === TYPE_IN;
  }

  /** Fills in the table what never changes. */
  describe(queue: Virtqueue): void {
    const table = this.table;
    x86.store64(table, this.header);
    x86.store64(table + 8, queue.tableEntry(1, true, false) | HEADER_BYTES);
    x86.store64(table + 2 * DESCRIPTOR_BYTES, this.status);
    x86.store64(table + 2 * DESCRIPTOR_BYTES + 8, queue.tableEntry(0, false, true) | 1);
  }

  /** `entry`: what Virtqueue.tableEntry() gives for its data. */
  prepare(what: Transfer, entry: u64): void {
    const count = what.count;
    const buffer = what.buffer;
    const bytes = count * SECTOR_BYTES;
    this.count = count;
    this.buffer = buffer;
    const data = this.table + DESCRIPTOR_BYTES;
    x86.store64(data, buffer);
    x86.store64(data + 8, entry | bytes);
    this.fill(what.write ? TYPE_OUT : TYPE_IN, what.sector, what.write ? 0 : bytes);
  }

  /** `expected`: bytes that the device is to write. */
  prepareCommand(type: u32, expected: u32): void {
    this.count = 0;
    this.fill(type, 0, expected);
  }

  private fill(type: u32, sector: u64, expected: u32): void {
    this.type = type;
    this.sector = sector;
    this.expected = expected;
    this.tries = 1;
    x86.store64(this.header, type);
    x86.store64(this.header + HEADER_SECTOR, sector);
    this.begin();
  }

  /** From here on the device may have it. */
  begin(): void {
    this.done = false;
    x86.store8(this.status, STATUS_NONE);
  }

  /** There was no room for another try: it has failed as before. */
  takeBack(): void {
    this.done = true;
    x86.store8(this.status, STATUS_IOERR);
  }

  /**
   * Whether it is worth another try, after a line. Transfers are: what the host could not do once it may do next time, and sectors
   * that are read or written twice are no others. Not so a flush: the host may have dropped what it could not write, and would
   * say of the next one that all is well. Who zeroes or discards can do without.
   */
  repeats(name: string): bool {
    if (this.result !== STATUS_IOERR || this.count === 0 || this.tries === TRIES_MAX) return false;
    this.tries++;
    this.describeFailure(name).text(', tried again').end();
    return true;
  }

  /** Whether it was done, and all of it. */
  check(trustLength: bool): bool {
    // §5.2.6: the device writes the data of a read, and the status byte. §2.7.8: len counts every byte written.
    return this.result === STATUS_OK && (!trustLength || this.written === this.expected + 1);
  }

  describeFailure(name: string): Line {
    const status = this.result;
    const line = log(name)
      .text(nameOf(this.type))
      .text(this.count > 0 ? ' of ' : '');
    this.appendPlace(line).decimal(' failed: status ', status);
    if (status === STATUS_IOERR) line.text(' (I/O error)');
    else if (status === STATUS_UNSUPP) line.text(' (not supported)');
    else if (status === STATUS_OK)
      line.decimal(', but ', this.written).decimal(' bytes of ', this.expected + 1);
    else line.text(' (unknown)');
    return line;
  }

  /** Appends what it is doing: `reading sector 1`. */
  appendWhat(line: Line): Line {
    if (this.count === 0) return line.text(nameOf(this.type));
    return this.appendPlace(line.text(this.type === TYPE_OUT ? 'writing ' : 'reading '));
  }

  /** Appends where: its sectors, or the name of a command that has none. */
  appendPlace(line: Line): Line {
    return this.count === 0 ? line : appendSectors(line, this.sector, this.count);
  }
}

function nameOf(type: u32): string {
  if (type === TYPE_IN) return 'read';
  if (type === TYPE_OUT) return 'write';
  if (type === TYPE_FLUSH) return 'flush';
  if (type === TYPE_GET_ID) return 'get-id';
  return type === TYPE_DISCARD ? 'discard' : 'write-zeroes';
}

export function appendSectors(line: Line, sector: u64, count: u32): Line {
  if (count === 1) return line.decimal('sector ', sector);
  return line.decimal('sectors ', sector).decimal(' to ', sector + count - 1);
}

/** Takes completions in the interrupt handler. */
export class Completions extends QueueUser {
  /** Some requests are done, or all. */
  readonly event: Event = new Event();

  constructor(readonly requests: StaticArray<Request>) {
    super();
  }

  completed(token: u32, written: u32): void {
    const request = unchecked(this.requests[token]); // the queue gives back what it was given
    request.written = written;
    request.done = true;
  }

  collected(): void {
    this.event.signal();
  }

  failed(): void {
    for (let i: u32 = 0; i < (this.requests.length as u32); i++) this.requests[i].done = true;
    this.event.signal();
  }
}
