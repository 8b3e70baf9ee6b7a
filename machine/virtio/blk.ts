// The virtio block device (virtio 1.2 §5.2): every request of QEMU 7.2's hw/block/virtio-blk.c, its features and its
// configuration, over a disk in memory or in a file. Requests are served in order, each some time after its kick.

import { MachineError } from '../error.ts';
import { STATUS_DRIVER_OK, VirtioDevice, type VirtioOptions } from './device.ts';
import { type Disk, MemoryDisk, SECTOR_BYTES } from './disk.ts';
import { ANY_LAYOUT, bits, IN_ORDER, LEGACY_FEATURES } from './features.ts';
import {
  type Chain,
  cut,
  readSegments,
  type Segment,
  totalBytes,
  type Virtqueue,
  VirtqueueError,
  writeSegments,
} from './queue.ts';

// Feature bits (§5.2.3).
export const SIZE_MAX = 1;
export const SEG_MAX = 2;
export const GEOMETRY = 4;
export const RO = 5;
export const BLK_SIZE = 6;
export const SCSI = 7; // legacy
export const FLUSH = 9;
export const TOPOLOGY = 10;
export const CONFIG_WCE = 11;
export const MQ = 12;
export const DISCARD = 13;
export const WRITE_ZEROES = 14;

// Request types (§5.2.6). Bit 0 says that the driver writes; bit 31 is a legacy barrier.
export const T_IN = 0;
export const T_OUT = 1;
const T_SCSI = 2; // legacy
export const T_FLUSH = 4;
export const T_GET_ID = 8;
export const T_DISCARD = 11;
export const T_WRITE_ZEROES = 13;
const T_BARRIER = 0x8000_0000;

export const S_OK = 0;
export const S_IOERR = 1;
export const S_UNSUPP = 2;

const HEADER_BYTES = 16;
const ID_BYTES = 20;
const RANGE_BYTES = 16; // of discard and write-zeroes
const RANGE_UNMAP = 1;

// Ends of the configuration by what is offered, as QEMU sizes it.
const CONFIG_BYTES = 0x24;
const CONFIG_BYTES_DISCARD = 0x30;
const CONFIG_BYTES_WRITE_ZEROES = 0x39;
const WRITEBACK = 0x20;
/** BDRV_REQUEST_MAX_SECTORS. */
const RANGE_SECTORS_MAX = 0x3f_ffff;

const HEADS = 16;
const TRACK_SECTORS = 63;
const CYLINDERS_MAX = 16383;
const CYLINDERS_MIN = 2;

export interface VirtioBlkOptions extends VirtioOptions {
  /** Answer of GET_ID, up to 20 bytes. */
  serial?: string;
  /** QEMU's num-queues: 1, or one for each CPU. */
  queues?: number;
  blockSize?: number;
  physicalBlockSize?: number;
  /** seg_max follows the queue's size; false: it is 126 (QEMU's seg-max-adjust=off). */
  segMaxAdjust?: boolean;
  /** In place of what the queue's size says. */
  segMax?: number;
  /** size_max, and its feature with it; QEMU has none. */
  sizeMax?: number;
  /** VIRTIO_BLK_F_CONFIG_WCE. */
  configWce?: boolean;
  writeCache?: boolean;
  discard?: boolean;
  writeZeroes?: boolean;
  /** From a kick to the interrupt of a request, 20 µs by default; those of one kick follow each other. */
  latency_ns?: number;
}

/** A request as it came out of the ring. */
export interface BlkRequest {
  readonly queue: Virtqueue;
  readonly chain: Chain;
  readonly type: number;
  readonly sector: bigint;
  /** Data that the device reads or writes, without header and status. */
  readonly readable: Segment[];
  readonly writable: Segment[];
}

/** Requests that complete together; open: more may join. */
interface Group {
  requests: BlkRequest[];
  open: boolean;
}

const MERGED_MAX = 32;
// QEMU's limits.
const QUEUES_MAX = 1024;
const BLOCK_BYTES_MAX = 0x20_0000;
const LATENCY_NS = 20_000;

export class VirtioBlk extends VirtioDevice {
  readonly deviceId = 2;
  readonly classCode = 0x010000;
  readonly disk: Disk;
  /** Since the last reset, for tests. */
  requests: { type: number; sector: bigint; bytes: number; segments: number }[] = [];
  override readonly legacyFeatures = LEGACY_FEATURES | bits(SCSI);
  private readonly blk: VirtioBlkOptions;
  private writeback: boolean;
  private inFlight: Group[] = [];
  private epoch = 0;

