// How a device's interrupts reach its queues: with as many of its vectors as it has and accepts, else by its line.
//   queues + 1   one for changes of the configuration, one for each queue
//   2            one for changes of the configuration, one for all queues
//   1            one for everything; where the CPUs' vectors are used up, other devices have it too
//   0            the line: everything, and the device's neighbours too

import { Line as IrqLine, LineUser } from '../irq/line.ts';
import { schedule } from '../irq/tasklets.ts';
import { freeCount, freeVector, InterruptHandler, shareVector } from '../irq/vectors.ts';
import { Line } from '../lib/line.ts';
import { apicIdOf } from '../sched/cpu.ts';
import { Event } from '../sched/event.ts';
import * as x86 from '../x86.ts';
import { Virtqueue } from './queue.ts';
import { ISR_GONE, Transport } from './transport.ts';

/** The vector of configuration changes, and of everything when it is the only one. */
const CONFIG_ENTRY: u32 = 0;
/** The first queue's vector, or all queues'. */
const QUEUES_ENTRY: u32 = 1;

// ISR status (§4.1.4.5).
const ISR_CONFIG: u32 = 1 << 1;

/** What an interrupt found, kept for the log when a driver asks for it. */
export class InterruptTrace {
  count: u64 = 0;
  wanted: bool = false;
  vector: u32 = 0;
  status: u32 = 0;
  cpu: u32 = 0;
}

export class DeviceInterrupts extends LineUser {
  readonly trace: InterruptTrace = new InterruptTrace();
  configChanges: u32 = 0;
  /** Is signalled by each. */
  configEvent: Event | null = null;
  readonly queues: Array<Virtqueue> = [];
  /** How many queues there will be. */
  private queueCount: u32 = 0;
  /** Vectors of the device that are used, 0: the line. */
  private vectors: u32 = 0;
  private line: IrqLine | null = null;
  /** Who handles them, and the CPUs' vectors that they have. */
  private readonly handlers: Array<InterruptHandler> = [];
  private readonly taken: Array<u32> = [];
  /** What the queues had used, all together, at the last interrupt by the line. */
  private usedBefore: u32 = 0;

  constructor(private readonly transport: Transport) {
    super();
  }

  /** Chooses for queues 0 … queueCount - 1; false (after a line of the log) if the device cannot interrupt. */
  connect(queueCount: u32): bool {
    this.queueCount = queueCount;
    if (this.accepts(queueCount + 1)) {
      this.route(CONFIG_ENTRY, new ConfigInterrupt(this), 0);
    } else if (this.accepts(QUEUES_ENTRY + 1)) {
      this.route(CONFIG_ENTRY, new ConfigInterrupt(this), 0);
      this.route(QUEUES_ENTRY, new QueuesInterrupt(this), 0);
    } else if (this.accepts(CONFIG_ENTRY + 1)) {
      this.route(CONFIG_ENTRY, new SingleInterrupt(this), 0);
    } else {
      this.vectors = 0;
      this.line = this.transport.useLine(this);
      return this.line !== null;
    }
    return true;
  }

  /** The queue that has been made for `queue.index`: from now on it gets its interrupts, on the CPU of that number. */
  add(queue: Virtqueue): void {
    this.queues.push(queue);
    queue.activity = this.activity;
    if (this.separate) this.route(this.queueEntry(queue.index), new QueueInterrupt(this, queue), queue.index);
  }

  /** The device interrupts no more, and has no queues. False: it may still reach memory. */
  close(): bool {
    const quiet = this.transport.close();
    const line = this.line;
    if (line !== null) line.remove(this);
    for (let i = 0; i < this.taken.length; i++) freeVector(this.taken[i], this.handlers[i]);
    return quiet;
  }

  /** A queue that was reset has lost its vector; false if the device refuses it now. */
  renew(queue: Virtqueue): bool {
    return this.vectors === 0 || this.transport.setQueueVector(queue.index, this.queueEntry(queue.index));
  }

  /** In an interrupt handler. */
  note(vector: u32): void {
    const trace = this.trace;
    trace.count++;
    // Not needed with MSI-X, where the vector tells the source (§4.1.5.3), and slow: only for the log.
    if (trace.wanted) this.remember(vector, this.transport.interruptStatus());
  }

