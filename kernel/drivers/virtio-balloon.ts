// The virtio memory balloon (virtio 1.2 §5.5): the host asks for frames, which nobody here uses while it has them, and gives
// them back. A thread does the work, when the configuration's interrupt says that the host wants another number.

import { LONG, Register, Window } from '../bus/window.ts';
import { log } from '../lib/log.ts';
import { isWorthALine } from '../lib/rarely.ts';
import { NO_FRAME } from '../mm/buddy.ts';
import { FrameStack } from '../mm/frame-stack.ts';
import * as frames from '../mm/frames.ts';
import { MIB, PAGE } from '../mm/layout.ts';
import * as activity from '../sched/activity.ts';
import { nextCpu } from '../sched/cpu.ts';
import { Event } from '../sched/event.ts';
import * as scheduler from '../sched/scheduler.ts';
import { NEVER, Program } from '../sched/thread.ts';
import * as clock from '../time/clock.ts';
import { Completions } from '../virtio/completions.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { Attachment, refuse, VirtioDriver } from '../virtio/driver.ts';
import { Virtqueue } from '../virtio/queue.ts';
import { BalloonState, balloons } from './balloon.ts';
import { BalloonStatistics } from './virtio-balloon-statistics.ts';

const DEVICE_ID: u32 = 5; // §5.5.1
// §5.5.2.
const INFLATE_QUEUE: u32 = 0;
const DEFLATE_QUEUE: u32 = 1;
const STATISTICS_QUEUE: u32 = 2;

// Feature bits (§5.5.3). Frames are taken back only when the device knows: MUST_TELL_HOST is kept without being asked for.
const MUST_TELL_HOST: u32 = 0;
const STATS_VQ: u32 = 1;
const UNDERSTOOD: u64 = (1 << MUST_TELL_HOST) | (1 << STATS_VQ);

// struct virtio_balloon_config (§5.5.4).
const TARGET: Register = LONG | 0; // num_pages
const ACTUAL: Register = LONG | 4;

/** Frames in a request. */
const BATCH: u32 = 256;
const WAIT_MS: u32 = 5000;
/** The kernel keeps so much, whatever the host wants. */
const RESERVE_BYTES: u64 = 4 * MIB;

/** A queue with one request at a time, of the thread's. */
class Channel {
  private readonly done: Event = new Event();
  readonly completions: Completions = new Completions(1, this.done);
  queue: Virtqueue | null = null;

  /** Tells the device the frames in `list`, and waits until it knows; false: it does not answer. */
  tell(list: u32, count: u32): bool {
    const queue = this.queue!;
    this.done.reset();
    if (!queue.give(list, count * 4, false, 0)) return false;
    return this.done.wait(clock.after(WAIT_MS)) && this.completions.next(queue);
  }
}

class Balloon extends Program {
  private readonly lent: FrameStack = new FrameStack();
  /** The thread is gone. */
  readonly ended: Event = new Event();
  /** Numbers of the frames of a request. */
  private readonly list: u32;

  constructor(
    private readonly device: VirtioDevice,
    private readonly state: BalloonState,
    private readonly window: Window,
    private readonly inflation: Channel,
    private readonly deflation: Channel,
    private readonly statistics: BalloonStatistics | null,
    private readonly attention: Event,
  ) {
    super();
    this.list = device.allocate(BATCH * 4);
  }

  run(): void {
    activity.begin(this.state);
    let settled: u32 = 0;
    while (!this.state.failed && !this.device.removed) {
      const target = this.window.read(TARGET);
      this.state.wanted = target;
      if (target !== settled) this.moveTo(target);
      settled = target;
      const statistics = this.statistics;
      if (statistics !== null) statistics.serve();
      if (this.state.failed) break;
      this.attention.wait(NEVER);
      this.attention.reset(); // before a look at what has happened
      scheduler.yieldCpu(); // a host may always have another wish
    }
    if (this.device.removed) this.takeBack();
    this.state.settled.signal();
  }

  gone(): void {
    this.ended.signal();
  }

  /** A device that is gone has no memory. */
  private takeBack(): void {
    this.state.failed = true;
    while (this.lent.count > 0) frames.free((this.lent.pop() as u64) * PAGE, PAGE);
    this.state.pages = 0;
  }

  /** As far as there are frames. A host that changes its mind meanwhile is heard afterwards. */
  private moveTo(target: u32): void {
    let going: bool = true;
    while (going) {
      const count = this.lent.count;
      if (count < target) going = this.inflate(min(target - count, BATCH));
      else if (count > target) going = this.deflate(min(count - target, BATCH));
      else going = false;
      this.state.pages = this.lent.count;
      if (this.lent.count !== count) this.window.write(ACTUAL, this.lent.count);
    }
    if (this.state.failed) return;
    if (isWorthALine(++this.state.changes))
      log(this.device.name)
        .decimal('the host has ', this.lent.count)
        .decimal(' pages of ', target)
        .decimal(' that it wants, free are ', frames.freeBytes() / PAGE)
        .end();
    this.state.settled.signal();
  }

