// The receiving half of a virtio network device (virtio 1.2 §5.1.6.3, §5.1.6.4): buffers for the device to fill, and frames put
// together from one buffer, or with MRG_RXBUF from several. A frame is copied out before anything looks at it, so that
// nobody can change it afterwards.

import { ETHERNET_BYTES, FRAME_BYTES_MAX } from '../net/frames.ts';
import { HEADER, KEPT, LONG, SHORT, Statistics } from '../net/statistics.ts';
import { Completions } from '../virtio/completions.ts';
import { Virtqueue } from '../virtio/queue.ts';
import * as x86 from '../x86.ts';

// struct virtio_net_hdr (§5.1.6): flags u8, gso_type u8, …, and at 10 num_buffers u16, which old devices have only with
// MRG_RXBUF (§5.1.6.1).
const FLAGS: u32 = 0;
const GSO_TYPE: u32 = 1;
const BUFFER_COUNT: u32 = 10;

/** All buffers together. */
export const MEMORY_BYTES: u32 = 0x2_0000;
/** With MRG_RXBUF short frames take little, and long ones several. */
const MERGEABLE_BYTES: u32 = 512;
/** A whole frame with its header. */
const WHOLE_BYTES: u32 = 2048;
/** Both, for the list of completions: a power of two. */
export const BUFFERS_MAX: u32 = MEMORY_BYTES / MERGEABLE_BYTES;

/** In place of a frame's length. */
export const NONE: i32 = -1;
export const DROPPED: i32 = 0;

export class Receiver {
  private readonly bufferBytes: u32;
  /** The frame being put together: buffers that are still to come, bytes so far, and why it will be dropped. */
  private missing: u32 = 0;
  private bytes: u32 = 0;
  private fault: u32 = KEPT;

  constructor(
    private readonly queue: Virtqueue,
    private readonly completions: Completions,
    private readonly mergeable: bool,
    private readonly headerBytes: u32,
    private readonly statistics: Statistics,
    /** MEMORY_BYTES for the buffers. */
    private readonly memory: u32,
  ) {
    this.bufferBytes = mergeable ? MERGEABLE_BYTES : WHOLE_BYTES;
  }

  /** Logs what the device did wrong, if anything; true if so. */
  reportFault(name: string): bool {
    return this.completions.broken && this.queue.reportFault(name);
  }

  /** Gives the device as many buffers as there are, or as its ring holds. */
  fill(): void {
    const count = MEMORY_BYTES / this.bufferBytes;
    for (let index: u32 = 0; index < count; index++) if (!this.give(index)) break;
    this.kick();
  }

  /** Tells the device of the buffers that it got back. */
  kick(): void {
    this.queue.kickLocked();
  }

  /**
   * Copies the next frame to `frame` and returns its length; DROPPED if it was a bad one, NONE if there is none now. Call it with
   * the same address always.
   */
  next(frame: u32): i32 {
    const completions = this.completions;
    while (completions.next(this.queue)) {
      const index = completions.token;
      this.take(this.memory + index * this.bufferBytes, min(completions.written, this.bufferBytes), frame);
      this.give(index);
      if (this.missing > 0) continue;
      if (this.fault === KEPT && this.bytes < ETHERNET_BYTES) this.fault = SHORT;
      if (this.fault !== KEPT) {
        this.statistics.drop(this.fault);
        return DROPPED;
      }
      this.statistics.received++;
      this.statistics.receivedBytes += this.bytes;
      return this.bytes;
    }
    return NONE;
  }

  /** False: the ring is full. */
  private give(index: u32): bool {
    const queue = this.queue;
    const bufferBytes = this.bufferBytes;
    const headerBytes = this.headerBytes;
    const buffer = this.memory + index * bufferBytes;
    const flags = queue.lock.acquireIrq();
    // §5.1.6.3.1 and, for old devices, §2.7.4.3: the header is a segment of its own.
    const room = queue.begin(this.mergeable ? 1 : 2);
    if (room) {
      if (this.mergeable) queue.add(buffer, bufferBytes, true);
      else {
        queue.add(buffer, headerBytes, true);
        queue.add(buffer + headerBytes, bufferBytes - headerBytes, true);
      }
      queue.submit(index);
    }
    queue.lock.releaseIrq(flags);
    return room;
  }

  /** A buffer of which the device says that it has written `written` bytes. */
  private take(buffer: u32, written: u32, frame: u32): void {
    let start: u32 = 0;
    if (this.missing === 0) {
      start = this.headerBytes;
      this.bytes = 0;
      this.fault = written < start ? SHORT : KEPT;
      this.missing = 1;
      if (this.fault === KEPT) this.readHeader(buffer);
    }
    this.missing--;
    if (this.fault !== KEPT) return;
    const part = written - start;
    if (this.bytes + part > FRAME_BYTES_MAX) this.fault = LONG;
    else memory.copy(frame + this.bytes, buffer + start, part);
    this.bytes += part;
  }

  private readHeader(buffer: u32): void {
    // Neither checksum nor segmentation offload was agreed on: there is nothing to finish.
    if (x86.load8(buffer + FLAGS) !== 0 || x86.load8(buffer + GSO_TYPE) !== 0) this.fault = HEADER;
    if (!this.mergeable) return;
    const count = x86.load16(buffer + BUFFER_COUNT);
    if (count === 0 || count > BUFFERS_MAX) this.fault = HEADER;
    else this.missing = count;
  }
}
