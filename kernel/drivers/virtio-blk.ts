// The virtio block device (virtio 1.2 §5.2): reads of any sectors into any memory, reads and writes of blocks, several
// requests in flight. A request is a chain (§5.2.6): a header that the device reads, data, and a status byte that it
// writes.

import { Activity, begin, finish } from '../lib/activity.ts';
import { number } from '../lib/cmdline.ts';
import { Line } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import * as frames from '../mm/frames.ts';
import { current } from '../sched/scheduler.ts';
import * as clock from '../time/clock.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { VirtioDriver } from '../virtio/driver.ts';
import { Virtqueue } from '../virtio/queue.ts';
import { addDisk, Disk, SECTOR_BYTES, Transfer } from './disk.ts';
import { BlockConfig, REQUEST_BYTES_MAX, UNDERSTOOD } from './virtio-blk-config.ts';
import {
  appendSectors,
  Completions,
  EXTRA_SEGMENTS,
  HEADER_BYTES,
  REQUEST_STRIDE,
  Request,
} from './virtio-blk-request.ts';

const DEVICE_ID: u32 = 2; // §5.2.1
const REQUEST_QUEUE: u32 = 0; // §5.2.2
const QUEUES: u32 = 1;

const REQUESTS: u32 = 32;

const WAIT_MS: u32 = 5000;
const WAIT_MS_MAX: u32 = 3_600_000;

class VirtioDisk extends Disk {
  private readonly activity: DiskActivity = new DiskActivity();
  /** The part of a read that is submitted next. */
  private readonly piece: Transfer = new Transfer();
  /** Most bytes in one request, and in one segment of it. */
  private readonly requestBytes: u32;
  private readonly segmentBytes: u32;
  /** Requests taken and given back so far: they are used in turn, modulo REQUESTS. */
  private submitted: u32 = 0;
  private finished: u32 = 0;
  /** A request has not come back: the device may still write to its memory. */
  private lost: bool = false;

  constructor(
    private readonly device: VirtioDevice,
    private readonly config: BlockConfig,
    private readonly queue: Virtqueue,
    private readonly requests: StaticArray<Request>,
    private readonly waitMs: u32,
    /** Room for whole blocks, where a block is more than a sector. */
    private readonly bounce: u32,
  ) {
    super(device.name, config.capacity, config.blockBytes / SECTOR_BYTES);
    // A device may promise more segments than its ring can hold.
    const segments = min(max(config.segMax, 1), queue.chainMax - EXTRA_SEGMENTS);
    const segmentBytes = min(max(config.sizeMax, 1), REQUEST_BYTES_MAX);
    const bytes = min((segments as u64) * segmentBytes, REQUEST_BYTES_MAX);
    this.segmentBytes = segmentBytes;
    this.requestBytes = (bytes as u32) & ~(config.blockBytes - 1);
  }

  setTrace(on: bool): void {
    this.device.trace.wanted = on;
  }

  kicks(): u64 {
    return this.queue.kicks;
  }

  interrupts(): u64 {
    return this.device.trace.count;
  }

  // One thread at a time. What fails stays in charge: the panic that follows tells about it.

  read(sector: u64, count: u32, buffer: u32): bool {
    return this.move(false, sector, count, buffer);
  }

  write(sector: u64, count: u32, buffer: u32): bool {
    return this.move(true, sector, count, buffer);
  }

  private move(write: bool, sector: u64, count: u32, buffer: u32): bool {
    if (!this.admits(write, sector, count)) return false;
    this.activity.disk = this;
    begin(this.activity);
    const good = this.wholeBlocks(sector, count)
      ? this.moveBlocks(write, sector, count, buffer)
      : this.moveParts(write, sector, count, buffer);
    if (good) finish();
    return good;
  }

  transfer(list: StaticArray<Transfer>, count: u32): bool {
    for (let i: u32 = 0; i < count; i++) if (!this.admitsRequest(list[i])) return false;
    this.activity.disk = this;
    begin(this.activity);
    let good: bool = true;
    for (let at: u32 = 0; at < count && good; ) {
      for (; at < count && this.submitted - this.finished < REQUESTS; at++) {
        if (!this.submit(list[at])) break;
      }
      const flags = this.queue.lock.acquireIrq();
      this.queue.awaitAll();
      this.queue.lock.releaseIrq(flags);
      this.queue.kick();
      do {
        if (!this.finishOldest()) good = false;
      } while (this.submitted !== this.finished && !this.lost);
    }
    if (good) finish();
    return good;
  }