  constructor(disk: Disk | Uint8Array, options: VirtioBlkOptions = {}) {
    checkOptions(disk, options);
    super(options.queues ?? 1, options);
    this.disk = disk instanceof Uint8Array ? new MemoryDisk(disk) : disk;
    this.blk = options;
    this.writeback = options.writeCache ?? true;
  }

  protected get typeFeatures(): bigint {
    const { blk } = this;
    let offered = bits(SEG_MAX, GEOMETRY, BLK_SIZE, TOPOLOGY);
    if (!this.modern) offered |= bits(SCSI);
    if (blk.configWce ?? true) offered |= bits(CONFIG_WCE);
    if (this.writeback || (blk.configWce ?? true)) offered |= bits(FLUSH);
    if (blk.discard ?? true) offered |= bits(DISCARD);
    if (blk.writeZeroes ?? true) offered |= bits(WRITE_ZEROES);
    if (this.queues.length > 1) offered |= bits(MQ);
    if (this.disk.readOnly) offered |= bits(RO);
    if (blk.sizeMax !== undefined) offered |= bits(SIZE_MAX);
    return offered;
  }

  /** As QEMU: a device without the modern interface wants its buffers laid out as they always were. */
  override get deviceFeatures(): bigint {
    const offered = super.deviceFeatures;
    return this.modern || this.options.features !== undefined ? offered : offered & ~bits(ANY_LAYOUT);
  }

  get sectors(): number {
    return Math.floor(this.disk.bytes / SECTOR_BYTES);
  }

  get blockSize(): number {
    return this.blk.blockSize ?? SECTOR_BYTES;
  }

  readConfig(): Uint8Array<ArrayBuffer> {
    const { blk, blockSize } = this;
    const view = new DataView(new ArrayBuffer(this.configBytes));
    const adjusted = (blk.segMaxAdjust ?? true) ? this.queues[0].sizeMax - 2 : 126;
    const cylinders = Math.floor(this.sectors / (HEADS * TRACK_SECTORS));
    const blockSectors = blockSize / SECTOR_BYTES;
    view.setBigUint64(0x00, BigInt(this.sectors), true);
    view.setUint32(0x08, blk.sizeMax ?? 0, true);
    view.setUint32(0x0c, blk.segMax ?? adjusted, true);
    view.setUint16(0x10, Math.min(Math.max(cylinders, CYLINDERS_MIN), CYLINDERS_MAX), true);
    view.setUint8(0x12, HEADS);
    view.setUint8(0x13, TRACK_SECTORS & ~(blockSectors - 1));
    view.setUint32(0x14, blockSize, true);
    view.setUint8(0x18, Math.log2((blk.physicalBlockSize ?? blockSize) / blockSize));
    view.setUint8(WRITEBACK, this.writeback ? 1 : 0);
    view.setUint16(0x22, this.queues.length, true);
    if (this.configBytes >= CONFIG_BYTES_DISCARD) {
      view.setUint32(0x24, RANGE_SECTORS_MAX, true);
      view.setUint32(0x28, 1, true);
      view.setUint32(0x2c, blockSectors, true);
    }
    if (this.configBytes >= CONFIG_BYTES_WRITE_ZEROES) {
      view.setUint32(0x30, RANGE_SECTORS_MAX, true);
      view.setUint32(0x34, 1, true);
      view.setUint8(0x38, 1);
    }
    return new Uint8Array(view.buffer);
  }

  /** Only the cache mode can be written (§5.2.5.1). */
  protected override writeConfig(config: Uint8Array): void {
    this.writeback = config[WRITEBACK] !== 0;
  }

  /** A driver that cannot choose the cache's mode has it by whether it flushes (§5.2.5.1). */
  override setStatus(value: number): void {
    super.setStatus(value);
    if (this.status & STATUS_DRIVER_OK && !this.has(CONFIG_WCE)) this.writeback = this.has(FLUSH);
  }

  /** The disk has another size now: what QEMU's block_resize tells the driver. */
  resized(): void {
    this.notifyConfig();
  }

  private get configBytes(): number {
    if (this.blk.writeZeroes ?? true) return CONFIG_BYTES_WRITE_ZEROES;
    return (this.blk.discard ?? true) ? CONFIG_BYTES_DISCARD : CONFIG_BYTES;
  }

