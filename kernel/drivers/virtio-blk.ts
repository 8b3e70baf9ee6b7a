// The virtio block device (virtio 1.2 §5.2): reads of any sectors into any memory, several requests in flight.
// A request is a chain (§5.2.6): a header that the device reads, then data and a status byte that it writes.

import { Activity, begin, finish } from '../lib/activity.ts';
import { number } from '../lib/cmdline.ts';
import { Line } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import * as frames from '../mm/frames.ts';
import { current } from '../sched/thread.ts';
import * as clock from '../time/clock.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { VirtioDriver } from '../virtio/driver.ts';
import { SplitQueue } from '../virtio/queue.ts';
import * as x86 from '../x86.ts';
import { addDisk, Disk, SECTOR_BYTES } from './disk.ts';
import { BlockConfig, UNDERSTOOD } from './virtio-blk-config.ts';
import {
  Completions,
  EXTRA_SEGMENTS,
  HEADER_BYTES,
  REQUEST_STRIDE,
  Request,
  STATUS_IOERR,
  STATUS_OK,
  STATUS_UNSUPP,
} from './virtio-blk-request.ts';

const DEVICE_ID: u32 = 2; // §5.2.1
const REQUEST_QUEUE: u32 = 0; // §5.2.2

const REQUESTS: u32 = 32;
const REQUEST_BYTES_MAX: u32 = 0x1_0000; // and of a block

const WAIT_MS: u32 = 5000;
const WAIT_MS_MAX: u32 = 3_600_000;

class VirtioDisk extends Disk {
  private readonly activity: ReadActivity = new ReadActivity();
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
    private readonly queue: SplitQueue,
    private readonly requests: StaticArray<Request>,
    private readonly waitMs: u32,
    /** Room for whole blocks, where a block is more than a sector. */
    private readonly bounce: u32,
  ) {
    super(device.name);
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

  /** One thread at a time. */
  read(sector: u64, count: u32, buffer: u32): bool {
    if (sector + count < sector || sector + count > this.config.capacity) {
      const line = log(this.name).text('cannot read ');
      appendSectors(line, sector, count).decimal(': the capacity is ', this.config.capacity).end();
      return false;
    }
    if (this.lost) return this.refuse('it still owes an answer');
    if (this.requestBytes === 0) return this.refuse('a request cannot hold a block');
    this.activity.disk = this;
    begin(this.activity);
    const mask = this.config.blockBytes / SECTOR_BYTES - 1;
    const aligned = (((sector as u32) | count) & mask) === 0;
    const good = aligned ? this.transfer(sector, count, buffer) : this.transferPart(sector, count, buffer);
    if (good) finish(); // a failed read stays in charge: the panic that follows tells about it
    return good;
  }

  describe(): void {
    const pending = this.submitted - this.finished;
    if (pending > 0) {
      const request = this.requests[this.finished % REQUESTS];
      const line = log(this.name).text('reading ');
      appendSectors(line, request.sector, request.count).decimal(', requests in flight ', pending).end();
    }
    this.queue.dump(this.name);
    this.device.dump();
  }

  private refuse(why: string): bool {
    log(this.name).text('cannot read: ').text(why).end();
    return false;
  }

  /** Reads the blocks that hold the sectors, and copies them from there: a request is of whole blocks. */
  private transferPart(sector: u64, count: u32, buffer: u32): bool {
    const blockSectors = this.config.blockBytes / SECTOR_BYTES;
    while (count > 0) {
      const skipped = (sector as u32) & (blockSectors - 1);
      const wanted = min(skipped + count, REQUEST_BYTES_MAX / SECTOR_BYTES);
      const whole = (wanted + blockSectors - 1) & ~(blockSectors - 1);
      if (!this.transfer(sector - skipped, whole, this.bounce)) return false;
      const got = wanted - skipped;
      memory.copy(buffer, this.bounce + skipped * SECTOR_BYTES, got * SECTOR_BYTES);
      sector += got;
      buffer += got * SECTOR_BYTES;
      count -= got;
    }
    return true;
  }

  /** Keeps as many requests in flight as there is room for, and takes them back in order. */
  private transfer(sector: u64, count: u32, buffer: u32): bool {
    let left = count;
    let good: bool = true;
    while (left > 0 || this.submitted !== this.finished) {
      while (left > 0 && this.submitted - this.finished < REQUESTS) {
        const sectors = min(left, this.requestBytes / SECTOR_BYTES);
        if (!this.submit(sector, sectors, buffer)) break;
        sector += sectors;
        buffer += sectors * SECTOR_BYTES;
        left -= sectors;
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
  private submit(sector: u64, count: u32, buffer: u32): bool {
    const index = this.submitted % REQUESTS;
    const request = this.requests[index];
    const bytes = count * SECTOR_BYTES;
    const segments = (bytes + this.segmentBytes - 1) / this.segmentBytes;
    const flags = x86.irq_save(); // completions give descriptors back meanwhile
    const room = this.queue.begin(segments + EXTRA_SEGMENTS);
    if (room) {
      request.prepare(sector, count);
      this.queue.add(request.header, HEADER_BYTES, false);
      for (let at: u32 = 0; at < bytes; at += this.segmentBytes) {
        this.queue.add(buffer + at, min(this.segmentBytes, bytes - at), true);
      }
      this.queue.add(request.status, 1, true);
      this.queue.submit(index);
      this.submitted++;
    }
    x86.irq_restore(flags);
    return room;
  }

  private finishOldest(): bool {
    assert(this.submitted !== this.finished, 'the ring has no room for a single request');
    const request = this.requests[this.finished % REQUESTS];
    if (!request.done.wait(clock.after(this.waitMs))) {
      this.lost = true;
      const line = appendSectors(log(this.name), request.sector, request.count);
      line.decimal(': no answer in ', this.waitMs).text(' ms').end();
      return false;
    }
    if (this.queue.reportFault(this.name)) {
      this.lost = true;
      return false;
    }
    this.finished++;
    if (this.device.trace.wanted) this.logCompletion(request);
    return this.check(request);
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
      .text(current.name)
      .end();
  }

  private check(request: Request): bool {
    const status = request.result;
    // §5.2.6: the data and the status byte. §2.7.8: len counts every byte written, so a good read has written all.
    // §2.7.8.1: legacy devices are known to set len wrongly.
    const expected = request.count * SECTOR_BYTES + 1;
    if (status === STATUS_OK && (this.device.legacy || request.written === expected)) return true;
    const line = appendSectors(log(this.name).text('read of '), request.sector, request.count);
    line.decimal(' failed: status ', status);
    if (status === STATUS_IOERR) line.text(' (I/O error)');
    else if (status === STATUS_UNSUPP) line.text(' (not supported)');
    else if (status === STATUS_OK) line.decimal(', but ', request.written).decimal(' bytes of ', expected);
    else line.text(' (unknown)');
    line.end();
    return false;
  }
}

function appendSectors(line: Line, sector: u64, count: u32): Line {
  if (count === 1) return line.decimal('sector ', sector);
  return line.decimal('sectors ', sector).decimal(' to ', sector + count - 1);
}

class ReadActivity extends Activity {
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
    if (!config.read()) return device.fail('has no sound configuration');
    const blockBytes = config.blockBytes;
    if (blockBytes > REQUEST_BYTES_MAX) return device.fail('has blocks of more than 64 KiB');
    const memory = frames.allocate(REQUESTS * REQUEST_STRIDE);
    const requests = new StaticArray<Request>(REQUESTS);
    for (let i: u32 = 0; i < REQUESTS; i++) requests[i] = new Request(memory + i * REQUEST_STRIDE);
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
