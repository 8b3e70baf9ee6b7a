// One request queue of a virtio block device: transfers become requests, several in flight, and are taken back in order. A
// thread has it for itself while it works.

import { Activity } from '../lib/activity.ts';
import { log } from '../lib/log.ts';
import { Mutex } from '../sched/mutex.ts';
import { current } from '../sched/scheduler.ts';
import * as clock from '../time/clock.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { Virtqueue } from '../virtio/queue.ts';
import * as x86 from '../x86.ts';
import { SECTOR_BYTES, Stream, Transfer } from './disk.ts';
import { BlockConfig, REQUEST_BYTES_MAX } from './virtio-blk-config.ts';
import { EXTRA_SEGMENTS, HEADER_BYTES, Request } from './virtio-blk-request.ts';

/** Most requests in flight. */
export const REQUESTS: u32 = 128;
/** Most that are given to the ring at once: interrupts are off meanwhile. */
const BATCH_MAX: u32 = 16;

export class BlockQueue extends Activity {
  readonly mutex: Mutex = new Mutex();
  /** Most bytes in one request. */
  readonly requestBytes: u32;
  /** And in one segment of it. */
  private readonly segmentBytes: u32;
  private readonly name: string;
  /** The part of a transfer that is submitted next. */
  private readonly piece: Transfer = new Transfer();
  /** Requests taken and given back so far: they are used in turn, modulo REQUESTS. */
  private submitted: u32 = 0;
  private finished: u32 = 0;
  /** A request has not come back: the device may still write to its memory. */
  lost: bool = false;

  constructor(
    private readonly device: VirtioDevice,
    config: BlockConfig,
    readonly queue: Virtqueue,
    private readonly requests: StaticArray<Request>,
    private readonly waitMs: u32,
  ) {
    super();
    this.name = device.name;
    // A device may promise more segments than its ring can hold.
    const segments = min(max(config.segMax, 1), queue.chainMax - EXTRA_SEGMENTS);
    const segmentBytes = min(max(config.sizeMax, 1), REQUEST_BYTES_MAX);
    const bytes = min((segments as u64) * segmentBytes, REQUEST_BYTES_MAX);
    this.segmentBytes = segmentBytes;
    this.requestBytes = (bytes as u32) & ~(config.blockBytes - 1);
  }