  serve(queue: Virtqueue): void {
    const { ring } = queue;
    if (ring === undefined) return;
    try {
      do {
        ring.setNotification(false);
        for (let chain = this.take(queue); chain !== undefined; chain = this.take(queue)) {
          this.merge(this.parse(queue, chain));
        }
        ring.setNotification(true);
      } while (!this.broken && ring.available());
    } finally {
      ring.setNotification(true);
      const last = this.inFlight.at(-1);
      if (last) last.open = false;
    }
  }

  protected resetDevice(): void {
    this.requests = [];
    this.inFlight = [];
    this.writeback = this.blk.writeCache ?? true;
    this.epoch++; // what is still to come belongs to the time before
  }

  override forgetQueue(queue: Virtqueue): void {
    for (const group of this.inFlight) group.requests = group.requests.filter((one) => one.queue !== queue);
  }

  private parse(queue: Virtqueue, chain: Chain): BlkRequest {
    const { readable, writable } = chain;
    const dma = this.transport.dma;
    if (readable.length === 0 || writable.length === 0)
      throw new VirtqueueError('a request without header or status');
    const header = readSegments(dma, readable, 0, HEADER_BYTES);
    if (header.length < HEADER_BYTES) throw new VirtqueueError('a request whose header is too short');
    const view = new DataView(header.buffer);
    const type = view.getUint32(0, true);
    const sector = view.getBigUint64(8, true);
    const request: BlkRequest = {
      ...{ queue, chain, type, sector },
      readable: cut(readable, HEADER_BYTES, totalBytes(readable) - HEADER_BYTES),
      writable: cut(writable, 0, totalBytes(writable) - 1),
    };
    const bytes = totalBytes(request.readable) + totalBytes(request.writable);
    this.requests.push({ type, sector, bytes, segments: readable.length + writable.length });
    return request;
  }

  /**
   * The work itself is done when its time has come. As in QEMU, requests for adjacent sectors that were taken at once are
   * one transfer to the host, and complete together. With IN_ORDER all that were taken at once complete together.
   */
  private merge(request: BlkRequest): void {
    const group = this.inFlight.at(-1);
    const before = group?.requests.at(-1); // a queue's reset may have left none
    const adjacent = before && group!.requests.length < MERGED_MAX && follows(request, before);
    if (group?.open && (adjacent || this.has(IN_ORDER))) {
      group.requests.push(request);
      return;
    }
    if (group) group.open = false;
    this.inFlight.push({ requests: [request], open: true });
    if (this.inFlight.length === 1) this.scheduleFirst();
  }

  /** With a seed, from none to twice what it should be. */
  private get latency_ns(): number {
    const latency_ns = this.blk.latency_ns ?? LATENCY_NS;
    return this.transport.random?.below(2 * latency_ns + 1) ?? latency_ns;
  }

  private scheduleFirst(): void {
    const epoch = this.epoch;
    this.transport.clock.schedule(this.latency_ns, () => {
      if (epoch !== this.epoch) return;
      const group = this.inFlight.shift();
      if (this.inFlight.length > 0) this.scheduleFirst();
      const requests = group?.requests ?? [];
      for (const [i, request] of requests.entries())
        if (!this.broken) this.guard(() => this.finish(request, i < requests.length - 1));
    });
  }

  /** §5.2.6: all that can be written counts as written, whatever the status, as in QEMU. `more` finish at once. */
  finish(request: BlkRequest, more = false): void {
    this.guard(() => this.answer(request, this.execute(request), more));
  }

  /** Writes the status, unless there is none, and gives the chain back. */
  answer({ chain, queue }: BlkRequest, status: number | undefined, more = false): void {
    const total = totalBytes(chain.writable);
    if (status !== undefined)
      writeSegments(this.transport.dma, chain.writable, total - 1, Uint8Array.of(status));
    this.complete(queue, chain, total, more);
  }

  /** Does what a request asks for and returns its status. */
  execute(request: BlkRequest): number {
    switch ((request.type & ~(T_OUT | T_BARRIER)) >>> 0) {
      case T_IN:
        return request.type & T_OUT ? this.write(request) : this.read(request);
      case T_FLUSH:
        return S_OK;
      case T_GET_ID:
        return this.identify(request);
      case T_DISCARD & ~T_OUT:
      case T_WRITE_ZEROES & ~T_OUT:
        return this.clear(request);
      case T_SCSI:
        // QEMU does none, but first counts the segments of one.
        return request.chain.readable.length < 2 || request.chain.writable.length < 3 ? S_IOERR : S_UNSUPP;
      default:
        return S_UNSUPP;
    }
  }