  /** In an interrupt handler. */
  collect(): void {
    for (let i = 0; i < this.queues.length; i++) collectFrom(this.queues[i]);
  }

  /** The only vector's interrupt: §4.1.4.5.1, for a change of the configuration the status has its bit even with MSI-X. */
  collectAny(vector: u32): void {
    const status = this.transport.interruptStatus();
    this.trace.count++;
    this.remember(vector, status);
    if (status & ISR_CONFIG) this.configChanged();
    this.collect();
  }

  /** The line's interrupt. A device that asks for it over and over, and for nothing, is as good as one that has not asked. */
  serve(vector: u32): bool {
    const status = this.transport.interruptStatus();
    if (status === 0 || status === ISR_GONE) return false;
    this.trace.count++;
    this.remember(vector, status);
    if (status & ISR_CONFIG) this.configChanged();
    this.collect();
    let used: u32 = 0; // all together, as far as it has been seen
    for (let i = 0; i < this.queues.length; i++) used += this.queues[i].usedCount;
    const news = used !== this.usedBefore;
    this.usedBefore = used;
    return news;
  }

  /** In an interrupt handler. */
  configChanged(): void {
    this.configChanges++;
    const event = this.configEvent;
    if (event !== null) event.signal();
  }

  describe(to: Line): void {
    const line = this.line;
    if (line !== null) line.describe(to.text(', line '));
    else to.decimal(', vectors ', this.vectors);
    to.decimal(', interrupts ', this.trace.count).decimal(', configuration changes ', this.configChanges);
  }

  /** Each queue has a vector of its own. */
  private get separate(): bool {
    return this.vectors > this.queueCount;
  }

  private queueEntry(queue: u32): u32 {
    if (this.separate) return QUEUES_ENTRY + queue;
    return this.vectors - 1;
  }

  /** Has the device use `vectors` of its vectors; false if it has fewer, or refuses one. */
  private accepts(vectors: u32): bool {
    if (vectors > this.transport.vectorCount()) return false;
    // A vector that other devices share too shall be the device's only one: its ISR status tells what it is about.
    if (vectors > 1 && vectors > freeCount()) return false;
    this.vectors = vectors;
    let good = this.transport.setConfigVector(CONFIG_ENTRY);
    for (let i: u32 = 0; i < this.queueCount && good; i++)
      good = this.transport.setQueueVector(i, this.queueEntry(i));
    return good;
  }

  private remember(vector: u32, status: u32): void {
    this.trace.vector = vector;
    this.trace.status = status;
    this.trace.cpu = x86.cpu();
  }

  private route(entry: u32, handler: InterruptHandler, cpu: u32): void {
    handler.name = this.transport.name;
    handler.activity = this.activity;
    const vector = shareVector(handler);
    this.handlers.push(handler);
    this.taken.push(vector);
    this.transport.routeVector(entry, vector, apicIdOf(cpu));
  }
}

function collectFrom(queue: Virtqueue): void {
  queue.lock.acquire();
  const more = queue.collectPortion();
  queue.lock.release();
  if (more) schedule(queue);
}

class ConfigInterrupt extends InterruptHandler {
  constructor(private readonly device: DeviceInterrupts) {
    super();
  }

  interrupt(_vector: u32): void {
    this.device.configChanged();
  }
}

class QueueInterrupt extends InterruptHandler {
  constructor(
    private readonly device: DeviceInterrupts,
    private readonly queue: Virtqueue,
  ) {
    super();
  }

  interrupt(vector: u32): void {
    this.device.note(vector);
    collectFrom(this.queue);
  }
}

class QueuesInterrupt extends InterruptHandler {
  constructor(private readonly device: DeviceInterrupts) {
    super();
  }

  interrupt(vector: u32): void {
    this.device.note(vector);
    this.device.collect();
  }
}

class SingleInterrupt extends InterruptHandler {
  constructor(private readonly device: DeviceInterrupts) {
    super();
  }

  interrupt(vector: u32): void {
    this.device.collectAny(vector);
  }
}
