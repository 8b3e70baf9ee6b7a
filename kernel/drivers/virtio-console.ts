// The virtio console (virtio 1.2 §5.3): its first port, without MULTIPORT. Output is copied into buffers that come back by
// themselves; input waits in buffers until a thread reads it. In a panic characters go one by one through the
// configuration (EMERG_WRITE), past all queues and locks.

import { LONG, Register, Window } from '../bus/window.ts';
import { log } from '../lib/log.ts';
import { isWorthALine } from '../lib/rarely.ts';
import * as activity from '../sched/activity.ts';
import { Event } from '../sched/event.ts';
import { Mutex } from '../sched/mutex.ts';
import { yieldCpu } from '../sched/scheduler.ts';
import * as clock from '../time/clock.ts';
import { Completions } from '../virtio/completions.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { Attachment, VirtioDriver } from '../virtio/driver.ts';
import { FreeBuffers } from '../virtio/free-buffers.ts';
import { Virtqueue } from '../virtio/queue.ts';
import * as x86 from '../x86.ts';
import { Terminal, terminals } from './terminal.ts';

const DEVICE_ID: u32 = 3; // §5.3.1
const RECEIVE_QUEUE: u32 = 0; // §5.3.2: port 0's
const TRANSMIT_QUEUE: u32 = 1;
const QUEUES: u32 = 2;

const EMERG_WRITE: u32 = 2; // feature bit, §5.3.3
const EMERGENCY: Register = LONG | 8; // emerg_wr, §5.3.4

/** As many chains as there are buffers: a power of two. */
const INPUT_BUFFERS: u32 = 16;
const INPUT_BYTES: u32 = 64;
const OUTPUT_BUFFERS: u32 = 128;
/** Most lines of the log fit into one. */
const OUTPUT_BYTES: u32 = 256;

const WAIT_MS_MAX: u32 = 100;
const DRAIN_MS_MAX: u32 = 500;

/** What was typed. */
class Input {
  readonly typed: Event;
  /** One thread at a time. */
  private readonly mutex: Mutex = new Mutex();
  private closed: bool = false;
  /** The buffer that is being read: from `at` to `end`. */
  private buffer: u32 = 0;
  private at: u32 = 0;
  private end: u32 = 0;
  /** Buffers that came back with nothing in them. */
  private empty: u32 = 0;

  constructor(
    private readonly name: string,
    private readonly queue: Virtqueue,
    private readonly completions: Completions,
    typed: Event,
    private readonly memory: u32,
  ) {
    this.typed = typed;
    for (let index: u32 = 0; index < INPUT_BUFFERS; index++) this.give(index);
  }

  /** -1: nothing until the deadline, or never more. */
  read(deadline: u64): i32 {
    this.mutex.acquire();
    const byte = this.closed ? -1 : this.next(deadline);
    this.mutex.release();
    return byte;
  }

  /** Logs what the device did wrong, if anything; true if so. */
  reportFault(name: string): bool {
    return this.queue.reportFault(name);
  }

  /** Of the buffer that is being read. */
  get left(): u32 {
    return this.end - this.at;
  }

  /** Nothing comes any more; who waits is out. */
  close(): void {
    this.mutex.acquire();
    this.closed = true;
    this.mutex.release();
  }

  private next(deadline: u64): i32 {
    while (this.at === this.end) {
      this.typed.reset(); // before a look at what has come
      if (this.completions.next(this.queue)) {
        this.buffer = this.completions.token;
        this.at = 0;
        this.end = min(this.completions.written, INPUT_BYTES);
        if (this.end > 0) break;
        this.give(this.buffer);
        if (clock.now() >= deadline) return -1; // such buffers may come without end
        this.passEmpty();
      } else if (this.completions.broken || !this.typed.wait(deadline)) return -1;
    }
    const byte = x86.load8(this.memory + this.buffer * INPUT_BYTES + this.at++);
    if (this.at === this.end) this.give(this.buffer);
    return byte;
  }

  /** Others are to have the CPU in between. */
  private passEmpty(): void {
    if (++this.empty % INPUT_BUFFERS !== 0) return;
    if (isWorthALine(this.empty / INPUT_BUFFERS))
      log(this.name).decimal('input without a byte, times ', this.empty).end();
    yieldCpu();
  }

  /** A small ring takes fewer buffers than there are. */
  private give(index: u32): void {
    this.queue.give(this.memory + index * INPUT_BYTES, INPUT_BYTES, true, index);
  }
}

class VirtioTerminal extends Terminal {
  private readonly memory: u32;
  /** Nobody reads it: no more waiting until somebody does. */
  private stuck: bool = false;
  private panicking: bool = false;
  private reported: bool = false;

  constructor(
    private readonly device: VirtioDevice,
    private readonly input: Input,
    private readonly queue: Virtqueue,
    private readonly free: FreeBuffers,
    /** How many the ring has room for. */
    private readonly buffers: u32,
    /** Where EMERG_WRITE's register is; null: the device has none. */
    private readonly emergency: Window | null,
  ) {
    super(device.name);
    this.memory = device.allocate(OUTPUT_BUFFERS * OUTPUT_BYTES);
  }

