// The virtio network device (virtio 1.2 §5.1): one pair of queues, no offloads. Interrupt handlers keep what came back; a
// thread puts frames together, has them handled, and sends the answers.

import { log } from '../lib/log.ts';
import { isWorthALine } from '../lib/rarely.ts';
import { PAGE } from '../mm/layout.ts';
import { free } from '../mm/objects.ts';
import { FrameUser } from '../net/frames.ts';
import { Statistics } from '../net/statistics.ts';
import * as activity from '../sched/activity.ts';
import { Event } from '../sched/event.ts';
import { Mutex } from '../sched/mutex.ts';
import * as scheduler from '../sched/scheduler.ts';
import { NEVER, Program } from '../sched/thread.ts';
import { Completions } from '../virtio/completions.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { Attachment, refuse, VirtioDriver } from '../virtio/driver.ts';
import { FreeBuffers } from '../virtio/free-buffers.ts';
import { Nic, nics } from './nic.ts';
import { NetConfig, UNDERSTOOD } from './virtio-net-config.ts';
import { BUFFERS_MAX, DROPPED, MEMORY_BYTES, NONE, Receiver } from './virtio-net-receive.ts';
import { BUFFER_BYTES, BUFFERS, Transmitter } from './virtio-net-transmit.ts';

const DEVICE_ID: u32 = 1; // §5.1.1
const RECEIVE_QUEUE: u32 = 0; // §5.1.2
const TRANSMIT_QUEUE: u32 = 1;
const QUEUES: u32 = 2;

// The header before each frame (§5.1.6): old devices have one field less, but with MRG_RXBUF.
const HEADER_BYTES: u32 = 12;
const SHORT_HEADER_BYTES: u32 = 10;

/** Frames that are handled before the device is told, and others may have the CPU. */
const BATCH: u32 = 32;

class VirtioNic extends Nic {
  private readonly frame: u32;
  /** Of who starts and stops the thread. */
  private readonly mutex: Mutex = new Mutex();
  /** The thread is gone. */
  readonly ended: Event = new Event();
  private user: FrameUser | null = null;
  private linkUp: bool = false;
  private linkChanges: u32 = 0;
  /** Bytes of the frame that is being handled; 0: none is. */
  private handled: u32 = 0;
  /** Batches without a good frame. */
  private badBatches: u32 = 0;
  private stopping: bool = false;

  constructor(
    private readonly device: VirtioDevice,
    private readonly config: NetConfig,
    private readonly receiver: Receiver,
    private readonly transmitter: Transmitter,
    /** Something is to be done. */
    private readonly attention: Event,
    statistics: Statistics,
  ) {
    super(device.name, config.mac, statistics);
    this.frame = device.allocate(PAGE);
  }

  start(user: FrameUser, cpu: u32): bool {
    this.mutex.acquire();
    const before = activity.begin(this);
    const good = !this.device.removed && this.launch(user, cpu);
    activity.end(before);
    this.mutex.release();
    return good;
  }

  stop(): void {
    this.mutex.acquire();
    this.stopping = true;
    this.attention.signal();
    if (this.user !== null) this.ended.wait(NEVER);
    this.mutex.release();
  }

  detach(): void {
    nics.remove(this);
    this.stop();
  }

  private launch(user: FrameUser, cpu: u32): bool {
    this.linkUp = this.config.isLinkUp();
    this.receiver.fill();
    this.user = user;
    if (this.linkUp) this.greet();
    if (scheduler.create('net', new NetProgram(this), cpu) !== null) return true;
    this.user = null;
    return false;
  }

  describe(): void {
    const line = log(this.name);
    if (this.handled > 0) line.decimal('handling a frame of ', this.handled).text(' bytes, ');
    line.decimal('received ', this.statistics.received).decimal(' frames, sent ', this.statistics.sent).end();
    this.device.describe();
  }

