// A virtio device apart from the bus that carries it (virtio 1.2 §2, §3): status, features, queues, configuration. A
// device type derives from it and serves requests; every step can be overridden, which is how hostile devices are made.
// What the specification leaves open is done as QEMU 7.2's hw/virtio/virtio.c does.

import { type Dma, DmaError } from '../bus/memory.ts';
import { ones, readBytes, type Width, writeBytes } from '../bus/space.ts';
import type { PciDevice } from '../pci/function.ts';
import type { Random } from '../random.ts';
import type { Clock } from '../time/clock.ts';
import type { Trace } from '../trace.ts';
import * as features from './features.ts';
import { PackedRing } from './packed.ts';
import { VirtioPci, type VirtioPciOptions } from './pci.ts';
import { type Chain, Virtqueue, VirtqueueError } from './queue.ts';
import type { Ring } from './ring.ts';
import { SplitRing } from './split.ts';

// Device status bits (§2.1).
export const STATUS_ACKNOWLEDGE = 1;
export const STATUS_DRIVER = 2;
export const STATUS_DRIVER_OK = 4;
export const STATUS_FEATURES_OK = 8;
export const STATUS_NEEDS_RESET = 64;
export const STATUS_FAILED = 128;

// ISR status (§4.1.4.5).
export const ISR_QUEUE = 1;
/** QEMU sets the queue's bit too. */
export const ISR_CONFIG = 3;

export const NO_VECTOR = 0xffff;

/** What carries the device: it brings interrupts to the driver, and the device to memory. */
export interface Transport {
  readonly name: string;
  readonly dma: Dma;
  readonly clock: Clock;
  readonly trace: Trace;
  readonly random: Random | undefined;
  /** Interrupts by the vector that the driver has chosen; the ISR status is already set. */
  interrupt(vector: number): void;
  /** The driver has set the status to 0, and the device is reset. */
  resetDone(): void;
}

export interface VirtioOptions extends VirtioPciOptions {
  /** Features offered, in place of what follows and of the device type's own. VERSION_1 comes with `modern`. */
  features?: bigint;
  /** VIRTIO_F_EVENT_IDX; on by default, as are the next two. */
  eventIndex?: boolean;
  /** VIRTIO_F_INDIRECT_DESC. */
  indirect?: boolean;
  /** VIRTIO_F_RING_RESET. */
  ringReset?: boolean;
  /** VIRTIO_F_RING_PACKED, as QEMU's packed=on; for modern drivers, off by default. */
  packed?: boolean;
  /** VIRTIO_F_IN_ORDER: what comes with one notification is completed as one. QEMU 7.2 has no such device. */
  inOrder?: boolean;
  /** VIRTIO_F_ACCESS_PLATFORM, as QEMU's iommu_platform=on; for modern devices. */
  accessPlatform?: boolean;
  /** Entries of each queue; with `packed` and without `legacy` any number up to 32768, else a power of two. */
  queueSize?: number;
}

export abstract class VirtioDevice implements PciDevice {
  abstract readonly deviceId: number;
  /** PCI's class code. */
  abstract readonly classCode: number;
  /** Its own features. */
  protected abstract readonly typeFeatures: bigint;
  /** Those that only a legacy driver is offered. */
  readonly legacyFeatures: bigint = features.LEGACY_FEATURES;
  readonly options: VirtioOptions;
  readonly queues: Virtqueue[];
  status = 0;
  driverFeatures = 0n;
  isr = 0;
  /** §2.5: changes with the configuration. */
  generation = 0;
  configVector = NO_VECTOR;
  /** A rule was broken: nothing is served until the reset. */
  broken = false;
  /** Since the last reset: the driver's notifications, and the device's interrupts for queues. */
  kicks = 0;
  interrupts = 0;
  transport!: Transport;
  private pci: VirtioPci | undefined;
  private shadow = new Uint8Array(0);

  constructor(queueCount: number, options: VirtioOptions) {
    this.options = options;
    this.queues = Array.from({ length: queueCount }, (_, i) => new Virtqueue(i, options.queueSize ?? 256));
  }

  toPci(express: boolean): VirtioPci {
    this.pci ??= new VirtioPci(this, this.options, express);
    return this.pci;
  }

  /** The configuration's bytes as they are now (§2.5), for the caller to keep. */
  abstract readConfig(): Uint8Array<ArrayBuffer>;

  /** §2.5: the generation of the configuration as the driver reads it. */
  readGeneration(): number {
    return this.generation;
  }

  /** The driver has written something: all of the configuration, as it stands then. Most fields ignore that. */
  protected writeConfig(_config: Uint8Array): void {}

  /** A read by the driver. What lies behind the configuration's end reads as ones, as in QEMU. */
  readConfigAt(offset: number, width: Width): number {
    const config = this.readConfig();
    if (offset + width > config.length) return ones(width);
    this.shadow = config;
    return readBytes(new DataView(this.shadow.buffer), offset, width);
  }

  /** A write: to QEMU's copy of what was last read or written, all of which then counts. */
  writeConfigAt(offset: number, width: Width, value: number): void {
    if (this.shadow.length === 0) this.shadow = new Uint8Array(this.readConfig().length);
    if (offset + width > this.shadow.length) return;
    writeBytes(new DataView(this.shadow.buffer), offset, width, value);
    this.writeConfig(this.shadow);
  }

  /** Takes what is available in a queue. */
  abstract serve(queue: Virtqueue): void;

