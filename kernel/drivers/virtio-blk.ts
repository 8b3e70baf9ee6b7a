// The virtio block device (virtio 1.2 §5.2): its request queues, of which each CPU uses its own, and what can be asked of
// it as a disk. A request is a chain (§5.2.6): a header that the device reads, data, and a status byte that it writes.

import { Activity } from '../lib/activity.ts';
import { number, value } from '../lib/cmdline.ts';
import { Line } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import { isWorthALine } from '../lib/rarely.ts';
import { begin, end } from '../sched/activity.ts';
import { onlineCount } from '../sched/cpu.ts';
import { Mutex } from '../sched/mutex.ts';
import { VirtioDevice } from '../virtio/device.ts';
import { Attachment, refuse as refuseDevice, VirtioDriver } from '../virtio/driver.ts';
import * as x86 from '../x86.ts';
import { Disk, disks, SECTOR_BYTES, Stream, Transfer } from './disk.ts';
import {
  BlockConfig,
  DISCARD,
  FLUSH,
  REQUEST_BYTES_MAX,
  UNDERSTOOD,
  WRITE_ZEROES,
} from './virtio-blk-config.ts';
import { BlockQueue, REQUESTS } from './virtio-blk-queue.ts';
import {
  appendSectors,
  Completions,
  EXTRA_SEGMENTS,
  REQUEST_STRIDE,
  Request,
  TYPE_DISCARD,
  TYPE_FLUSH,
  TYPE_GET_ID,
  TYPE_WRITE_ZEROES,
} from './virtio-blk-request.ts';

const DEVICE_ID: u32 = 2; // §5.2.1
const QUEUES_MAX: u32 = x86.CPUS;

const WAIT_MS: u32 = 5000;
const WAIT_MS_MAX: u32 = 3_600_000;

/** struct virtio_blk_discard_write_zeroes: sector u64, num_sectors u32, flags u32. */
const RANGE_BYTES: u32 = 16;
const RANGE_COUNT: u32 = 8;
const RANGE_FLAGS: u32 = 12;
const ID_BYTES: u32 = 20; // §5.2.6

/** What was asked for, in a refusal. */
const READ: string = 'read ';
const WRITE: string = 'write ';

class VirtioDisk extends Disk {
  /** Guards the bounce buffer. */
  private readonly bounceMutex: Mutex = new Mutex();
  /** What the thread that has it was at before. */
  private outer: Activity | null = null;
  /** Configuration changes that have been looked at; and how often the size was another. */
  private changesSeen: u32 = 0;
  private sizes: u32 = 0;

  constructor(
    private readonly device: VirtioDevice,
    private readonly config: BlockConfig,
    private readonly queues: StaticArray<BlockQueue>,
    /** Room for whole blocks where a block is more than a sector, and for a command's data. */
    private readonly bounce: u32,
  ) {
    super(device.name, config.blockBytes / SECTOR_BYTES);
  }

  get readOnly(): bool {
    return this.config.readOnly;
  }

  get sectors(): u64 {
    if (this.device.configChanges !== this.changesSeen && !this.device.removed) this.readAgain();
    return this.config.capacity;
  }

  describe(): void {
    this.device.describe();
  }

  setTrace(on: bool): void {
    this.device.trace.wanted = on;
  }

  kicks(): u64 {
    let kicks: u64 = 0;
    for (let i = 0; i < this.queues.length; i++) kicks += this.queues[i].queue.kicks;
    return kicks;
  }

  interrupts(): u64 {
    return this.device.trace.count;
  }

  // What fails stays in charge: the panic that follows tells about it.

  read(sector: u64, count: u32, buffer: u32): bool {
    return this.move(false, sector, count, buffer);
  }

  write(sector: u64, count: u32, buffer: u32): bool {
    return this.move(true, sector, count, buffer);
  }

  transfer(list: StaticArray<Transfer>, count: u32): bool {
    const own = this.own();
    for (let i: u32 = 0; i < count; i++) if (!this.admitsRequest(own, list[i])) return false;
    return this.take(own) && this.give(own, own.transfer(list, count));
  }

  run(stream: Stream, depth: u32, poll: bool): bool {
    const own = this.own();
    return this.take(own) && this.give(own, own.run(stream, depth, poll));
  }

  detach(): void {
    disks.remove(this);
    this.bounceMutex.acquire();
    for (let i = 0; i < this.queues.length; i++) {
      this.queues[i].mutex.acquire();
      this.queues[i].lost = true;
      this.queues[i].mutex.release();
    }
    this.releaseBounce();
  }