  detach(): void {
    terminals.remove(this);
    this.input.close();
    const user = this.user;
    if (user !== null) user.terminalGone();
  }

  read(deadline: u64): i32 {
    const before = activity.begin(this);
    const byte = this.input.read(deadline);
    if (byte < 0) this.reportFault();
    activity.end(before);
    return byte;
  }

  write(address: usize, bytes: u32): void {
    const before = activity.begin(this);
    this.writeInTime(address, bytes);
    activity.end(before);
  }

  describe(): void {
    log(this.name)
      .decimal('output buffers in use: ', OUTPUT_BUFFERS - this.free.count)
      .decimal(' of ', this.buffers)
      .decimal(', bytes of input left: ', this.input.left)
      .end();
    this.device.describe();
  }

  private writeInTime(address: usize, bytes: u32): void {
    bytes = min(bytes, this.buffers * OUTPUT_BYTES);
    const needed = (bytes + OUTPUT_BYTES - 1) / OUTPUT_BYTES;
    const deadline = clock.after(this.stuck ? 0 : WAIT_MS_MAX);
    while (!this.free.broken && !this.tryWrite(address, bytes, needed)) {
      this.stuck = clock.now() >= deadline;
      if (this.stuck) return;
      x86.pause();
    }
    this.stuck = false;
  }

  writeInPanic(address: usize, bytes: u32): void {
    const window = this.emergency;
    if (window === null || this.device.removed) return;
    // What is on its way comes first, unless it is the panic's own CPU or one that stands still that has the queue.
    if (!this.panicking && this.queue.lock.holder === 0) this.drain();
    this.panicking = true;
    for (let i: u32 = 0; i < bytes; i++) window.write(EMERGENCY, load<u8>(address + i));
  }

  drain(): void {
    const deadline = clock.after(DRAIN_MS_MAX);
    while (!this.isIdle() && clock.now() < deadline) x86.pause();
  }

  /** Once. Not by who writes: that may be the log itself. */
  private reportFault(): void {
    if (!this.reported)
      this.reported = this.input.reportFault(this.name) || this.queue.reportFault(this.name);
  }

  /** False: there is no room for all of it. */
  private tryWrite(address: usize, bytes: u32, needed: u32): bool {
    const flags = this.queue.lock.acquireIrq();
    this.queue.collect(); // the caller may have interrupts off
    const used = OUTPUT_BUFFERS - this.free.count;
    const room = !this.free.broken && used + needed <= this.buffers;
    if (room) {
      for (let at: u32 = 0; at < bytes; at += OUTPUT_BYTES) {
        this.send(address + at, min(bytes - at, OUTPUT_BYTES));
      }
      this.queue.kick();
    }
    this.queue.lock.releaseIrq(flags);
    return room;
  }

  private send(address: usize, bytes: u32): void {
    const room = this.queue.begin(1);
    assert(room, 'more buffers than the ring has room for');
    const index = this.free.take();
    const buffer = this.memory + index * OUTPUT_BYTES;
    memory.copy(buffer, address, bytes);
    this.queue.add(buffer, bytes, false);
    this.queue.submit(index);
  }

  private isIdle(): bool {
    const flags = this.queue.lock.acquireIrq();
    this.queue.collect();
    const idle = this.free.idle;
    this.queue.lock.releaseIrq(flags);
    return idle;
  }
}

export class VirtioConsoleDriver extends VirtioDriver {
  constructor() {
    super('virtio-console', DEVICE_ID);
  }

  attach(device: VirtioDevice): Attachment | null {
    if (!device.negotiate(1 << EMERG_WRITE) || !device.connectInterrupts(QUEUES)) return null;
    const typed = new Event();
    const completions = new Completions(INPUT_BUFFERS, typed);
    const free = new FreeBuffers(OUTPUT_BUFFERS, typed);
    const receive = device.createQueue(RECEIVE_QUEUE, completions);
    if (receive === null) return null;
    const transmit = device.createQueue(TRANSMIT_QUEUE, free);
    if (transmit === null) return null;
    device.start();
    const window = device.has(EMERG_WRITE) ? device.config() : null;
    const emergency = window !== null && window.has(EMERGENCY) ? window : null;
    const input = new Input(
      device.name,
      receive,
      completions,
      typed,
      device.allocate(INPUT_BUFFERS * INPUT_BYTES),
    );
    const buffers = min(transmit.ring.size, OUTPUT_BUFFERS);
    log(device.name)
      .text(device.legacy ? 'legacy' : 'modern')
      .text(', port 0')
      .text(emergency !== null ? ', emergency writes' : '')
      .end();
    const terminal = new VirtioTerminal(device, input, transmit, free, buffers, emergency);
    terminals.add(terminal, device.name);
    return terminal;
  }
}
