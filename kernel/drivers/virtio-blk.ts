// The virtio block device (virtio 1.2 §5.2): reads of any sectors into any memory, several requests in flight.
// A request is a chain (§5.2.6): a header that the device reads, then data and a status byte that it writes.

import { Activity, begin, finish } from '../lib/activity.ts';
import { number } from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import * as frames from '../mm/frames.ts';
import { Event } from '../sched/event.ts';
import { current } from '../sched/thread.ts';
import * as clock from '../time/clock.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { VirtioDriver } from '../virtio/driver.ts';
import { QueueUser, SplitQueue } from '../virtio/queue.ts';
import * as x86 from '../x86.ts';
import { addDisk, Disk, SECTOR_BYTES } from './disk.ts';
import { BlockConfig, UNDERSTOOD } from './virtio-blk-config.ts';

const DEVICE_ID: u32 = 2; // §5.2.1
const REQUEST_QUEUE: u32 = 0; // §5.2.2

// The header (§5.2.6): type u32, reserved u32, sector u64.
const HEADER_BYTES: u32 = 16;
const HEADER_SECTOR: u32 = 8;
const TYPE_IN: u32 = 0;
/** Segments of a chain that are not data: header and status. */
const EXTRA_SEGMENTS: u32 = 2;

const STATUS_OK: u32 = 0;
const STATUS_IOERR: u32 = 1;
const STATUS_UNSUPP: u32 = 2;
/** What the status byte holds until the device writes it. */
const STATUS_NONE: u32 = 0xff;

const REQUESTS: u32 = 32;
const REQUEST_BYTES_MAX: u32 = 0x1_0000;
/** Where a request's header and status byte lie in the driver's frames. */
const REQUEST_STRIDE: u32 = 32;

const WAIT_MS: u32 = 5000;
const WAIT_MS_MAX: u32 = 3_600_000;

class Request {
  readonly done: Event = new Event();
  sector: u64 = 0;
  count: u32 = 0;
  /** Bytes that the device says it has written. */
  written: u32 = 0;

  constructor(public readonly header: u32) {}

  get status(): u32 {
    return this.header + HEADER_BYTES;
  }
}

/** Takes completions in the interrupt handler. */
class Completions extends QueueUser {
  constructor(private readonly requests: StaticArray<Request>) {
    super();
  }

  completed(token: u32, written: u32): void {
    const request = this.requests[token];
    request.written = written;
    request.done.signal();
  }
}

class VirtioDisk extends Disk {
  private readonly activity: ReadActivity = new ReadActivity();
  /** Most bytes in one request, and in one segment of it. */
  private readonly requestBytes: u32;
  private readonly segmentBytes: u32;
  /** Requests taken and given back so far: they are used in turn, modulo REQUESTS. */
  private submitted: u32 = 0;
  private finished: u32 = 0;

  constructor(
    private readonly device: VirtioDevice,
    private readonly config: BlockConfig,
    private readonly queue: SplitQueue,
    private readonly requests: StaticArray<Request>,
    private readonly waitMs: u32,
  ) {
    super(device.name);
    // A device may promise more segments than its ring can hold.
    const segments = min(max(config.segMax, 1), queue.chainMax - EXTRA_SEGMENTS);
    const segmentBytes = min(max(config.sizeMax, 1), REQUEST_BYTES_MAX);
    const bytes = min((segments as u64) * segmentBytes, REQUEST_BYTES_MAX);
    this.segmentBytes = segmentBytes;
    this.requestBytes = (bytes as u32) & ~(SECTOR_BYTES - 1);
  }

  setTrace(on: bool): void {
    this.device.trace.wanted = on;
  }

  /** One thread at a time. */
  read(sector: u64, count: u32, buffer: u32): bool {
    if (sector + count < sector || sector + count > this.config.capacity) {
      log(this.name)
        .decimal('cannot read ', count)
        .decimal(' sectors at sector ', sector)
        .decimal(': the disk has only ', this.config.capacity)
        .end();
      return false;
    }
    if (this.requestBytes === 0) {
      log(this.name).text('cannot read: its segments hold less than a sector').end();
      return false;
    }
    this.activity.disk = this;
    begin(this.activity);
    const good = this.transfer(sector, count, buffer);
    if (good) finish(); // a failed read stays in charge: the panic that follows tells about it
    return good;
  }

  describe(): void {
    const pending = this.submitted - this.finished;
    if (pending > 0) {
      const request = this.requests[this.finished % REQUESTS];
      log(this.name)
        .decimal('reading ', request.count)
        .decimal(' sectors at sector ', request.sector)
        .decimal(', requests in flight ', pending)
        .end();
    }
    this.queue.dump(this.name);
    this.device.dump();
  }

  /** Keeps as many requests in flight as there is room for, and takes them back in order. */
  private transfer(sector: u64, count: u32, buffer: u32): bool {
    let left = count;
    while (left > 0 || this.submitted !== this.finished) {
      while (left > 0 && this.submitted - this.finished < REQUESTS) {
        const sectors = min(left, this.requestBytes / SECTOR_BYTES);
        if (!this.submit(sector, sectors, buffer)) break;
        sector += sectors;
        buffer += sectors * SECTOR_BYTES;
        left -= sectors;
      }
      this.queue.kick();
      if (!this.finishOldest()) return false;
    }
    return true;
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
      request.done.reset();
      request.sector = sector;
      request.count = count;
      x86.store64(request.header, TYPE_IN);
      x86.store64(request.header + HEADER_SECTOR, sector);
      x86.store8(request.status, STATUS_NONE);
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
    const request = this.requests[this.finished % REQUESTS];
    if (!request.done.wait(clock.after(this.waitMs))) {
      if (this.queue.reportFault(this.name)) return false;
      log(this.name)
        .decimal('sector ', request.sector)
        .decimal(': no answer in ', this.waitMs)
        .text(' ms')
        .end();
      return false;
    }
    this.finished++;
    const status = x86.load8(request.status);
    const trace = this.device.trace;
    if (trace.wanted) {
      log(this.name)
        .hex('interrupt vector ', trace.vector, 2)
        .hex(', ISR status ', trace.status, 2)
        .decimal(', CPU ', trace.cpu)
        .end();
      log(this.name)
        .decimal('completion length ', request.written)
        .decimal(', status ', status)
        .text(', thread ')
        .text(current.name)
        .end();
    }
    return this.check(request, status);
  }

  private check(request: Request, status: u32): bool {
    // §5.2.6: the data and the status byte. §2.7.8: len counts every byte written, so a good read has written all.
    const expected = request.count * SECTOR_BYTES + 1;
    if (status === STATUS_OK && request.written === expected) return true;
    const line = log(this.name)
      .decimal('read of ', request.count)
      .decimal(' sectors at sector ', request.sector)
      .decimal(' failed: status ', status);
    if (status === STATUS_IOERR) line.text(' (I/O error)');
    else if (status === STATUS_UNSUPP) line.text(' (not supported)');
    else if (status === STATUS_OK) line.decimal(', but ', request.written).decimal(' bytes of ', expected);
    else line.text(' (unknown)');
    line.end();
    return false;
  }
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
    if (!config.read()) return device.fail('has no consistent configuration');
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
    return addDisk(new VirtioDisk(device, config, queue, requests, number('wait_ms', WAIT_MS, WAIT_MS_MAX)));
  }
}