  flush(): bool {
    // §5.2.6.2: without the feature there is nothing to flush.
    return !this.device.has(FLUSH) || this.command(TYPE_FLUSH, 0, false);
  }

  discard(sector: u64, count: u32): bool {
    return this.rangeCommand(DISCARD, TYPE_DISCARD, 'discard ', sector, count);
  }

  writeZeroes(sector: u64, count: u32): bool {
    return this.rangeCommand(WRITE_ZEROES, TYPE_WRITE_ZEROES, 'write zeroes to ', sector, count);
  }

  readId(into: u32): bool {
    if (!this.takeBounce()) return false;
    memory.fill(this.bounce, 0, ID_BYTES);
    const good = this.command(TYPE_GET_ID, ID_BYTES, true);
    memory.copy(into, this.bounce, ID_BYTES);
    this.releaseBounce();
    return good;
  }

  private rangeCommand(feature: u32, type: u32, verb: string, sector: u64, count: u32): bool {
    if (!this.device.has(feature))
      return refuse(this.cannot(verb, sector, count).text('the device does not know how'));
    if (!this.allows(true, verb, sector, count)) return false;
    const most = this.config.rangeMax(feature);
    if (count === 0 || count > most)
      return refuse(this.cannot(verb, sector, count).decimal('1 to ', most).text(' sectors at once'));
    if (!this.takeBounce()) return false;
    store<u64>(this.bounce, sector);
    store<u32>(this.bounce + RANGE_COUNT, count);
    store<u32>(this.bounce + RANGE_FLAGS, 0);
    const good = this.command(type, RANGE_BYTES, false);
    this.releaseBounce();
    return good;
  }

  /** False, after a line, if the device and the buffer are gone. */
  private takeBounce(): bool {
    this.acquireBounce();
    if (this.usable(this.own())) return true;
    this.releaseBounce();
    return false;
  }

  private acquireBounce(): void {
    this.bounceMutex.acquire();
    this.outer = begin(this);
  }

  private releaseBounce(): void {
    end(this.outer);
    this.bounceMutex.release();
  }

  /** With data in the bounce buffer. */
  private command(type: u32, bytes: u32, reads: bool): bool {
    const own = this.own();
    return this.take(own) && this.give(own, own.command(type, this.bounce, bytes, reads));
  }

  private move(write: bool, sector: u64, count: u32, buffer: u32): bool {
    const own = this.own();
    if (!this.admits(own, write, sector, count)) return false;
    if (this.wholeBlocks(sector, count))
      return this.take(own) && this.give(own, own.move(write, sector, count, buffer));
    this.acquireBounce();
    const good = this.take(own) && this.give(own, this.moveParts(own, write, sector, count, buffer));
    this.releaseBounce();
    return good;
  }

  /** The queue of this CPU, or one that it shares. */
  private own(): BlockQueue {
    return this.queues[x86.cpu() % this.queues.length];
  }

  /** False, after a line, if nothing can be asked of the queue any more. */
  private take(own: BlockQueue): bool {
    own.mutex.acquire();
    own.outer = begin(own);
    return this.usable(own) || this.give(own, false);
  }

  private give(own: BlockQueue, good: bool): bool {
    end(own.outer);
    own.mutex.release();
    return good;
  }

  /** Whether sectors can be transferred at all; else a line says why not. */
  private admits(own: BlockQueue, write: bool, sector: u64, count: u32): bool {
    const verb = write ? WRITE : READ;
    if (!this.allows(write, verb, sector, count)) return false;
    if (own.requestBytes > 0) return true;
    return refuse(this.cannot(verb, sector, count).text('a request cannot hold a block'));
  }

  /** Whether the disk has the sectors and, where they are changed, lets them be. */
  private allows(change: bool, verb: string, sector: u64, count: u32): bool {
    const capacity = this.sectors; // first: it may have a line of its own to log
    const end = sector + count;
    if (end < sector || end > capacity)
      return refuse(this.cannot(verb, sector, count).decimal('the capacity is ', capacity));
    if (!change || !this.config.readOnly) return true;
    return refuse(this.cannot(verb, sector, count).text('the device is read-only'));
  }