  private read(request: BlkRequest): number {
    const bytes = totalBytes(request.writable);
    if (!this.inRange(request.sector, bytes)) return S_IOERR;
    const data = this.disk.read(Number(request.sector) * SECTOR_BYTES, bytes);
    writeSegments(this.transport.dma, request.writable, 0, data);
    return S_OK;
  }

  private write(request: BlkRequest): number {
    const bytes = totalBytes(request.readable);
    if (this.disk.readOnly || !this.inRange(request.sector, bytes)) return S_IOERR;
    this.disk.write(
      Number(request.sector) * SECTOR_BYTES,
      readSegments(this.transport.dma, request.readable, 0, bytes),
    );
    return S_OK;
  }

  private identify(request: BlkRequest): number {
    const serial = new TextEncoder().encode(`${this.blk.serial ?? ''}\0`);
    writeSegments(this.transport.dma, request.writable, 0, serial.subarray(0, ID_BYTES));
    return S_OK;
  }

  /** Discard and write-zeroes: one range of sectors. */
  private clear(request: BlkRequest): number {
    const bytes = totalBytes(request.readable);
    const zeroes = (request.type & ~T_BARRIER) >>> 0 === T_WRITE_ZEROES;
    // QEMU: one range only, and the type must say that it writes.
    if (!(request.type & T_OUT) || bytes > RANGE_BYTES) return S_UNSUPP;
    if (bytes < RANGE_BYTES) throw new VirtqueueError('a range that is too short');
    const view = new DataView(readSegments(this.transport.dma, request.readable, 0, RANGE_BYTES).buffer);
    const sector = view.getBigUint64(0, true);
    const count = view.getUint32(8, true);
    const flags = view.getUint32(12, true);
    // §5.2.6.2: an unknown flag, or unmap with a discard.
    if (flags & ~RANGE_UNMAP || (!zeroes && flags & RANGE_UNMAP)) return S_UNSUPP;
    if (count > RANGE_SECTORS_MAX || !this.inRange(sector, count * SECTOR_BYTES)) return S_IOERR;
    if (this.disk.readOnly) return S_IOERR;
    // What was discarded may read as anything (§5.2.6); QEMU changes nothing unless told discard=unmap.
    if (zeroes) this.disk.write(Number(sector) * SECTOR_BYTES, new Uint8Array(count * SECTOR_BYTES));
    return S_OK;
  }

  /** Whole blocks, inside the disk. */
  private inRange(sector: bigint, bytes: number): boolean {
    if (sector % BigInt(this.blockSize / SECTOR_BYTES) !== 0n || bytes % this.blockSize !== 0) return false;
    return sector + BigInt(bytes / SECTOR_BYTES) <= BigInt(this.sectors);
  }
}

/** What would give the driver a disk of no size, or none at all. */
function checkOptions(
  disk: Disk | Uint8Array,
  { queues = 1, blockSize = SECTOR_BYTES }: VirtioBlkOptions,
): void {
  if (!(disk instanceof Uint8Array) && typeof disk?.read !== 'function')
    throw new MachineError('VirtioBlk has no disk: give a Uint8Array, a MemoryDisk or a new FileDisk(path)');
  if (!Number.isInteger(queues) || queues < 1 || queues > QUEUES_MAX)
    throw new MachineError(`VirtioBlk's queues are ${queues}: give 1 to ${QUEUES_MAX}`);
  if (!Number.isInteger(Math.log2(blockSize)) || blockSize < SECTOR_BYTES || blockSize > BLOCK_BYTES_MAX)
    throw new MachineError(
      `VirtioBlk's blockSize is ${blockSize}: give a power of two from ${SECTOR_BYTES} to ${BLOCK_BYTES_MAX}`,
    );
}

/** Whether a read or write goes on where another one ends. */
function follows(request: BlkRequest, before: BlkRequest): boolean {
  if ((request.type | before.type) & ~T_OUT || request.type !== before.type) return false;
  const data = request.type === T_IN ? before.writable : before.readable;
  return request.sector === before.sector + BigInt(Math.floor(totalBytes(data) / SECTOR_BYTES));
}
