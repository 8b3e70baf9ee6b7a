// One request queue of a virtio block device: transfers become requests, several in flight, and are taken back in order. A
// thread has it for itself while it works.

import { Activity } from '../lib/activity.ts';
import { log } from '../lib/log.ts';
import { Event } from '../sched/event.ts';
import { Mutex } from '../sched/mutex.ts';
import { current } from '../sched/scheduler.ts';
import * as clock from '../time/clock.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { InterruptTrace } from '../virtio/interrupts.ts';
import { Virtqueue } from '../virtio/queue.ts';
import * as x86 from '../x86.ts';
import { SECTOR_BYTES, Stream, Transfer } from './disk.ts';
import { BlockConfig, REQUEST_BYTES_MAX } from './virtio-blk-config.ts';
import { Completions, EXTRA_SEGMENTS, HEADER_BYTES, Request, TABLE_SEGMENTS } from './virtio-blk-request.ts';

/** Most requests in flight. */
export const REQUESTS: u32 = 128;
/** Most that are given to the ring at once: interrupts are off meanwhile. */
const BATCH_MAX: u32 = 16;
/** One who polls for longer lets others have more of the processor. Under TCG a pause waits for the lock of QEMU's devices. */
const POLLS_BRISK: u32 = 16_384;

export class BlockQueue extends Activity {
  readonly mutex: Mutex = new Mutex();
  /** What the thread that has it was at before. */
  outer: Activity | null = null;
  /** Most bytes in one request. */
  readonly requestBytes: u32;
  /** And in one segment of it. */
  private readonly segmentBytes: u32;
  /** Most bytes in a request that has a table of its own; 0: none has. */
  private readonly tableBytes: u32;
  /** What such a table holds of the data, read or written. */
  private readonly readEntry: u64;
  private readonly writeEntry: u64;
  private readonly requests: StaticArray<Request>;
  private readonly event: Event;
  private readonly name: string;
  private readonly trace: InterruptTrace;
  /** §2.7.8.1: legacy devices are known to set the length wrongly. */
  private readonly trustsLength: bool;
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
    completions: Completions,
    private readonly waitMs: u32,
  ) {
    super();
    this.name = device.name;
    this.trace = device.trace;
    this.trustsLength = !device.legacy;
    // A device may promise more segments than its ring can hold.
    const segments = min(max(config.segMax, 1), queue.chainMax - EXTRA_SEGMENTS);
    const segmentBytes = min(max(config.sizeMax, 1), REQUEST_BYTES_MAX);
    const bytes = min((segments as u64) * segmentBytes, REQUEST_BYTES_MAX);
    this.segmentBytes = segmentBytes;
    this.requestBytes = (bytes as u32) & ~(config.blockBytes - 1);
    this.tableBytes = queue.takesTables ? segmentBytes : 0;
    this.readEntry = queue.tableEntry(2, true, true);
    this.writeEntry = queue.tableEntry(2, true, false);
    this.requests = completions.requests;
    this.event = completions.event;
    for (let i: u32 = 0; i < REQUESTS; i++) this.requests[i].describe(queue);
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

  /**
   * Keeps `depth` transfers of a stream in flight; `poll`: without interrupts, and without giving the CPU away. Both sides work at
   * the same time: the device is told after each batch, and what has come by then is looked for before the thread sleeps.
   */
  run(stream: Stream, depth: u32, poll: bool): bool {
    const piece = this.piece;
    depth = min(depth, REQUESTS);
    let more: bool = true;
    let good: bool = true;
    let prepared = this.submitted;
    this.setPolling(true);
    while (!this.lost) {
      for (let room = min(depth - (prepared - this.finished), BATCH_MAX); more && room > 0; room--) {
        more = stream.next(prepared % REQUESTS, piece);
        if (more) this.numbered(prepared++).prepare(piece, this.entryOf(piece));
      }
      if (prepared !== this.submitted) this.submitUpTo(prepared);
      if (prepared === this.finished) break;
      const full = !more || prepared !== this.submitted || prepared - this.finished === depth;
      if (full || !poll) this.queue.kick(); // one who polls is quicker than to be worth a notification each
      if (this.finishSome(stream, full, poll)) continue;
      good = more = false;
      prepared = this.submitted;
    }
    this.setPolling(false);
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

  /** False: the ring is full. */
  private submit(what: Transfer): bool {
    this.numbered(this.submitted).prepare(what, this.entryOf(what));
    const flags = this.queue.lock.acquireIrq(); // completions give descriptors back meanwhile
    const good = this.add(this.submitted);
    this.queue.lock.releaseIrq(flags);
    if (good) this.submitted++;
    return good;
  }

  /** Gives the ring the requests before number `end`, which are prepared, as far as it has room. */
  private submitUpTo(end: u32): void {
    const flags = this.queue.lock.acquireIrq();
    let submitted = this.submitted;
    while (submitted !== end && this.add(submitted)) submitted++;
    this.submitted = submitted;
    this.queue.lock.releaseIrq(flags);
  }

  private add(number: u32): bool {
    const request = this.numbered(number);
    if (request.bytes > this.tableBytes) return this.addSegments(request, number % REQUESTS);
    return this.queue.submitTable(request.table, TABLE_SEGMENTS, request.expected + 1, number % REQUESTS);
  }

  private addSegments(request: Request, index: u32): bool {
    const bytes = request.bytes;
    if (!this.queue.begin(EXTRA_SEGMENTS + (bytes + this.segmentBytes - 1) / this.segmentBytes)) return false;
    const reads = request.reads;
    this.queue.add(request.header, HEADER_BYTES, false);
    for (let at: u32 = 0; at < bytes; at += this.segmentBytes) {
      this.queue.add(request.buffer + at, min(this.segmentBytes, bytes - at), reads);
    }
    this.queue.add(request.status, 1, true);
    this.queue.submit(index);
    return true;
  }

  /** What the table of a request holds of its data. */
  private entryOf(what: Transfer): u64 {
    return what.write ? this.writeEntry : this.readEntry;
  }

  /**
   * Takes back the oldest requests of a stream, up to a batch, as far as they are done; `wait`: the first in any case. False: one has
   * failed, or there is none.
   */
  private finishSome(stream: Stream, wait: bool, poll: bool): bool {
    if (this.submitted !== this.finished && !this.oldest().done) {
      if (this.queue.hasUsed) this.collect();
      if (!wait && !this.oldest().done) return true;
      if (poll) this.pollOldest();
    }
    for (let count: u32 = 0; poll || count < BATCH_MAX; count++) {
      const slot = this.finished % REQUESTS;
      if (!this.finishOldest()) return false;
      if (count === 0) stream.arrived();
      stream.done(slot);
      if (this.submitted === this.finished || !this.oldest().done) break;
    }
    return true;
  }

  private finishOldest(): bool {
    if (this.submitted === this.finished) return this.giveUp();
    const request = this.oldest();
    let good: bool;
    do {
      if (!request.done && !this.awaitDone(request)) {
        this.logSilence();
        this.recover();
        return false;
      }
      if (this.queue.isBroken) {
        this.queue.reportFault(this.name);
        this.recover();
        return false;
      }
      if (this.trace.wanted) this.logCompletion(request);
      good = request.check(this.trustsLength);
    } while (!good && this.repeat(request));
    this.finished++;
    if (!good) request.describeFailure(this.name).end();
    return good;
  }

  /** Gives the ring the oldest request once more, if that may help. */
  private repeat(request: Request): bool {
    if (!request.repeats(this.name)) return false;
    if (!this.submitAgain(request)) {
      this.awaitOthers(); // which have its descriptors by now
      if (!this.submitAgain(request)) return false;
    }
    this.queue.kick();
    return true;
  }

  private submitAgain(request: Request): bool {
    const flags = this.queue.lock.acquireIrq();
    request.begin();
    const good = this.add(this.finished);
    if (!good) request.takeBack();
    this.queue.lock.releaseIrq(flags);
    return good;
  }

  /** Until all that were submitted after the oldest are done, or one is silent. */
  private awaitOthers(): void {
    this.queue.kick();
    for (let number = this.finished + 1; number !== this.submitted; number++) {
      const other = this.numbered(number);
      if (!other.done && !this.awaitDone(other)) return;
    }
  }

  /** There is no room in an empty ring: it was cut off. */
  private giveUp(): bool {
    assert(this.device.removed, 'the ring has no room for a single request');
    this.queue.reportFault(this.name);
    this.lost = true;
    return false;
  }

  /** Sleeps until the request is done; false: it took too long, or no interrupt told of it. */
  private awaitDone(request: Request): bool {
    const deadline = clock.after(this.waitMs);
    while (!request.done) {
      this.event.reset();
      if (this.queue.isPolling) this.askForInterrupt();
      else x86.mfence(); // before another look, or a signal in between would be lost
      if (request.done) break;
      if (this.event.wait(deadline)) continue;
      if (!this.queue.isPolling) return false;
      this.collect();
      return request.done && !this.queue.isDue;
    }
    return true;
  }

  private pollOldest(): void {
    const request = this.oldest();
    if (request.done) return;
    const deadline = clock.after(this.waitMs);
    for (let polls: u32 = 0; !request.done && clock.now() < deadline; polls++) {
      if (polls >= POLLS_BRISK) x86.pause();
      if (this.queue.hasUsed) this.collect();
    }
  }

  private askForInterrupt(): void {
    const flags = this.queue.lock.acquireIrq();
    this.queue.askForInterrupt();
    this.queue.lock.releaseIrq(flags);
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
    while (at !== this.submitted - 1 && this.requests[at % REQUESTS].done) at++;
    const request = this.requests[at % REQUESTS];
    const what = request.done ? ': an answer, but no interrupt in ' : ': no answer in ';
    request.appendPlace(log(this.name)).decimal(what, this.waitMs).text(' ms').end();
  }

  /** Takes all requests back from a queue that is silent or broken. When the device lets go of them, the disk works on. */
  private recover(): void {
    this.lost = true;
    this.describe();
    if (!this.device.restartsQueues || !this.device.restartQueue(this.queue)) return;
    log(this.name)
      .decimal('queue ', this.queue.index)
      .decimal(' was reset, requests given up: ', this.submitted - this.finished)
      .end();
    this.finished = this.submitted;
    this.lost = false;
  }

  private logCompletion(request: Request): void {
    const trace = this.trace;
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
