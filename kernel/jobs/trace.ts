// job=trace: random reads and writes of the first disk that a host can repeat. The log tells the checksum of all that was
// read, in the order of the requests, and how often the driver notified the device and was interrupted.
//
// The words seed=N, requests=N, depth=N, blocks=N and writes=PERCENT decide everything; tests/machine/trace.ts repeats it.
// Requests come in batches of 1 to `depth`, which are in flight together, each of 1 to `blocks` blocks. Request i of a
// batch stays in part i of the disk, so that requests in flight never overlap and their order does not matter.
//
// A batch takes one notification (virtio 1.2 §2.7.10) and, with EVENT_IDX, one interrupt (§2.7.7). The first batch is a
// single request, since a device may report the first buffer that it uses whatever the driver asks for, as QEMU does.

import { Disk, SECTOR_BYTES, Transfer } from '../drivers/disk.ts';
import { number } from '../lib/cmdline.ts';
import { crc32 } from '../lib/crc32.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import { Random } from '../lib/random.ts';
import * as frames from '../mm/frames.ts';
import { theDisk } from './disk.ts';

const REQUESTS: u32 = 1000;
const REQUESTS_MAX: u32 = 100_000_000;
const DEPTH: u32 = 8;
const DEPTH_MAX: u32 = 32;
const BLOCKS: u32 = 4;
const BLOCKS_MAX: u32 = 16;
const WRITES_PERCENT: u32 = 0;

class Trace {
  private readonly depth: u32 = max(number('depth', DEPTH, DEPTH_MAX), 1);
  private readonly blocks: u32 = max(number('blocks', BLOCKS, BLOCKS_MAX), 1);
  private readonly writesPercent: u32 = number('writes', WRITES_PERCENT, 100);
  private readonly random: Random = new Random(number('seed', 1, u32.MAX_VALUE));
  private readonly batch: StaticArray<Transfer> = new StaticArray<Transfer>(DEPTH_MAX);
  private readonly blockBytes: u32;
  /** Blocks of the disk that each request of a batch has for itself. */
  private readonly part: u32;
  private checksum: u32 = 0;
  private writes: u32 = 0;

  constructor(private readonly disk: Disk) {
    this.blockBytes = disk.blockSectors * SECTOR_BYTES;
    this.part = (min(disk.sectors / disk.blockSectors, u32.MAX_VALUE) / this.depth) as u32;
    if (this.part < this.blocks) {
      log('trace')
        .text(disk.name)
        .decimal(' has ', disk.sectors / disk.blockSectors)
        .decimal(' blocks, too few for ', this.depth)
        .decimal(' requests of ', this.blocks)
        .text(': give less as depth= or blocks=')
        .end();
      panic('the disk is too small for the trace');
    }
    const bytes = this.blocks * this.blockBytes;
    const buffers = frames.allocate(this.depth * bytes);
    for (let i: u32 = 0; i < DEPTH_MAX; i++) {
      this.batch[i] = new Transfer();
      this.batch[i].buffer = buffers + i * bytes;
    }
  }

  run(requests: u32): void {
    let batches: u32 = 0;
    for (let done: u32 = 0; done < requests; batches++) {
      const size = done === 0 ? 1 : min(1 + this.random.below(this.depth), requests - done);
      this.runBatch(done, size);
      done += size;
    }
    log('trace')
      .decimal('', requests)
      .decimal(' requests, ', this.writes)
      .decimal(' of them writes, in ', batches)
      .text(' batches')
      .end();
    log('trace').hex('CRC-32 of all that was read: ', this.checksum, 8).end();
    log('trace').decimal('kicks ', this.disk.kicks()).decimal(', interrupts ', this.disk.interrupts()).end();
  }

  private runBatch(first: u32, size: u32): void {
    for (let i: u32 = 0; i < size; i++) this.choose(this.batch[i], i);
    if (!this.disk.transfer(this.batch, size)) {
      log('trace')
        .decimal('failed in requests ', first)
        .decimal(' to ', first + size - 1)
        .end();
      panic('the trace came to an end');
    }
    for (let i: u32 = 0; i < size; i++) {
      const transfer = this.batch[i];
      if (transfer.write) this.writes++;
      else this.checksum = crc32(this.checksum, transfer.buffer, transfer.count * SECTOR_BYTES);
    }
  }

  private choose(transfer: Transfer, place: u32): void {
    const random = this.random;
    transfer.write = random.below(100) < this.writesPercent;
    const blocks = 1 + random.below(this.blocks);
    const block = place * this.part + random.below(this.part - blocks + 1);
    transfer.sector = (block as u64) * this.disk.blockSectors;
    transfer.count = blocks * this.disk.blockSectors;
    if (!transfer.write) return;
    const end = transfer.buffer + blocks * this.blockBytes;
    for (let at = transfer.buffer; at < end; at += 4) store<u32>(at, random.next());
  }
}

export function traceJob(): void {
  new Trace(theDisk()).run(max(number('requests', REQUESTS, REQUESTS_MAX), 1));
}