  describe(): void {
    const pending = this.submitted - this.finished;
    if (pending > 0) {
      const request = this.requests[this.finished % REQUESTS];
      const line = log(this.name).text(request.write ? 'writing ' : 'reading ');
      appendSectors(line, request.sector, request.count).decimal(', requests in flight ', pending).end();
    }
    this.queue.dump(this.name);
    this.device.dump();
  }

  /** Whether sectors can be transferred at all; else a line says why not. */
  private admits(write: bool, sector: u64, count: u32): bool {
    const end = sector + count;
    if (end < sector || end > this.sectors)
      return refuse(this.cannot(write, sector, count).decimal('the capacity is ', this.sectors));
    if (write && this.config.readOnly)
      return refuse(this.cannot(write, sector, count).text('the device is read-only'));
    if (this.lost) return refuse(this.cannot(write, sector, count).text('it still owes an answer'));
    if (this.requestBytes > 0) return true;
    return refuse(this.cannot(write, sector, count).text('a request cannot hold a block'));
  }

  /** Whether it can be a single request. */
  private admitsRequest(what: Transfer): bool {
    if (!this.admits(what.write, what.sector, what.count)) return false;
    const whole = this.wholeBlocks(what.sector, what.count);
    if (whole && what.count > 0 && what.count <= this.requestBytes / SECTOR_BYTES) return true;
    const line = this.cannot(what.write, what.sector, what.count).text('a request is of whole blocks');
    return refuse(line.decimal(', up to ', this.requestBytes).text(' bytes'));
  }

  private wholeBlocks(sector: u64, count: u32): bool {
    return (((sector as u32) | count) & (this.blockSectors - 1)) === 0;
  }

  private cannot(write: bool, sector: u64, count: u32): Line {
    return appendSectors(log(this.name).text(write ? 'cannot write ' : 'cannot read '), sector, count).text(
      ': ',
    );
  }

  /** Reads the blocks that hold the sectors, and copies them from there, or to there: a request is of whole blocks. */
  private moveParts(write: bool, sector: u64, count: u32, buffer: u32): bool {
    const blockSectors = this.blockSectors;
    while (count > 0) {
      const skipped = (sector as u32) & (blockSectors - 1);
      const wanted = min(skipped + count, REQUEST_BYTES_MAX / SECTOR_BYTES);
      const whole = (wanted + blockSectors - 1) & ~(blockSectors - 1);
      if (!this.moveBlocks(false, sector - skipped, whole, this.bounce)) return false;
      const got = wanted - skipped;
      const part = this.bounce + skipped * SECTOR_BYTES;
      memory.copy(write ? part : buffer, write ? buffer : part, got * SECTOR_BYTES);
      if (write && !this.moveBlocks(true, sector - skipped, whole, this.bounce)) return false;
      sector += got;
      buffer += got * SECTOR_BYTES;
      count -= got;
    }
    return true;
  }

  /** Keeps as many requests in flight as there is room for, and takes them back in order. */
  private moveBlocks(write: bool, sector: u64, count: u32, buffer: u32): bool {
    const piece = this.piece;
    piece.write = write;
    piece.sector = sector;
    piece.buffer = buffer;
    let left = count;
    let good: bool = true;
    while (left > 0 || this.submitted !== this.finished) {
      while (left > 0 && this.submitted - this.finished < REQUESTS) {
        piece.count = min(left, this.requestBytes / SECTOR_BYTES);
        if (!this.submit(piece)) break;
        piece.sector += piece.count;
        piece.buffer += piece.count * SECTOR_BYTES;
        left -= piece.count;
      }
      this.queue.kick();
      if (this.finishOldest()) continue;
      good = false;
      left = 0;
      if (this.lost) break;
    }
    return good;
  }

