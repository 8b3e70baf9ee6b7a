// job=records: writes numbered records round and round on the first disk, in batches of 1 to 8 that are in flight together, flushes after
// each batch, and logs which are safe then. What fails is said, and the next batch goes on. It begins behind the newest that is on
// the disk. count=N records, 0: without end; seed=N decides the batches. A host that cuts the power can tell what must be there.

import { Disk, SECTOR_BYTES, Transfer } from '../drivers/disk.ts';
import { number } from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import { Random } from '../lib/random.ts';
import * as frames from '../mm/frames.ts';
import { theDiskToWrite } from './disk.ts';

/** A whole block on disks with large ones. */
const RECORD_SECTORS: u32 = 8;
const RECORD_BYTES: u32 = RECORD_SECTORS * SECTOR_BYTES;
const BATCH_MAX: u32 = 8;
const COUNT: u32 = 100;
/** Batches in a row. */
const FAILURES_MAX: u32 = 20;

class Records {
  private readonly random: Random = new Random(number('seed', 1, u32.MAX_VALUE));
  private readonly buffers: u32 = frames.allocate(BATCH_MAX * RECORD_BYTES);
  private readonly batch: StaticArray<Transfer> = new StaticArray<Transfer>(BATCH_MAX);
  /** Records that the disk has room for; record N is in place N modulo that. */
  private readonly places: u32;
  private newest: u32 = 0;

  constructor(private readonly disk: Disk) {
    this.places = min(disk.sectors / RECORD_SECTORS, u32.MAX_VALUE) as u32;
    if (this.places < BATCH_MAX) panic('the disk is too small for records');
    for (let i: u32 = 0; i < BATCH_MAX; i++) {
      const transfer = new Transfer();
      transfer.write = true;
      transfer.count = RECORD_SECTORS;
      transfer.buffer = this.buffers + i * RECORD_BYTES;
      this.batch[i] = transfer;
    }
  }

  /** Looks for the newest, which may be there in part. */
  find(): void {
    for (let place: u32 = 0; place < this.places; place++) {
      if (!this.disk.read(this.sectorOf(place), RECORD_SECTORS, this.buffers))
        panic('the disk cannot be read');
      for (let part: u32 = 0; part < RECORD_SECTORS; part++) {
        const word = load<u64>(this.buffers + part * SECTOR_BYTES);
        const record = (word >> 32) as u32;
        if (word === wordOf(record, part, 0) && record % this.places === place)
          this.newest = max(this.newest, record);
      }
    }
    log('records').decimal('', this.places).decimal(' places, the newest is ', this.newest).end();
  }

  write(count: u32): void {
    let failures: u32 = 0;
    let written: u32 = 0;
    while (count === 0 || written < count) {
      const size: u32 = 1 + this.random.below(BATCH_MAX);
      const first = this.newest + 1;
      for (let i: u32 = 0; i < size; i++) this.prepare(this.batch[i], first + i);
      this.newest += size;
      written += size;
      const good = this.writeBatch(first, size);
      failures = good ? 0 : failures + 1;
      if (failures === FAILURES_MAX) panic('the disk keeps no records any more');
    }
    if (failures > 0) panic('the last records are not safe');
  }

  private writeBatch(first: u32, size: u32): bool {
    if (!this.disk.transfer(this.batch, size)) return this.say(first, size, ' failed', false);
    this.say(first, size, ' written', true);
    // A later flush that is good says nothing of these if this one fails.
    if (!this.disk.flush()) return this.say(first, size, ' not safe', false);
    return this.say(first, size, ' safe', true);
  }

  private say(first: u32, size: u32, what: string, good: bool): bool {
    log('records')
      .decimal('', first)
      .decimal(' to ', first + size - 1)
      .text(what)
      .end();
    return good;
  }

  private prepare(transfer: Transfer, record: u32): void {
    transfer.sector = this.sectorOf(record % this.places);
    for (let at: u32 = 0; at < RECORD_BYTES; at += 8)
      store<u64>(transfer.buffer + at, wordOf(record, at / SECTOR_BYTES, (at % SECTOR_BYTES) / 8));
  }

  private sectorOf(place: u32): u64 {
    return (place as u64) * RECORD_SECTORS;
  }
}

/** Each word of a record tells where it belongs. */
function wordOf(record: u32, part: u32, index: u32): u64 {
  return ((record as u64) << 32) | (part << 16) | index;
}

export function recordsJob(): void {
  const records = new Records(theDiskToWrite());
  records.find();
  records.write(number('count', COUNT, u32.MAX_VALUE));
}
