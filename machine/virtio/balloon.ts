// The virtio memory balloon (virtio 1.2 §5.5), as QEMU 7.2's virtio-balloon-pci: which pages it has, what it wants, and the
// driver's statistics. What it has is filled with garbage, and must still be when it gives it back.

import { VirtioDevice, type VirtioOptions } from './device.ts';
import { bits } from './features.ts';
import { type Chain, readSegments, totalBytes, type Virtqueue, VirtqueueError } from './queue.ts';

// Feature bits (§5.5.3).
export const MUST_TELL_HOST = 0;
export const STATS_VQ = 1;

const INFLATE = 0;
const DEFLATE = 1;
const STATISTICS = 2;
const QUEUE_SIZE = 128;
/** QEMU's, with the fields for PAGE_POISON, which is not offered here. */
const CONFIG_BYTES = 16;
const ACTUAL = 4;
const PAGE_BYTES = 4096;
const STAT_BYTES = 10;
const GARBAGE = 0xb5;
const LATENCY_NS = 20_000;

export interface VirtioBalloonOptions extends VirtioOptions {
  /** VIRTIO_BALLOON_F_STATS_VQ; on by default. */
  statistics?: boolean;
  /** Is told when the driver says how many pages the device has. */
  changed?: (pages: number, balloon: VirtioBalloon) => void;
  /** From a kick to the answer; 20 µs. */
  latency_ns?: number;
}

export class VirtioBalloon extends VirtioDevice {
  readonly deviceId = 5;
  readonly classCode = 0x00ff00;
  /** What it wants, and what the driver says it has, in pages. */
  target = 0;
  actual = 0;
  /** Numbers of the pages that it has. */
  readonly pages = new Set<number>();
  /** What the driver did wrong. */
  readonly complaints: string[] = [];
  private readonly balloon: VirtioBalloonOptions;
  private statistics: { queue: Virtqueue; chain: Chain } | undefined;
  private wanted: ((statistics: Map<number, bigint>) => void) | undefined;
  private epoch = 0;

  constructor(options: VirtioBalloonOptions = {}) {
    super(3, { queueSize: QUEUE_SIZE, vectors: 0, ...options });
    this.balloon = options;
  }

  protected get typeFeatures(): bigint {
    return (this.balloon.statistics ?? true) ? bits(STATS_VQ) : 0n;
  }

  readConfig(): Uint8Array<ArrayBuffer> {
    const view = new DataView(new ArrayBuffer(CONFIG_BYTES));
    view.setUint32(0, this.target, true);
    view.setUint32(ACTUAL, this.actual, true);
    return new Uint8Array(view.buffer);
  }

  protected override writeConfig(config: Uint8Array): void {
    this.actual = new DataView(config.buffer).getUint32(ACTUAL, true);
    this.balloon.changed?.(this.actual, this);
  }

  /** Asks for so many pages: QMP's balloon. */
  want(pages: number): void {
    this.target = pages;
    this.notifyConfig();
  }

  /** Asks for new statistics, by tag (§5.5.6.4). */
  askStatistics(answer: (statistics: Map<number, bigint>) => void): void {
    this.wanted = answer;
    const { statistics } = this;
    if (statistics === undefined) return;
    this.statistics = undefined;
    this.complete(statistics.queue, statistics.chain, 0);
  }

  serve(queue: Virtqueue): void {
    for (let chain = this.take(queue); chain !== undefined; chain = this.take(queue)) {
      const taken = chain;
      const { epoch } = this;
      this.transport.clock.schedule(this.balloon.latency_ns ?? LATENCY_NS, () => {
        if (epoch === this.epoch && !this.broken) this.guard(() => this.finish(queue, taken));
      });
    }
  }

  protected resetDevice(): void {
    this.pages.clear();
    this.actual = 0;
    this.statistics = undefined;
    this.epoch++; // what is still to come belongs to the time before
  }

  /** Does what a chain asks for, and gives it back. */
  finish(queue: Virtqueue, chain: Chain): void {
    const bytes = totalBytes(chain.readable);
    const copy = Uint8Array.from(readSegments(this.transport.dma, chain.readable, 0, bytes));
    const view = new DataView(copy.buffer);
    if (queue.index === STATISTICS) {
      this.takeStatistics(queue, chain, view);
      return;
    }
    if (bytes % 4 !== 0) throw new VirtqueueError('half a page number');
    for (let at = 0; at < bytes; at += 4) {
      if (queue.index === INFLATE) this.inflate(view.getUint32(at, true));
      if (queue.index === DEFLATE) this.deflate(view.getUint32(at, true));
    }
    this.complete(queue, chain, 0);
  }

  private inflate(page: number): void {
    if (this.pages.has(page)) this.complaints.push(`page ${page} was given twice`);
    this.pages.add(page);
    this.transport.dma.fill(page * PAGE_BYTES, PAGE_BYTES, GARBAGE);
  }

  private deflate(page: number): void {
    if (!this.pages.delete(page)) this.complaints.push(`page ${page} was never given`);
    const bytes = this.transport.dma.read(page * PAGE_BYTES, PAGE_BYTES);
    if (bytes.some((byte) => byte !== GARBAGE)) this.complaints.push(`page ${page} was used meanwhile`);
  }

  private takeStatistics(queue: Virtqueue, chain: Chain, view: DataView): void {
    this.statistics = { queue, chain };
    const statistics = new Map<number, bigint>();
    for (let at = 0; at + STAT_BYTES <= view.byteLength; at += STAT_BYTES)
      statistics.set(view.getUint16(at, true), view.getBigUint64(at + 2, true));
    const answer = this.wanted;
    this.wanted = undefined;
    answer?.(statistics);
  }
}
