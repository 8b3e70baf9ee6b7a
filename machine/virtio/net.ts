// The virtio network device (virtio 1.2 §5.1), as QEMU 7.2's virtio-net-pci on a back end without offloads: a pair of queues
// (no control queue), frames in and out, the link's state.

import { VirtioDevice, type VirtioOptions } from './device.ts';
import * as features from './features.ts';
import { bits } from './features.ts';
import { type Chain, cut, readSegments, totalBytes, type Virtqueue, writeSegments } from './queue.ts';

// Feature bits (§5.1.3).
export const MAC = 5;
export const MRG_RXBUF = 15;
export const STATUS = 16;

const RECEIVE = 0;
const TRANSMIT = 1;
/** QEMU has one for the control queue. */
const VECTORS = 4;

/** struct virtio_net_hdr (§5.1.6), and what legacy drivers without MRG_RXBUF leave out. */
const HEADER_BYTES = 12;
const SHORT_HEADER_BYTES = 10;
const BUFFER_COUNT = 10;

const CONFIG_BYTES = 8;
const LINK = 6;
const LATENCY_NS = 20_000;

export interface VirtioNetOptions extends VirtioOptions {
  /** Six bytes; 52:54:00:12:34:56. */
  mac?: readonly number[];
  /** VIRTIO_NET_F_MRG_RXBUF; on by default, as is the next. QEMU's mrg_rxbuf. */
  mergeable?: boolean;
  /** VIRTIO_NET_F_STATUS. */
  linkStatus?: boolean;
  /** Gets each frame that the driver sends. */
  peer?: (frame: Uint8Array, net: VirtioNet) => void;
  /** From a kick to the wire; 20 µs. */
  latency_ns?: number;
}

/** Chains that together hold a frame, as far as they have come. */
interface Gathering {
  chains: Chain[];
  bytes: number;
}

export class VirtioNet extends VirtioDevice {
  readonly deviceId = 1;
  readonly classCode = 0x020000;
  /** Since the last reset: frames that the driver has sent. */
  sent: Uint8Array[] = [];
  linkUp = true;
  private readonly net: VirtioNetOptions;
  private waiting: Uint8Array[] = [];
  private gathering: Gathering = { chains: [], bytes: 0 };
  private epoch = 0;

  constructor(options: VirtioNetOptions = {}) {
    super(2, { vectors: VECTORS, ...options });
    this.net = options;
  }

  protected get typeFeatures(): bigint {
    let offered = bits(MAC);
    if (this.net.mergeable ?? true) offered |= bits(MRG_RXBUF);
    if (this.net.linkStatus ?? true) offered |= bits(STATUS);
    return offered;
  }

  readConfig(): Uint8Array<ArrayBuffer> {
    const config = new Uint8Array(CONFIG_BYTES);
    config.set(this.net.mac ?? [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]);
    config[LINK] = this.linkUp ? 1 : 0;
    return config;
  }

  /** QEMU's set_link: without it frames are lost both ways. */
  setLink(up: boolean): void {
    this.linkUp = up;
    this.notifyConfig();
  }

  /** A frame for the driver: at once, or when it has given buffers. */
  receive(frame: Uint8Array): void {
    if (!this.linkUp) return;
    this.waiting.push(frame);
    this.guard(() => this.deliver());
  }

  serve(queue: Virtqueue): void {
    if (queue.index === RECEIVE) this.deliver();
    if (queue.index === TRANSMIT) this.transmit(queue);
  }

  get headerBytes(): number {
    return this.has(features.VERSION_1) || this.has(MRG_RXBUF) ? HEADER_BYTES : SHORT_HEADER_BYTES;
  }

  /** What stands before a frame in the first buffer; `count` buffers hold it. */
  header(count: number): Uint8Array {
    const header = new Uint8Array(this.headerBytes);
    if (header.length > BUFFER_COUNT) header[BUFFER_COUNT] = count;
    return header;
  }

  /** Puts a frame into the driver's buffers. */
  fill(queue: Virtqueue, chains: Chain[], frame: Uint8Array): void {
    const data = new Uint8Array(this.headerBytes + frame.length);
    data.set(this.header(chains.length));
    data.set(frame, this.headerBytes);
    let at = 0;
    for (const chain of chains) {
      const part = data.subarray(at, at + totalBytes(chain.writable));
      writeSegments(this.transport.dma, chain.writable, 0, part);
      at += part.length;
      this.complete(queue, chain, part.length);
    }
  }

  protected resetDevice(): void {
    this.sent = [];
    this.gathering = { chains: [], bytes: 0 };
    this.epoch++; // what is still to come belongs to the time before
  }

  private deliver(): void {
    const queue = this.queues[RECEIVE];
    while (this.waiting.length > 0) {
      const needed = this.waiting[0].length + this.headerBytes;
      if (!this.gather(queue, needed)) return;
      const frame = this.waiting.shift()!;
      const { chains, bytes } = this.gathering;
      // As QEMU: what does not fit into one buffer is lost where frames cannot have several.
      if (bytes < needed) continue;
      this.gathering = { chains: [], bytes: 0 };
      this.fill(queue, chains, frame);
    }
  }

  /** Takes buffers until they hold `bytes`, or one if a frame can have no more; false: there are none now. */
  private gather(queue: Virtqueue, bytes: number): boolean {
    const { gathering } = this;
    while (gathering.bytes < bytes && (gathering.chains.length === 0 || this.has(MRG_RXBUF))) {
      const chain = this.take(queue);
      if (chain === undefined) return false;
      gathering.chains.push(chain);
      gathering.bytes += totalBytes(chain.writable);
    }
    return true;
  }

  private transmit(queue: Virtqueue): void {
    for (let chain = this.take(queue); chain !== undefined; chain = this.take(queue)) {
      const taken = chain;
      const { epoch } = this;
      this.transport.clock.schedule(this.net.latency_ns ?? LATENCY_NS, () => {
        if (epoch === this.epoch && !this.broken) this.guard(() => this.finish(queue, taken));
      });
    }
  }

  private finish(queue: Virtqueue, chain: Chain): void {
    const { readable } = chain;
    const bytes = totalBytes(readable) - this.headerBytes;
    const frame = Uint8Array.from(
      readSegments(this.transport.dma, cut(readable, this.headerBytes, bytes), 0, bytes),
    );
    this.complete(queue, chain, 0);
    if (!this.linkUp) return;
    this.sent.push(frame);
    this.net.peer?.(frame, this);
  }
}