  /** False: there are no more. */
  private inflate(count: u32): bool {
    let taken: u32 = 0;
    let run = count; // in a row if there are so many, which is much quicker, else one by one
    while (taken < count) {
      const frame = takeFrames(run);
      if (frame === NO_FRAME && run === 1) break;
      if (frame === NO_FRAME) run = 1;
      else if (this.keep(frame, run, taken)) taken += run;
      else break;
    }
    if (taken === 0) return false;
    return this.inflation.tell(this.list, taken) || this.fail('inflate', this.inflation);
  }

  /** Puts `count` frames down, in the request from `at` on too; false: there is no memory for that, and they are free again. */
  private keep(first: u32, count: u32, at: u32): bool {
    for (let i: u32 = 0; i < count; i++) {
      if (!this.lent.push(first + i)) {
        for (; i > 0; i--) this.lent.pop();
        frames.free((first as u64) * PAGE, count * PAGE);
        return false;
      }
      store<u32>(this.list + (at + i) * 4, first + i);
    }
    return true;
  }

  private deflate(count: u32): bool {
    for (let i: u32 = 0; i < count; i++) store<u32>(this.list + i * 4, this.lent.pop());
    if (!this.deflation.tell(this.list, count)) return this.fail('deflate', this.deflation);
    for (let i: u32 = 0; i < count; i++) frames.free((load<u32>(this.list + i * 4) as u64) * PAGE, PAGE);
    return true;
  }

  /** What the host may have stays as it is: nobody uses it. */
  private fail(what: string, channel: Channel): bool {
    this.state.failed = true;
    if (!channel.queue!.reportFault(this.device.name)) {
      log(this.device.name).text('does not answer to ').text(what).decimal(' in ', WAIT_MS).text(' ms').end();
    }
    this.device.describe();
    return false;
  }
}

/** The first of `count` frames in a row. What nobody here can reach comes first; NO_FRAME: there are none to spare. */
function takeFrames(count: u32): u32 {
  const bytes = count * PAGE;
  if (frames.freeBytes() < RESERVE_BYTES + bytes) return NO_FRAME;
  const high = frames.allocateHigh(bytes);
  if (high !== 0) return (high / PAGE) as u32;
  const low = frames.tryAllocate(bytes);
  return low === 0 ? NO_FRAME : low / PAGE;
}

class VirtioBalloon extends BalloonState {
  /** Null: there is none yet. */
  balloon: Balloon | null = null;

  constructor(private readonly device: VirtioDevice) {
    super();
  }

  describe(): void {
    log(this.device.name)
      .decimal('the host has ', this.pages)
      .decimal(' pages, and wants ', this.wanted)
      .end();
    this.device.describe();
  }

  detach(): void {
    balloons.remove(this);
    this.balloon!.ended.wait(NEVER);
  }
}

export class VirtioBalloonDriver extends VirtioDriver {
  constructor() {
    super('virtio-balloon', DEVICE_ID);
  }

  attach(device: VirtioDevice): Attachment | null {
    if (!device.negotiate(UNDERSTOOD)) return null;
    const hasStatistics = device.has(STATS_VQ);
    if (!device.connectInterrupts(hasStatistics ? STATISTICS_QUEUE + 1 : STATISTICS_QUEUE)) return null;
    const window = device.config();
    if (window === null || !window.has(ACTUAL))
      return refuse(device, 'has no configuration, or too short a one');
    const inflation = open(device, INFLATE_QUEUE);
    const deflation = open(device, DEFLATE_QUEUE);
    if (inflation === null || deflation === null) return null;
    const attention = new Event();
    let statistics: BalloonStatistics | null = null;
    if (hasStatistics) {
      const completions = new Completions(1, attention);
      const queue = device.createQueue(STATISTICS_QUEUE, completions);
      if (queue === null) return null;
      statistics = new BalloonStatistics(queue, completions, device.allocate(PAGE));
    }
    device.onConfigChange(attention);
    device.start();
    if (statistics !== null) statistics.give();
    log(device.name)
      .text(device.legacy ? 'legacy' : 'modern')
      .text(statistics !== null ? ', statistics' : '')
      .decimal(', wants ', window.read(TARGET))
      .text(' pages')
      .end();
    const state = new VirtioBalloon(device);
    const balloon = new Balloon(device, state, window, inflation, deflation, statistics, attention);
    state.balloon = balloon;
    if (scheduler.create('balloon', balloon, nextCpu()) === null) return null;
    balloons.add(state, device.name);
    return state;
  }
}

function open(device: VirtioDevice, index: u32): Channel | null {
  const channel = new Channel();
  channel.queue = device.createQueue(index, channel.completions);
  return channel.queue === null ? null : channel;
}
