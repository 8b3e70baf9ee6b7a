// A virtio device as a driver sees it: brought up in the order of virtio 1.2 §3.1.1, then queues and configuration.
// Every step that a device can refuse or ignore is checked, and says what went wrong.

import { Window } from '../bus/window.ts';
import { Activity } from '../lib/activity.ts';
import { log } from '../lib/log.ts';
import * as frames from '../mm/frames.ts';
import { Event } from '../sched/event.ts';
import { Mutex } from '../sched/mutex.ts';
import * as clock from '../time/clock.ts';
import * as x86 from '../x86.ts';
import { has, QUEUE_RESETS, RING_PACKED, RING_RESET, SUPPORTED, VERSION_1 } from './features.ts';
import { DeviceInterrupts, InterruptTrace } from './interrupts.ts';
import { packedLayout, ringBytes, splitLayout } from './layout.ts';
import { PackedQueue } from './packed.ts';
import { QueueUser, Virtqueue } from './queue.ts';
import { SplitQueue } from './split.ts';
import * as transports from './transport.ts';
import { Transport } from './transport.ts';

const RESET_MS_MAX: u32 = 1000;
/** No device has all of them set: reads of what is not there are ones. */
const STATUS_BITS: u32 = 0xff;
/** A modern queue that is larger is made smaller; a legacy one's size is the device's affair. */
const QUEUE_SIZE_MAX: u32 = 256;
const LEGACY_QUEUE_SIZE_MAX: u32 = 32768; // §2.7; and of packed rings, §2.8

export class VirtioDevice extends Activity {
  /** What was offered, and what of that was accepted. */
  offered: u64 = 0;
  features: u64 = 0;
  /** It is gone, or about to be. */
  removed: bool = false;
  /** It is cut off and may use its queues all the same. */
  private holdsMemory: bool = false;
  private readonly interrupts: DeviceInterrupts;
  /** Queues are reset one at a time: their registers are those of the one that was selected last. */
  private readonly restarting: Mutex = new Mutex();
  /** Memory for the driver's work, address and bytes in turn. */
  private readonly memory: Array<u32> = [];

  constructor(
    /** Driver and function, for the log: `virtio-blk 0000:00:04.0`. */
    public readonly name: string,
    private readonly transport: Transport,
  ) {
    super();
    this.interrupts = new DeviceInterrupts(transport);
    this.interrupts.activity = this;
  }

  get trace(): InterruptTrace {
    return this.interrupts.trace;
  }

  get configChanges(): u32 {
    return this.interrupts.configChanges;
  }

  get legacy(): bool {
    return this.transport.legacy;
  }

  has(feature: u32): bool {
    return has(this.features, feature);
  }

  /** Steps 1 to 6: reset, and agreement on features, of which the driver understands `understood`. */
  negotiate(understood: u64): bool {
    if (!this.reset()) return false;
    this.addStatus(transports.STATUS_ACKNOWLEDGE);
    this.addStatus(transports.STATUS_DRIVER);
    this.offered = this.transport.deviceFeatures();
    const resets: u64 = this.transport.resetsQueues ? QUEUE_RESETS : 0;
    this.features = this.offered & (understood | SUPPORTED | resets);
    if (this.legacy) {
      // §3.1.2: a legacy device is not asked whether it agrees.
      this.transport.setDriverFeatures(this.features);
      return true;
    }
    if (!this.has(VERSION_1)) return this.fail('is modern but does not offer VERSION_1');
    this.transport.setDriverFeatures(this.features);
    this.addStatus(transports.STATUS_FEATURES_OK);
    if (this.transport.status() & transports.STATUS_FEATURES_OK) return true;
    log(this.name).hex('offered ', this.offered, 16).hex(', accepted ', this.features, 16).end();
    return this.fail('refuses these features (FEATURES_OK)');
  }

  /** Part of step 7, before the queues: how the configuration and queues 0 … queueCount - 1 interrupt. */
  connectInterrupts(queueCount: u32): bool {
    return this.interrupts.connect(queueCount) || this.fail('has no way to interrupt');
  }

  /** Part of step 7: sets up queue `index`; null after a line that says why not. */
  createQueue(index: u32, user: QueueUser): Virtqueue | null {
    const most = this.transport.queueSizeMax(index);
    if (most === 0) return this.noQueue('has no queue ', index);
    const packed = this.has(RING_PACKED);
    // §2.7: a split ring's size is a power of two; §2.8.10.1: a packed one's need not be.
    if ((!packed && most & (most - 1)) || most > LEGACY_QUEUE_SIZE_MAX)
      return this.noQueue('gives a bad size for queue ', index);
    const doorbell = this.transport.doorbell(index);
    if (doorbell === null) return this.noQueue('has no doorbell for queue ', index);
    const size = this.legacy ? most : min(most, QUEUE_SIZE_MAX);
    if (!frames.affords(ringBytes(size))) return this.noQueue('asks for too much memory for queue ', index);
    const queue: Virtqueue = packed
      ? new PackedQueue(index, packedLayout(size), doorbell, user, this.features)
      : new SplitQueue(index, splitLayout(size), doorbell, user, this.features);
    queue.name = this.name;
    this.interrupts.add(queue);
    this.transport.setQueue(index, queue.ring);
    return queue;
  }