  /** Forgets requests in flight; of one queue. */
  protected abstract resetDevice(): void;
  forgetQueue(_queue: Virtqueue): void {}

  get modern(): boolean {
    return this.options.modern ?? true;
  }

  /** All that is offered. */
  get deviceFeatures(): bigint {
    const { options } = this;
    if (options.features !== undefined) return options.features;
    let offered =
      this.typeFeatures | features.bits(features.BAD_FEATURE, features.NOTIFY_ON_EMPTY, features.ANY_LAYOUT);
    if (options.eventIndex ?? true) offered |= features.bits(features.EVENT_IDX);
    if (options.indirect ?? true) offered |= features.bits(features.INDIRECT_DESC);
    if (options.accessPlatform) offered |= features.bits(features.ACCESS_PLATFORM);
    if (options.ringReset ?? true) offered |= features.bits(features.RING_RESET);
    if (options.packed) offered |= features.bits(features.RING_PACKED);
    if (options.inOrder) offered |= features.bits(features.IN_ORDER);
    if (this.modern) offered |= features.bits(features.VERSION_1);
    return offered;
  }

  /** Whether the driver has accepted a feature. */
  has(bit: number): boolean {
    return features.has(this.driverFeatures, bit);
  }

  /** Bits that were not offered are not taken. After FEATURES_OK nothing is (§3.1.1). */
  setDriverFeatures(accepted: bigint): void {
    if (this.status & STATUS_FEATURES_OK) return;
    this.driverFeatures = accepted & this.deviceFeatures;
  }

  /** Whether FEATURES_OK is granted (§2.2.2). */
  acceptsFeatures(): boolean {
    return !(this.options.accessPlatform && !this.has(features.ACCESS_PLATFORM));
  }

  /** The driver writes the status (§2.1). */
  setStatus(value: number): void {
    this.transport.trace.status?.(this.transport.name, value);
    if (value === 0) {
      this.reset();
      this.transport.resetDone();
      return;
    }
    const asks = value & STATUS_FEATURES_OK && !(this.status & STATUS_FEATURES_OK);
    if (asks && this.has(features.VERSION_1) && !this.acceptsFeatures()) return;
    this.status = value;
  }

  reset(): void {
    this.status = 0;
    this.driverFeatures = 0n;
    this.isr = 0;
    this.configVector = NO_VECTOR;
    this.broken = false;
    this.kicks = 0;
    this.interrupts = 0;
    for (const queue of this.queues) queue.reset();
    this.resetDevice();
  }

  /** Has the queue use the memory that the driver has given it. */
  enableQueue(queue: Virtqueue): void {
    queue.enabled = true;
    queue.ring = this.makeRing(queue);
  }

  /** §2.6.1: nothing of it is served or reported any more. */
  resetQueue(queue: Virtqueue): void {
    queue.reset();
    this.forgetQueue(queue);
  }

  makeRing(queue: Virtqueue): Ring {
    const Format = this.has(features.RING_PACKED) ? PackedRing : SplitRing;
    return new Format(this.transport.dma, queue.size, queue.addresses, {
      indirect: this.has(features.INDIRECT_DESC),
      events: this.has(features.EVENT_IDX),
      inOrder: this.has(features.IN_ORDER),
      notifyOnEmpty: this.has(features.NOTIFY_ON_EMPTY),
    });
  }

  /** The driver rings a queue's doorbell. */
  kick(index: number): void {
    const queue = this.queues[index];
    if (queue?.ring === undefined || this.broken) return;
    this.kicks++;
    this.transport.trace.kick?.({ device: this.transport.name, queue: index });
    // §3.1.1: nothing is taken before DRIVER_OK; legacy drivers were known to kick earlier (§3.1.2).
    if (this.has(features.VERSION_1) && !(this.status & STATUS_DRIVER_OK)) return;
    this.guard(() => this.serve(queue));
  }

  /** The next chain of a queue, undefined: none. */
  protected take(queue: Virtqueue): Chain | undefined {
    return this.broken ? undefined : queue.ring?.next();
  }

  /** Gives a chain back and interrupts if the driver wants that; `more`: the next one comes at once. */
  complete(queue: Virtqueue, chain: Chain, written: number, more = false): void {
    this.guard(() => {
      queue.ring?.push(chain, written, more);
      if (more && this.has(features.IN_ORDER)) return;
      if (queue.ring?.wantsInterrupt()) this.notifyQueue(queue);
    });
  }

  /** Interrupts for a queue, wanted or not. */
  notifyQueue(queue: Virtqueue): void {
    this.interrupts++;
    this.isr |= ISR_QUEUE;
    this.transport.interrupt(queue.vector);
  }

  /** The configuration has changed (§2.5): a new generation and its interrupt. */
  notifyConfig(): void {
    if ((this.status & STATUS_DRIVER_OK) === 0) return;
    this.generation = (this.generation + 1) & 0xff;
    this.isr |= ISR_CONFIG;
    this.transport.interrupt(this.configVector);
  }

  /** The driver broke a rule, or its memory is not there: stops until a reset (§2.1.2). */
  fail(): void {
    this.broken = true;
    if (!this.has(features.VERSION_1)) return;
    this.status |= STATUS_NEEDS_RESET;
    this.notifyConfig();
  }

  /** Does something that a driver's ring may make impossible. */
  protected guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof VirtqueueError || error instanceof DmaError)) throw error;
      this.fail();
    }
  }
}