  /** Moves whole blocks, with as many requests in flight as there is room for. */
  move(write: bool, sector: u64, count: u32, buffer: u32): bool {
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

  /** Carries out a list with one notification and one interrupt for all that are in flight together. */
  transfer(list: StaticArray<Transfer>, count: u32): bool {
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
    return good;
  }

  /** Keeps `depth` transfers of a stream in flight; `poll`: without interrupts, and without giving the CPU away. */
  run(stream: Stream, depth: u32, poll: bool): bool {
    const piece = this.piece;
    let more: bool = true;
    let good: bool = true;
    depth = min(depth, REQUESTS);
    if (poll) this.setPolling(true);
    while (true) {
      while (more) {
        const most = min(depth - (this.submitted - this.finished), BATCH_MAX);
        const room = this.queue.roomFor(this.segmentsOf(piece.count * SECTOR_BYTES), most);
        if (room === 0) break;
        let count: u32 = 0;
        for (; count < room; count++) {
          const number = this.submitted + count;
          more = stream.next(number % REQUESTS, piece);
          if (!more) break;
          this.numbered(number).prepare(piece);
        }
        if (this.submitPrepared(count)) continue;
        good = more = false;
        this.queue.reportFault(this.name); // it was cut off meanwhile
      }
      this.queue.kick();
      if (this.submitted === this.finished) {
        if (more) good = this.finishOldest();
        break;
      }
      if (poll) this.pollOldest();
      // With the oldest, all that have been done behind it.
      do {
        const slot = this.finished % REQUESTS;
        if (!this.finishOldest()) good = more = false;
        else stream.done(slot);
      } while (this.submitted !== this.finished && !this.lost && this.oldest().done.isSet);
      if (this.lost) break;
    }
    if (poll) this.setPolling(false);
    return good;
  }

  /** A request without sectors to move: `type` of §5.2.6, with data that the device reads or, `reads`, writes. */
  command(type: u32, buffer: u32, bytes: u32, reads: bool): bool {
    const index = this.submitted % REQUESTS;
    const request = this.requests[index];
    const flags = this.queue.lock.acquireIrq();
    const room = this.queue.begin(EXTRA_SEGMENTS + (bytes > 0 ? 1 : 0));
    if (room) {
      request.prepareCommand(type, reads ? bytes : 0);
      this.queue.add(request.header, HEADER_BYTES, false);
      if (bytes > 0) this.queue.add(buffer, bytes, reads);
      this.queue.add(request.status, 1, true);
      this.queue.submit(index);
      this.submitted++;
    }
    this.queue.lock.releaseIrq(flags);
    this.queue.kick();
    return this.finishOldest();
  }

  describe(): void {
    const pending = this.submitted - this.finished;
    if (pending > 0) {
      const line = this.oldest().appendWhat(log(this.name));
      line.decimal(', requests in flight ', pending).end();
    }
    this.queue.dump(this.name);
    this.device.dump();
  }

  /** Of the requests in flight, if there are any. */
  private oldest(): Request {
    return this.numbered(this.finished);
  }

  private numbered(number: u32): Request {
    return unchecked(this.requests[number % REQUESTS]);
  }

  private segmentsOf(bytes: u32): u32 {
    if (bytes <= this.segmentBytes) return EXTRA_SEGMENTS + 1;
    return EXTRA_SEGMENTS + (bytes + this.segmentBytes - 1) / this.segmentBytes;
  }

  /** False: the ring is full. */
  private submit(what: Transfer): bool {
    this.numbered(this.submitted).prepare(what);
    return this.submitPrepared(1);
  }

  /** Gives the next `count` requests to the ring, which are prepared. False: it has not room for all of them. */
  private submitPrepared(count: u32): bool {
    const end = this.submitted + count;
    const flags = this.queue.lock.acquireIrq(); // completions give descriptors back meanwhile
    while (this.submitted !== end && this.add(this.submitted % REQUESTS)) this.submitted++;
    this.queue.lock.releaseIrq(flags);
    return this.submitted === end;
  }

  private add(index: u32): bool {
    const request = this.numbered(index);
    const bytes = request.bytes;
    if (!this.queue.begin(this.segmentsOf(bytes))) return false;
    const reads = request.reads;
    this.queue.add(request.header, HEADER_BYTES, false);
    for (let at: u32 = 0; at < bytes; at += this.segmentBytes) {
      this.queue.add(request.buffer + at, min(this.segmentBytes, bytes - at), reads);
    }
    this.queue.add(request.status, 1, true);
    this.queue.submit(index);
    return true;
  }

  private finishOldest(): bool {
    if (this.submitted === this.finished) return this.giveUp();
    const request = this.oldest();
    if (!request.done.isSet && !request.done.wait(clock.after(this.waitMs))) {
      this.logSilence();
      this.recover();
      return false;
    }
    if (this.queue.isBroken) {
      this.queue.reportFault(this.name);
      this.recover();
      return false;
    }
    this.finished++;
    if (this.device.trace.wanted) this.logCompletion(request);
    // §2.7.8.1: legacy devices are known to set the length wrongly.
    return request.check(this.name, !this.device.legacy);
  }

  /** There is no room in an empty ring: it was cut off. */
  private giveUp(): bool {
    assert(this.device.removed, 'the ring has no room for a single request');
    this.queue.reportFault(this.name);
    this.lost = true;
    return false;
  }

  private pollOldest(): void {
    const done = this.oldest().done;
    if (!done.isSet) this.collect();
    if (done.isSet) return;
    const deadline = clock.after(this.waitMs);
    while (!done.isSet && clock.now() < deadline) {
      x86.pause();
      this.collect();
    }
  }

  private collect(): void {
    const flags = this.queue.lock.acquireIrq();
    this.queue.collect();
    this.queue.lock.releaseIrq(flags);
  }

  private setPolling(on: bool): void {
    const flags = this.queue.lock.acquireIrq();
    this.queue.setPolling(on);
    this.queue.lock.releaseIrq(flags);
  }

  /** The oldest request that has no answer; or what came instead; or only the interrupt is missing. */
  private logSilence(): void {
    this.collect();
    if (this.queue.reportFault(this.name)) return;
    let at = this.finished;
    while (at !== this.submitted - 1 && this.requests[at % REQUESTS].done.isSet) at++;
    const request = this.requests[at % REQUESTS];
    const what = request.done.isSet ? ': an answer, but no interrupt in ' : ': no answer in ';
    request.appendPlace(log(this.name)).decimal(what, this.waitMs).text(' ms').end();
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
