// The virtio console (virtio 1.2 §5.3), as QEMU 7.2's virtio-serial-pci with a virtconsole on port 0, without MULTIPORT:
// what the driver writes, what is typed, and emergency writes.

import { VirtioDevice, type VirtioOptions } from './device.ts';
import { bits } from './features.ts';
import { type Chain, readSegments, totalBytes, type Virtqueue, writeSegments } from './queue.ts';

export const EMERG_WRITE = 2; // feature bit, §5.3.3

const RECEIVE = 0;
const TRANSMIT = 1;
const QUEUE_SIZE = 128;
const VECTORS = 2;
/** Without and with the emergency writes' register. */
const CONFIG_BYTES = 8;
const CONFIG_BYTES_EMERGENCY = 12;
const PORTS = 4;
const PORTS_MAX = 31;
const EMERGENCY = 8;
const LATENCY_NS = 20_000;

export interface VirtioConsoleOptions extends VirtioOptions {
  /** VIRTIO_CONSOLE_F_EMERG_WRITE; on by default. QEMU's emergency-write. */
  emergencyWrite?: boolean;
  /** Gets what the driver writes. */
  output?: (text: string, console: VirtioConsole) => void;
  /** From a kick to the output; 20 µs. */
  latency_ns?: number;
}

export class VirtioConsole extends VirtioDevice {
  readonly deviceId = 3;
  readonly classCode = 0x078000;
  /** All that the driver has written since the last reset; emergency writes too. */
  text = '';
  /** Nobody takes the output: it stays in the ring. */
  blocked = false;
  private readonly console: VirtioConsoleOptions;
  private typed: number[] = [];
  private epoch = 0;

  constructor(options: VirtioConsoleOptions = {}) {
    super(2, { queueSize: QUEUE_SIZE, vectors: VECTORS, ...options });
    this.console = options;
  }

  protected get typeFeatures(): bigint {
    return (this.console.emergencyWrite ?? true) ? bits(EMERG_WRITE) : 0n;
  }

  readConfig(): Uint8Array<ArrayBuffer> {
    const emergency = this.console.emergencyWrite ?? true;
    const config = new Uint8Array(emergency ? CONFIG_BYTES_EMERGENCY : CONFIG_BYTES);
    config[PORTS] = PORTS_MAX;
    return config;
  }

  protected override writeConfig(config: Uint8Array): void {
    if (this.has(EMERG_WRITE)) this.emit(String.fromCharCode(config[EMERGENCY]));
  }

  /** Somebody types, Latin-1. */
  receive(text: string): void {
    this.typed.push(...Buffer.from(text, 'latin1'));
    this.guard(() => this.deliver());
  }

  serve(queue: Virtqueue): void {
    if (queue.index === RECEIVE) this.deliver();
    if (queue.index === TRANSMIT && !this.blocked) this.transmit(queue);
  }

  protected resetDevice(): void {
    this.text = '';
    this.epoch++; // what is still to come belongs to the time before
  }

  /** Fills one of the driver's buffers. */
  fill(queue: Virtqueue, chain: Chain, data: Uint8Array): void {
    writeSegments(this.transport.dma, chain.writable, 0, data);
    this.complete(queue, chain, data.length);
  }

  private deliver(): void {
    const queue = this.queues[RECEIVE];
    while (this.typed.length > 0) {
      const chain = this.take(queue);
      if (chain === undefined) return;
      this.fill(queue, chain, Uint8Array.from(this.typed.splice(0, totalBytes(chain.writable))));
    }
  }

  private transmit(queue: Virtqueue): void {
    for (let chain = this.take(queue); chain !== undefined; chain = this.take(queue)) {
      const taken = chain;
      const { epoch } = this;
      this.transport.clock.schedule(this.console.latency_ns ?? LATENCY_NS, () => {
        if (epoch === this.epoch && !this.broken) this.guard(() => this.finish(queue, taken));
      });
    }
  }

  private finish(queue: Virtqueue, chain: Chain): void {
    const { readable } = chain;
    const bytes = readSegments(this.transport.dma, readable, 0, totalBytes(readable));
    const text = Buffer.from(bytes).toString('latin1');
    this.complete(queue, chain, 0);
    this.emit(text);
  }

  private emit(text: string): void {
    this.text += text;
    this.console.output?.(text, this);
  }
}
