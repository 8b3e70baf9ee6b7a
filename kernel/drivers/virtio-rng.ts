// The virtio entropy device (virtio 1.2 §5.4): fills a pool with random bytes, at first while the kernel goes on starting,
// later whenever the pool is empty. Each byte is given out once, and wiped.

import { log } from '../lib/log.ts';
import { PAGE } from '../mm/layout.ts';
import * as activity from '../sched/activity.ts';
import { Event } from '../sched/event.ts';
import { Mutex } from '../sched/mutex.ts';
import * as clock from '../time/clock.ts';
import { Completions } from '../virtio/completions.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { Attachment, VirtioDriver } from '../virtio/driver.ts';
import { Virtqueue } from '../virtio/queue.ts';
import { EntropySource, entropySources } from './entropy.ts';

const DEVICE_ID: u32 = 4; // §5.4.1
const REQUEST_QUEUE: u32 = 0; // §5.4.2

const POOL_BYTES: u32 = 256;
const WAIT_MS: u32 = 5000;

class VirtioEntropy extends EntropySource {
  /** One thread at a time. */
  private readonly mutex: Mutex = new Mutex();
  /** Bytes of the pool that are still good end at `end`. */
  private at: u32 = 0;
  private end: u32 = 0;
  /** The device has the pool. */
  private inFlight: bool = false;

  constructor(
    private readonly device: VirtioDevice,
    private readonly queue: Virtqueue,
    private readonly completions: Completions,
    private readonly filled: Event,
    private readonly pool: u32,
  ) {
    super(device.name);
  }

  read(buffer: u32, bytes: u32): bool {
    this.mutex.acquire();
    const before = activity.begin(this);
    const good = this.fill(buffer, bytes);
    activity.end(before);
    this.mutex.release();
    return good;
  }

  detach(): void {
    entropySources.remove(this);
    this.mutex.acquire(); // who waits for bytes is out
    this.end = this.at;
    this.mutex.release();
  }

  describe(): void {
    log(this.name)
      .text(this.at === this.end ? 'waiting for random bytes' : 'giving out random bytes')
      .decimal(', left in the pool ', this.end - this.at)
      .end();
    this.device.describe();
  }

  private fill(buffer: u32, bytes: u32): bool {
    while (bytes > 0) {
      if (this.at === this.end && !this.refill()) return false;
      const part = min(bytes, this.end - this.at);
      memory.copy(buffer, this.pool + this.at, part);
      memory.fill(this.pool + this.at, 0, part);
      this.at += part;
      buffer += part;
      bytes -= part;
    }
    return true;
  }

  /** Asks for a pool of bytes; the device may give fewer. */
  request(): void {
    this.filled.reset();
    this.inFlight = this.queue.give(this.pool, POOL_BYTES, true, 0);
  }

  private refill(): bool {
    if (!this.inFlight) this.request();
    const answered = this.inFlight && this.filled.wait(clock.after(WAIT_MS));
    if (this.queue.reportFault(this.name)) return false;
    if (!answered || !this.completions.next(this.queue)) {
      log(this.name).decimal('no random bytes in ', WAIT_MS).text(' ms').end();
      this.device.describe();
      return false;
    }
    this.inFlight = false;
    this.at = 0;
    this.end = min(this.completions.written, POOL_BYTES);
    if (this.end > 0) return true;
    // §5.4.6.2: one or more bytes.
    log(this.name).text('answers without a single random byte').end();
    return false;
  }
}

export class VirtioRngDriver extends VirtioDriver {
  constructor() {
    super('virtio-rng', DEVICE_ID);
  }

  attach(device: VirtioDevice): Attachment | null {
    if (!device.negotiate(0) || !device.connectInterrupts(1)) return null;
    const filled = new Event();
    const completions = new Completions(1, filled);
    const queue = device.createQueue(REQUEST_QUEUE, completions);
    if (queue === null) return null;
    device.start();
    const source = new VirtioEntropy(device, queue, completions, filled, device.allocate(PAGE));
    source.request();
    log(device.name)
      .text('entropy, ')
      .text(device.legacy ? 'legacy' : 'modern')
      .decimal(', pool of ', POOL_BYTES)
      .text(' bytes')
      .end();
    entropySources.add(source, device.name);
    return source;
  }
}
