// job=blkverify: writes the whole of the first disk, reads it back and compares, from a thread on each CPU at once, each by
// its own queue as far as there are queues. rounds=N passes; size=BYTES of a request, qd=N in flight. What is written tells
// its place and its pass, so that a request which went elsewhere, or did not happen, is seen.

import { Disk, SECTOR_BYTES, Stream, Transfer } from '../drivers/disk.ts';
import { number } from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import * as frames from '../mm/frames.ts';
import { onlineCount } from '../sched/cpu.ts';
import { Event } from '../sched/event.ts';
import * as scheduler from '../sched/scheduler.ts';
import { NEVER, Program } from '../sched/thread.ts';
import { theDiskToWrite } from './disk.ts';

const SIZE: u32 = 4096;
const SIZE_MAX: u32 = 65536;
const DEPTH: u32 = 16;
const DEPTH_MAX: u32 = 128;
const ROUNDS_MAX: u32 = 1000;

/** A part of the disk, in requests of one size; the last may be shorter. */
class Part extends Stream {
  transfers: u64 = 0;
  /** The first sector that did not hold what it should; u64.MAX_VALUE: none. */
  wrong: u64 = u64.MAX_VALUE;
  private write: bool = false;
  private pass: u64 = 0;
  private at: u64 = 0;
  private readonly buffers: u32;
  private readonly sectors: StaticArray<u64> = new StaticArray<u64>(DEPTH_MAX);
  private readonly counts: StaticArray<u32> = new StaticArray<u32>(DEPTH_MAX);

  constructor(
    private readonly start: u64,
    private readonly end: u64,
    private readonly bytes: u32,
  ) {
    super();
    this.buffers = frames.allocate(DEPTH_MAX * bytes);
  }

  begin(write: bool, pass: u32): void {
    this.write = write;
    this.pass = pass;
    this.at = this.start;
  }

  next(slot: u32, transfer: Transfer): bool {
    if (this.at === this.end) return false;
    const buffer = this.buffers + slot * this.bytes;
    const count = min(this.end - this.at, this.bytes / SECTOR_BYTES) as u32;
    transfer.write = this.write;
    transfer.sector = this.at;
    transfer.count = count;
    transfer.buffer = buffer;
    this.sectors[slot] = this.at;
    this.counts[slot] = count;
    if (this.write) this.fill(buffer, this.at, count);
    else memory.fill(buffer, 0, count * SECTOR_BYTES);
    this.at += count;
    return true;
  }

  done(slot: u32): void {
    this.transfers++;
    if (!this.write) this.check(this.buffers + slot * this.bytes, this.sectors[slot], this.counts[slot]);
  }

  /** Of each 8 bytes: the sector, the word in it, and the pass. */
  private wordAt(sector: u64, offset: u32): u64 {
    return (sector << 16) ^ ((this.pass << 48) | (offset >> 3));
  }

  private fill(buffer: u32, sector: u64, count: u32): void {
    for (let i: u32 = 0; i < count; i++, sector++, buffer += SECTOR_BYTES)
      for (let offset: u32 = 0; offset < SECTOR_BYTES; offset += 8)
        store<u64>(buffer + offset, this.wordAt(sector, offset));
  }

  private check(buffer: u32, sector: u64, count: u32): void {
    for (let i: u32 = 0; i < count; i++, sector++, buffer += SECTOR_BYTES)
      for (let offset: u32 = 0; offset < SECTOR_BYTES; offset += 8)
        if (load<u64>(buffer + offset) !== this.wordAt(sector, offset)) this.wrong = min(this.wrong, sector);
  }
}

class Worker extends Program {
  readonly done: Event = new Event();
  good: bool = true;

  constructor(
    private readonly disk: Disk,
    readonly part: Part,
    private readonly depth: u32,
    private readonly rounds: u32,
  ) {
    super();
  }

  run(): void {
    for (let pass: u32 = 1; pass <= this.rounds && this.good; pass++) {
      this.part.begin(true, pass);
      this.good = this.disk.run(this.part, this.depth, false) && this.disk.flush();
      this.part.begin(false, pass);
      this.good = this.good && this.disk.run(this.part, this.depth, false);
    }
    this.done.signal();
  }
}

export function blkverifyJob(): void {
  const disk = theDiskToWrite();
  const blockBytes = disk.blockSectors * SECTOR_BYTES;
  const bytes = max(number('size', SIZE, SIZE_MAX) & ~(blockBytes - 1), blockBytes);
  const depth = max(number('qd', DEPTH, DEPTH_MAX), 1);
  const rounds = max(number('rounds', 1, ROUNDS_MAX), 1);
  const count = onlineCount();
  const workers = new StaticArray<Worker | null>(count);
  const share = (disk.sectors / count) & ~((disk.blockSectors - 1) as u64);
  for (let i: u32 = 0; i < count; i++) {
    const start = share * i;
    const part = new Part(start, i + 1 === count ? disk.sectors : start + share, bytes);
    const worker = new Worker(disk, part, depth, rounds);
    workers[i] = worker;
    if (scheduler.create('verify', worker, i) === null) panic('no thread to verify with');
  }
  let transfers: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const worker = workers[i]!;
    worker.done.wait(NEVER);
    transfers += worker.part.transfers;
    if (!worker.good) panic('the disk failed under load');
    if (worker.part.wrong === u64.MAX_VALUE) continue;
    log('blkverify').decimal('sector ', worker.part.wrong).text(' does not hold what was written').end();
    panic('the disk does not keep what is written');
  }
  log('blkverify')
    .decimal('', disk.sectors)
    .decimal(' sectors written, flushed, read and compared ', rounds)
    .decimal(' times, ', transfers)
    .decimal(' requests from ', count)
    .decimal(' CPUs, kicks ', disk.kicks())
    .decimal(', interrupts ', disk.interrupts())
    .end();
}
