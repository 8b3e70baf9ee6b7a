// job=blkbench: how many requests a second the first disk takes, and how long one takes. Words: size=BYTES of a request, qd=N in
// flight, count=N, pattern=rand|seq, op=read|write, poll=0|1. One line tells; docs and hosts rely on its form.

import { Disk, SECTOR_BYTES, Stream, Transfer } from '../drivers/disk.ts';
import { number, value } from '../lib/cmdline.ts';
import { bare, log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import { Random } from '../lib/random.ts';
import * as frames from '../mm/frames.ts';
import { free } from '../mm/objects.ts';
import * as clock from '../time/clock.ts';
import { theDisk, theDiskToWrite } from './disk.ts';

const SIZE: u32 = 4096;
const SIZE_MAX: u32 = 65536;
const DEPTH_MAX: u32 = 128;
const COUNT: u32 = 10_000;
const COUNT_MAX: u32 = 100_000_000;

/** Latencies in ticks by powers of two, each in 16 parts: a value is known to 6 %. */
const PARTS_BITS: u32 = 4;
const BUCKETS: u32 = 64 << PARTS_BITS;

class Latencies {
  private readonly counts: StaticArray<u32> = new StaticArray<u32>(BUCKETS);
  private total: u32 = 0;
  highest: u64 = 0;

  add(ticks: u64): void {
    const bucket = bucketOf(ticks);
    unchecked(this.counts[bucket]++); // which holds all that bucketOf() gives
    this.total++;
    this.highest = max(this.highest, ticks);
  }

  /** What `percent` of all are below, as far as buckets tell. */
  percentile(percent: u32): u64 {
    const wanted = ((this.total as u64) * percent + 99) / 100;
    let seen: u64 = 0;
    for (let i: u32 = 0; i < BUCKETS; i++) {
      seen += this.counts[i];
      if (seen >= wanted) return min(endOf(i), this.highest);
    }
    return this.highest;
  }

  release(): void {
    free(this.counts);
    free(this);
  }
}

function bucketOf(ticks: u64): u32 {
  if (ticks < 1 << PARTS_BITS) return ticks as u32;
  const power = (63 - clz(ticks)) as u32;
  return (
    ((power - PARTS_BITS + 1) << PARTS_BITS) |
    (((ticks >> (power - PARTS_BITS)) as u32) & ((1 << PARTS_BITS) - 1))
  );
}

/** The first value that is above the bucket. */
function endOf(bucket: u32): u64 {
  const group = bucket >> PARTS_BITS;
  if (group === 0) return bucket + 1;
  return ((((1 << PARTS_BITS) | (bucket & ((1 << PARTS_BITS) - 1))) + 1) as u64) << (group - 1);
}

class Load extends Stream {
  readonly latencies: Latencies = new Latencies();
  private readonly starts: StaticArray<u64> = new StaticArray<u64>(DEPTH_MAX);
  private readonly random: Random = new Random(1);
  private readonly buffers: u32;
  private readonly blocks: u32;
  private started: u32 = 0;
  /** When there came to be room for the next: at the start, or when the last ones arrived. */
  private moment: u64 = clock.now();

  constructor(
    disk: Disk,
    private readonly bytes: u32,
    private readonly count: u32,
    private readonly sequential: bool,
    private readonly write: bool,
  ) {
    super();
    this.buffers = frames.allocate(DEPTH_MAX * bytes);
    this.blocks = min(disk.sectors / (bytes / SECTOR_BYTES), u32.MAX_VALUE) as u32;
    if (this.blocks === 0) panic('the disk is smaller than a request');
  }

  next(slot: u32, transfer: Transfer): bool {
    if (this.started === this.count) return false;
    const block = this.sequential ? this.started % this.blocks : this.random.below(this.blocks);
    this.started++;
    transfer.write = this.write;
    transfer.count = this.bytes / SECTOR_BYTES;
    transfer.sector = (block as u64) * transfer.count;
    transfer.buffer = this.buffers + slot * this.bytes;
    this.starts[slot] = this.moment;
    return true;
  }

  arrived(): void {
    this.moment = clock.now();
  }

  done(slot: u32): void {
    this.latencies.add(this.moment - this.starts[slot]);
  }

  release(): void {
    frames.free(this.buffers, DEPTH_MAX * this.bytes);
    free(this.starts);
    free(this.random);
    this.latencies.release();
    free(this);
  }
}

export function blkbenchJob(): void {
  const op = value('op', 'read');
  const disk = op === 'write' ? theDiskToWrite() : theDisk();
  const bytes = number('size', SIZE, SIZE_MAX);
  const depth = max(number('qd', 1, DEPTH_MAX), 1);
  const count = max(number('count', COUNT, COUNT_MAX), 1);
  const pattern = value('pattern', 'rand');
  const poll = number('poll', 0, 1) === 1;
  if (
    bytes === 0 ||
    bytes % (disk.blockSectors * SECTOR_BYTES) !== 0 ||
    (pattern !== 'rand' && pattern !== 'seq') ||
    (op !== 'read' && op !== 'write')
  ) {
    log('blkbench')
      .decimal('size= is a multiple of ', disk.blockSectors * SECTOR_BYTES)
      .text(', pattern= rand or seq, op= read or write')
      .end();
    panic('blkbench cannot do that');
  }
  if (!runBench(disk, bytes, depth, count, pattern === 'seq', op === 'write', poll))
    panic('the disk failed under load');
}

/** Runs it and says in one line what came of it; false after other lines. */
export function runBench(
  disk: Disk,
  bytes: u32,
  depth: u32,
  count: u32,
  sequential: bool,
  write: bool,
  poll: bool,
): bool {
  const load = new Load(disk, bytes, count, sequential, write);
  const start = clock.now();
  const good = disk.run(load, depth, poll);
  const ns = max(clock.toNs(clock.now() - start), 1);
  if (good) describe(load, bytes, depth, count, ns);
  load.release();
  return good;
}

function describe(load: Load, bytes: u32, depth: u32, count: u32, ns: u64): void {
  bare()
    .decimal('BLK size=', bytes)
    .decimal(' qd=', depth)
    .decimal(' n=', count)
    .decimal(' iops=', ((count as u64) * 1_000_000_000) / ns)
    .decimal(' MiBps=', ((((count as u64) * bytes * 1000) / 1024) * 1_000_000) / (ns * 1024))
    .decimal(' p50_ns=', clock.toNs(load.latencies.percentile(50)))
    .decimal(' p99_ns=', clock.toNs(load.latencies.percentile(99)))
    .decimal(' max_ns=', clock.toNs(load.latencies.highest))
    .end();
}