  /** Frames for the driver, contiguous, until the device is released. */
  allocate(bytes: u32): u32 {
    const address = frames.allocate(bytes);
    this.memory.push(address);
    this.memory.push(bytes);
    return address;
  }

  /** Ends all that is in flight, where the device still answers and where it does not; users of its queues fail. */
  cutOff(): void {
    this.end(this.isGone || this.reset());
  }

  /** As cutOff(), for a device that could not be brought up, which is told so (§2.1). */
  giveUp(): void {
    let quiet = this.interrupts.queues.length === 0 || this.isGone;
    if (!quiet && this.reset()) {
      this.addStatus(transports.STATUS_FAILED);
      quiet = true;
    }
    this.end(quiet);
  }

  /** `quiet`: it uses no queue any more (§4.1.4.3.1). */
  private end(quiet: bool): void {
    this.removed = true;
    this.holdsMemory = !this.interrupts.close() && !quiet;
    const queues = this.interrupts.queues;
    for (let i = 0; i < queues.length; i++) queues[i].cutOff();
    const event = this.interrupts.configEvent;
    if (event !== null) event.signal();
  }

  /** Gives back all memory, when it is cut off and nobody uses it. */
  release(): void {
    if (this.holdsMemory) {
      log(this.name).text('has not let go of its memory, which nobody will use again').end();
      return;
    }
    const queues = this.interrupts.queues;
    for (let i = 0; i < queues.length; i++) queues[i].release();
    for (let i = 0; i < this.memory.length; i += 2) frames.free(this.memory[i], this.memory[i + 1]);
  }

  /** Nothing answers at its registers. */
  get isGone(): bool {
    return (this.transport.status() & STATUS_BITS) === STATUS_BITS;
  }

  /** Has `event` signalled whenever the device says that its configuration has changed (§2.5). */
  onConfigChange(event: Event): void {
    this.interrupts.configEvent = event;
  }

  /** Whether restartQueue() may help. */
  get restartsQueues(): bool {
    if (this.removed) return false;
    return this.has(RING_RESET) && !(this.transport.status() & transports.STATUS_NEEDS_RESET);
  }

  /**
   * §2.6.1: takes a queue back from the device, with all that is in flight, and sets it up anew. False (after a line): the
   * device may still use the queue's memory, and all buffers that were given to it.
   */
  restartQueue(queue: Virtqueue): bool {
    this.restarting.acquire();
    const good = this.restart(queue);
    this.restarting.release();
    return good;
  }

  private restart(queue: Virtqueue): bool {
    const index = queue.index;
    this.transport.resetQueue(index);
    const deadline = clock.after(RESET_MS_MAX);
    while (!this.transport.isReset(index)) {
      if (clock.now() > deadline) {
        log(this.name)
          .decimal('does not reset queue ', index)
          .decimal(' in ', RESET_MS_MAX)
          .text(' ms')
          .end();
        return false;
      }
      x86.pause();
    }
    const flags = queue.lock.acquireIrq();
    queue.reset();
    queue.lock.releaseIrq(flags);
    if (!this.interrupts.renew(queue)) {
      log(this.name).decimal('refuses the interrupt vector of queue ', index).text(' after its reset').end();
      return false;
    }
    this.transport.setQueue(index, queue.ring);
    return true;
  }

  /** Step 8. */
  start(): void {
    this.addStatus(transports.STATUS_DRIVER_OK);
  }

  config(): Window | null {
    return this.transport.config();
  }

  configGeneration(): u32 {
    return this.transport.configGeneration();
  }

  /** Logs why the device cannot be used and tells the device (§2.1); always false. */
  fail(why: string): bool {
    log(this.name).text(why).end();
    this.addStatus(transports.STATUS_FAILED);
    return false;
  }

  /** Logs the device's state and that of all its queues. */
  describe(): void {
    const queues = this.interrupts.queues;
    for (let i = 0; i < queues.length; i++) queues[i].dump(this.name);
    this.dump();
  }

  /** Logs the device's state: for waits that took too long. */
  dump(): void {
    if (this.removed) return;
    const status = this.transport.status();
    const line = log(this.name).hex('device status ', status, 2);
    if (status & transports.STATUS_NEEDS_RESET) line.text(' (needs reset)');
    this.interrupts.describe(line.hex(', ISR status ', this.transport.interruptStatus(), 2));
    line.end();
  }

  /** Step 1. §4.1.4.3.1: the reset is done when the status reads as 0. */
  private reset(): bool {
    this.transport.setStatus(0);
    const deadline = clock.after(RESET_MS_MAX);
    while (this.transport.status() !== 0) {
      if (clock.now() > deadline) {
        log(this.name)
          .hex('does not reset: status still ', this.transport.status(), 2)
          .decimal(' after ', RESET_MS_MAX)
          .text(' ms')
          .end();
        return false;
      }
      x86.pause();
    }
    return true;
  }

  private addStatus(bit: u32): void {
    this.transport.setStatus(this.transport.status() | bit);
  }

  private noQueue(why: string, index: u32): Virtqueue | null {
    log(this.name).decimal(why, index).end();
    this.addStatus(transports.STATUS_FAILED);
    return null;
  }
}
