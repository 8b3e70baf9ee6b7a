// Disks, whatever drives them. Sectors have 512 bytes.

import { Attachment } from '../bus/attachment.ts';
import { Registry } from './registry.ts';

export const SECTOR_BYTES: u32 = 512;

/** A request for whole blocks, to or from one piece of memory. */
export class Transfer {
  write: bool = false;
  sector: u64 = 0;
  count: u32 = 0;
  buffer: u32 = 0;
}

/** Transfers one after the other, for Disk.run(). Each is of whole blocks, and small enough for a request. */
export abstract class Stream {
  /** Says what the next transfer is; `slot`: a number that no other one in flight has. False: there are no more. */
  abstract next(slot: u32, transfer: Transfer): bool;
  /** Those that done() tells of next have come by now. */
  arrived(): void {}
  /** The transfer that had this slot is done. */
  abstract done(slot: u32): void;
}

export abstract class Disk extends Attachment {
  constructor(
    /** Driver and function, for the log. */
    public readonly name: string,
    /** Sectors in a block, of which transfers are made. */
    public readonly blockSectors: u32,
  ) {
    super();
  }

  /** Of 512 bytes; it may change. */
  abstract get sectors(): u64;

  /** It refuses to be changed. */
  abstract get readOnly(): bool;

  /**
   * Reads `count` sectors from `sector` on into `buffer`; false after a line that says what went wrong. A disk that keeps
   * what it owes may still write to `buffer`: it refuses everything from then on.
   */
  abstract read(sector: u64, count: u32, buffer: u32): bool;

  /** Writes `count` sectors from `sector` on; false after a line. Of blocks that it covers in part it keeps the rest. */
  abstract write(sector: u64, count: u32, buffer: u32): bool;

  /**
   * Carries out the first `count` transfers of `list`, as many at once as there is room for, in an order that is the
   * device's affair; false after lines that say what went wrong. One notification and one interrupt are enough for all
   * that are carried out at once.
   */
  abstract transfer(list: StaticArray<Transfer>, count: u32): bool;

  /**
   * Carries out a stream with `depth` transfers in flight; `poll`: the thread keeps its CPU and looks for completions
   * itself. False after lines that say what went wrong.
   */
  abstract run(stream: Stream, depth: u32, poll: bool): bool;

  /** Has what was written be safe when this returns. */
  abstract flush(): bool;
  /** Lets the device forget sectors, or fills them with zeros. */
  abstract discard(sector: u64, count: u32): bool;
  abstract writeZeroes(sector: u64, count: u32): bool;
  /** The device's serial number: 20 bytes, ended by a NUL if it is shorter. */
  abstract readId(into: u32): bool;

  /** How often the device was notified so far, and has interrupted. */
  abstract kicks(): u64;
  abstract interrupts(): u64;

  /** Whether every interrupt and completion is logged. */
  abstract setTrace(on: bool): void;
}

export const disks = new Registry<Disk>();