  /** Whether it can be a single request. */
  private admitsRequest(own: BlockQueue, what: Transfer): bool {
    if (!this.admits(own, what.write, what.sector, what.count)) return false;
    const whole = this.wholeBlocks(what.sector, what.count);
    if (whole && what.count > 0 && what.count <= own.requestBytes / SECTOR_BYTES) return true;
    const line = this.cannot(what.write ? WRITE : READ, what.sector, what.count);
    return refuse(line.decimal('a request is of whole blocks, up to ', own.requestBytes).text(' bytes'));
  }

  private wholeBlocks(sector: u64, count: u32): bool {
    return (((sector as u32) | count) & (this.blockSectors - 1)) === 0;
  }

  private cannot(verb: string, sector: u64, count: u32): Line {
    return appendSectors(log(this.name).text('cannot ').text(verb), sector, count).text(': ');
  }

  /** Whether the device has let go of all requests: it may still write to the memory of one that was given up. */
  private usable(own: BlockQueue): bool {
    if (!own.lost && !this.device.removed) return true;
    const why = this.device.removed ? 'it was removed' : 'it still owes an answer';
    return refuse(log(this.name).text('cannot be used: ').text(why));
  }

  /** Reads the blocks that hold the sectors, and copies them from there, or to there: a request is of whole blocks. */
  private moveParts(own: BlockQueue, write: bool, sector: u64, count: u32, buffer: u32): bool {
    const blockSectors = this.blockSectors;
    while (count > 0) {
      const skipped = (sector as u32) & (blockSectors - 1);
      const wanted = min(skipped + count, REQUEST_BYTES_MAX / SECTOR_BYTES);
      const whole = (wanted + blockSectors - 1) & ~(blockSectors - 1);
      if (!own.move(false, sector - skipped, whole, this.bounce)) return false;
      const got = wanted - skipped;
      const part = this.bounce + skipped * SECTOR_BYTES;
      memory.copy(write ? part : buffer, write ? buffer : part, got * SECTOR_BYTES);
      if (write && !own.move(true, sector - skipped, whole, this.bounce)) return false;
      sector += got;
      buffer += got * SECTOR_BYTES;
      count -= got;
    }
    return true;
  }

  /** The device has changed its configuration. */
  private readAgain(): void {
    this.changesSeen = this.device.configChanges;
    const before = this.config.capacity;
    const problem = this.config.read();
    if (problem.length > 0) log(this.name).text(problem).end();
    else if (this.config.capacity !== before && isWorthALine(++this.sizes))
      log(this.name).decimal('has ', this.config.capacity).decimal(' sectors now, had ', before).end();
  }
}

function refuse(line: Line): bool {
  line.end();
  return false;
}

export class VirtioBlkDriver extends VirtioDriver {
  constructor() {
    super('virtio-blk', DEVICE_ID);
  }

  attach(device: VirtioDevice): Attachment | null {
    if (!device.negotiate(UNDERSTOOD)) return null;
    const config = new BlockConfig(device);
    const problem = config.read();
    if (problem.length > 0) return refuseDevice(device, problem);
    const queueCount = min(min(config.queueCount, onlineCount()), QUEUES_MAX);
    const queues = createQueues(device, config, queueCount);
    if (queues === null) return null;
    config.setCache(value('cache', ''));
    device.start();
    const line = log(device.name);
    config.describe(line);
    line.end();
    const disk = new VirtioDisk(device, config, queues, device.allocate(REQUEST_BYTES_MAX));
    disks.add(disk, device.name);
    return disk;
  }
}

/** Null after a line that says why not. */
function createQueues(device: VirtioDevice, config: BlockConfig, count: u32): StaticArray<BlockQueue> | null {
  if (!device.connectInterrupts(count)) return null;
  const waitMs = number('wait_ms', WAIT_MS, WAIT_MS_MAX);
  const queues = new StaticArray<BlockQueue>(count);
  for (let index: u32 = 0; index < count; index++) {
    const memory = device.allocate(REQUESTS * REQUEST_STRIDE);
    const requests = new StaticArray<Request>(REQUESTS);
    for (let i: u32 = 0; i < REQUESTS; i++) requests[i] = new Request(memory + i * REQUEST_STRIDE);
    const completions = new Completions(requests);
    const queue = device.createQueue(index, completions);
    if (queue === null) return null;
    if (queue.chainMax <= EXTRA_SEGMENTS) {
      device.fail('has too small a queue');
      return null;
    }
    queues[index] = new BlockQueue(device, config, queue, completions, waitMs);
  }
  return queues;
}