  /** False: the ring is full. */
  private submit(what: Transfer): bool {
    const index = this.submitted % REQUESTS;
    const request = this.requests[index];
    const bytes = what.count * SECTOR_BYTES;
    const segments = (bytes + this.segmentBytes - 1) / this.segmentBytes;
    const flags = this.queue.lock.acquireIrq(); // completions give descriptors back meanwhile
    const room = this.queue.begin(segments + EXTRA_SEGMENTS);
    if (room) {
      request.prepare(what);
      this.queue.add(request.header, HEADER_BYTES, false);
      for (let at: u32 = 0; at < bytes; at += this.segmentBytes) {
        this.queue.add(what.buffer + at, min(this.segmentBytes, bytes - at), !what.write);
      }
      this.queue.add(request.status, 1, true);
      this.queue.submit(index);
      this.submitted++;
    }
    this.queue.lock.releaseIrq(flags);
    return room;
  }

  private finishOldest(): bool {
    assert(this.submitted !== this.finished, 'the ring has no room for a single request');
    const request = this.requests[this.finished % REQUESTS];
    if (!request.done.wait(clock.after(this.waitMs))) {
      this.logSilence();
      this.recover();
      return false;
    }
    if (this.queue.reportFault(this.name)) {
      this.recover();
      return false;
    }
    this.finished++;
    if (this.device.trace.wanted) this.logCompletion(request);
    // §2.7.8.1: legacy devices are known to set the length wrongly.
    return request.check(this.name, !this.device.legacy);
  }

  /** The oldest request that has no answer; or what came instead; or only the interrupt is missing. */
  private logSilence(): void {
    const flags = this.queue.lock.acquireIrq();
    this.queue.collect();
    this.queue.lock.releaseIrq(flags);
    if (this.queue.reportFault(this.name)) return;
    let at = this.finished;
    while (at !== this.submitted - 1 && this.requests[at % REQUESTS].done.wait(0)) at++;
    const request = this.requests[at % REQUESTS];
    const answered = request.done.wait(0);
    const line = appendSectors(log(this.name), request.sector, request.count);
    const what = answered ? ': an answer, but no interrupt in ' : ': no answer in ';
    line.decimal(what, this.waitMs).text(' ms').end();
  }

  /** Takes all requests back from a queue that is silent or broken. When the device lets go of them, the disk works on. */
  private recover(): void {
    this.lost = true;
    if (!this.device.restartsQueues) return;
    this.describe();
    if (!this.device.restartQueue(this.queue)) return;
    log(this.name)
      .decimal('queue ', this.queue.index)
      .decimal(' was reset, requests given up: ', this.submitted - this.finished)
      .end();
    this.finished = this.submitted;
    this.lost = false;
  }

  private logCompletion(request: Request): void {
    const trace = this.device.trace;
    log(this.name)
      .hex('interrupt vector ', trace.vector, 2)
      .hex(', ISR status ', trace.status, 2)
      .decimal(', CPU ', trace.cpu)
      .end();
    log(this.name)
      .decimal('completion length ', request.written)
      .decimal(', status ', request.result)
      .text(', thread ')
      .text(current().name)
      .end();
  }
}

function refuse(line: Line): bool {
  line.end();
  return false;
}

class DiskActivity extends Activity {
  disk: VirtioDisk | null = null;

  describe(): void {
    this.disk!.describe();
  }
}

export class VirtioBlkDriver extends VirtioDriver {
  constructor() {
    super('virtio-blk', DEVICE_ID);
  }

  attach(device: VirtioDevice): bool {
    if (!device.negotiate(UNDERSTOOD)) return false;
    const config = new BlockConfig(device);
    const problem = config.read();
    if (problem.length > 0) return device.fail(problem);
    const blockBytes = config.blockBytes;
    const memory = frames.allocate(REQUESTS * REQUEST_STRIDE);
    const requests = new StaticArray<Request>(REQUESTS);
    for (let i: u32 = 0; i < REQUESTS; i++) requests[i] = new Request(memory + i * REQUEST_STRIDE);
    if (!device.connectInterrupts(QUEUES)) return false;
    const queue = device.createQueue(REQUEST_QUEUE, new Completions(requests));
    if (queue === null) return false;
    if (queue.chainMax <= EXTRA_SEGMENTS) return device.fail('has too small a queue');
    device.start();
    const line = log(device.name);
    config.describe(line);
    line.end();
    const waitMs = number('wait_ms', WAIT_MS, WAIT_MS_MAX);
    const bounce = blockBytes > SECTOR_BYTES ? frames.allocate(REQUEST_BYTES_MAX) : 0;
    return addDisk(new VirtioDisk(device, config, queue, requests, waitMs, bounce));
  }
}
