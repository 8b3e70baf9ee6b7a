// The virtio entropy device (virtio 1.2 §5.4), as QEMU 7.2's virtio-rng-pci: fills buffers with what its source gives.

import { Random } from '../random.ts';
import { VirtioDevice, type VirtioOptions } from './device.ts';
import { type Chain, totalBytes, type Virtqueue, writeSegments } from './queue.ts';

const QUEUE_SIZE = 8;
const LATENCY_NS = 20_000;

export interface VirtioRngOptions extends VirtioOptions {
  /** Gives up to `bytes` bytes, at least one; without it they are random, the same in each run. */
  source?: (bytes: number) => Uint8Array;
  /** From a kick to the answer; 20 µs. */
  latency_ns?: number;
}

export class VirtioRng extends VirtioDevice {
  readonly deviceId = 4;
  readonly classCode = 0x00ff00;
  /** All that was given since the last reset. */
  given: Uint8Array[] = [];
  protected readonly typeFeatures = 0n;
  private readonly source: (bytes: number) => Uint8Array;
  private readonly latency_ns: number;
  private epoch = 0;

  constructor(options: VirtioRngOptions = {}) {
    super(1, { queueSize: QUEUE_SIZE, ...options });
    const random = new Random(1);
    this.source = options.source ?? ((bytes) => Uint8Array.from({ length: bytes }, () => random.below(256)));
    this.latency_ns = options.latency_ns ?? LATENCY_NS;
  }

  readConfig(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(0);
  }

  serve(queue: Virtqueue): void {
    for (let chain = this.take(queue); chain !== undefined; chain = this.take(queue)) {
      const taken = chain;
      const { epoch } = this;
      this.transport.clock.schedule(this.latency_ns, () => {
        if (epoch === this.epoch && !this.broken) this.guard(() => this.fill(queue, taken));
      });
    }
  }

  /** Answers one request. */
  fill(queue: Virtqueue, chain: Chain): void {
    const data = this.source(totalBytes(chain.writable));
    writeSegments(this.transport.dma, chain.writable, 0, data);
    this.given.push(data);
    this.complete(queue, chain, data.length);
  }

  protected resetDevice(): void {
    this.given = [];
    this.epoch++; // what is still to come belongs to the time before
  }
}