  /** The thread's. */
  serve(): void {
    activity.begin(this);
    while (!this.stopping && !this.hasFailed()) {
      this.attention.wait(NEVER);
      this.attention.reset(); // before a look at what has happened
      this.lookAtLink();
      // After the last one too: on a busy network the next frame is always there.
      do scheduler.yieldCpu();
      while (this.handleBatch() && !this.stopping);
    }
    this.transmitter.drain();
  }

  /** Whether there may be more. */
  private handleBatch(): bool {
    let handled: u32 = 0;
    let good: u32 = 0;
    for (; handled < BATCH; handled++) {
      const bytes = this.receiver.next(this.frame);
      if (bytes === NONE) break;
      if (bytes === DROPPED) continue;
      good++;
      this.handled = bytes;
      const answer = this.user!.received(this.frame, bytes);
      if (answer > 0) this.transmitter.send(this.frame, answer);
    }
    this.handled = 0;
    this.receiver.kick();
    this.transmitter.kick();
    if (handled === BATCH && good === 0 && isWorthALine(++this.badBatches))
      log(this.name).decimal('bad frames in a row: ', BATCH).decimal(', times ', this.badBatches).end();
    return handled === BATCH;
  }

  private lookAtLink(): void {
    const up = this.config.isLinkUp();
    if (up === this.linkUp) return;
    this.linkUp = up;
    const count = ++this.linkChanges;
    if (isWorthALine(count))
      log(this.name)
        .text(up ? 'link up' : 'link down')
        .decimal(', changes ', count)
        .end();
    if (up) this.greet();
  }

  private greet(): void {
    const bytes = this.user!.greeting(this.frame);
    if (bytes > 0) this.transmitter.send(this.frame, bytes);
    this.transmitter.kick();
  }

  private hasFailed(): bool {
    const receiving = this.receiver.reportFault(this.name);
    const transmitting = this.transmitter.reportFault(this.name);
    if (!receiving && !transmitting) return false;
    this.device.dump();
    this.user!.failed();
    return true;
  }
}

class NetProgram extends Program {
  constructor(private readonly nic: VirtioNic) {
    super();
  }

  run(): void {
    this.nic.serve();
  }

  gone(): void {
    this.nic.ended.signal();
    free(this);
  }
}

export class VirtioNetDriver extends VirtioDriver {
  constructor() {
    super('virtio-net', DEVICE_ID);
  }

  attach(device: VirtioDevice): Attachment | null {
    if (!device.negotiate(UNDERSTOOD) || !device.connectInterrupts(QUEUES)) return null;
    const config = new NetConfig(device);
    const problem = config.read();
    if (problem.length > 0) return refuse(device, problem);
    const attention = new Event();
    const completions = new Completions(BUFFERS_MAX, attention);
    const free = new FreeBuffers(BUFFERS, attention);
    const receive = device.createQueue(RECEIVE_QUEUE, completions);
    if (receive === null) return null;
    const transmit = device.createQueue(TRANSMIT_QUEUE, free);
    if (transmit === null) return null;
    if (receive.chainMax < 2 || transmit.chainMax < 2) return refuse(device, 'has too small a queue');
    device.onConfigChange(attention);
    device.start();
    const line = log(device.name);
    config.describe(line);
    line.end();
    const headerBytes = device.legacy && !config.mergeable ? SHORT_HEADER_BYTES : HEADER_BYTES;
    const statistics = new Statistics();
    const buffers = device.allocate(MEMORY_BYTES);
    const receiver = new Receiver(receive, completions, config.mergeable, headerBytes, statistics, buffers);
    const header = device.allocate(headerBytes);
    const memory = device.allocate(BUFFERS * BUFFER_BYTES);
    const transmitter = new Transmitter(transmit, free, headerBytes, statistics, memory, header);
    const nic = new VirtioNic(device, config, receiver, transmitter, attention, statistics);
    nics.add(nic, device.name);
    return nic;
  }
}
