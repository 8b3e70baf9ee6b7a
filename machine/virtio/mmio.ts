// virtio over MMIO (virtio 1.2 §4.2): the registers of one device and its interrupt line, version 1 (legacy, §4.2.4) or 2,
// as QEMU 7.2's hw/virtio/virtio-mmio.c has them.

import type { Dma } from '../bus/memory.ts';
import type { Registers, Width } from '../bus/space.ts';
import type { Random } from '../random.ts';
import type { Clock } from '../time/clock.ts';
import type { Trace } from '../trace.ts';
import type { Transport, VirtioDevice } from './device.ts';
import { BAD_FEATURE, bits } from './features.ts';
import { legacyAddresses, type Virtqueue } from './queue.ts';

export const MMIO_BYTES = 0x200;

const MAGIC = 0x000;
const VERSION = 0x004;
const DEVICE_ID = 0x008;
const VENDOR_ID = 0x00c;
const DEVICE_FEATURES = 0x010;
const DEVICE_FEATURES_SELECT = 0x014;
const DRIVER_FEATURES = 0x020;
const DRIVER_FEATURES_SELECT = 0x024;
const GUEST_PAGE_BYTES = 0x028;
const QUEUE_SELECT = 0x030;
const QUEUE_SIZE_MAX = 0x034;
const QUEUE_SIZE = 0x038;
const QUEUE_ALIGN = 0x03c;
const QUEUE_PAGE = 0x040;
const QUEUE_READY = 0x044;
const QUEUE_RESET = 0x0c0;
const QUEUE_NOTIFY = 0x050;
const INTERRUPT_STATUS = 0x060;
export const INTERRUPT_ACKNOWLEDGE = 0x064;
const STATUS = 0x070;
/** By register, the half of an address that it holds, in the order of `addressHalves`. */
const QUEUE_ADDRESSES = [0x080, 0x084, 0x090, 0x094, 0x0a0, 0x0a4];
const CONFIG_GENERATION = 0x0fc;
const CONFIG = 0x100;

const MAGIC_VALUE = 0x7472_6976;
const QEMU_VENDOR = 0x554d_4551;
const SIZE_MAX = 1024; // QEMU's, whatever the queue's own
const STATUS_FEATURES_OK = 8;

export interface MmioPlatform {
  readonly dma: Dma;
  readonly clock: Clock;
  readonly trace: Trace;
  readonly random: Random | undefined;
  /** Drives the device's line. */
  setLine(high: boolean): void;
}

export class VirtioMmio implements Registers, Transport {
  readonly device: VirtioDevice;
  readonly address: number;
  readonly gsi: number;
  readonly dma: Dma;
  readonly clock: Clock;
  readonly trace: Trace;
  readonly random: Random | undefined;
  private readonly legacy: boolean;
  private readonly setLine: (high: boolean) => void;
  private readonly driverFeatures = [0, 0];
  private deviceFeaturesSelect = 0;
  private driverFeaturesSelect = 0;
  private queueSelect = 0;
  private pageBytes = 0;
  private readonly aligns: number[] = [];
  private readonly pages: number[] = [];

  constructor(device: VirtioDevice, address: number, gsi: number, platform: MmioPlatform) {
    this.device = device;
    this.address = address;
    this.gsi = gsi;
    this.legacy = !device.modern;
    this.dma = platform.dma;
    this.clock = platform.clock;
    this.trace = platform.trace;
    this.random = platform.random;
    this.setLine = platform.setLine;
    device.transport = this;
  }

  get name(): string {
    return `mmio-${this.address.toString(16).padStart(8, '0')}`;
  }

  interrupt(): void {
    const message = { device: this.name, entry: -1, vector: this.gsi };
    this.trace.message?.(message);
    if (this.trace.allowMessage?.(message) ?? true) this.setLine(true);
  }

  resetDone(): void {
    this.driverFeatures.fill(0);
    this.deviceFeaturesSelect = 0;
    this.driverFeaturesSelect = 0;
    this.queueSelect = 0;
    this.pageBytes = 0;
    this.pages.length = 0;
    this.setLine(false);
  }

  read(offset: number, width: Width): number {
    const { device } = this;
    if (offset >= CONFIG) return device.readConfigAt(offset - CONFIG, width);
    if (width !== 4) return 0;
    switch (offset) {
      case MAGIC:
        return MAGIC_VALUE;
      case VERSION:
        return this.legacy ? 1 : 2;
      case DEVICE_ID:
        return device.deviceId;
      case VENDOR_ID:
        return QEMU_VENDOR;
      case DEVICE_FEATURES:
        return Number((this.offered >> BigInt(32 * this.deviceFeaturesSelect)) & 0xffff_ffffn);
      case QUEUE_SIZE_MAX:
        return this.queue?.sizeMax ? SIZE_MAX : 0;
      case QUEUE_PAGE:
        return this.legacy ? (this.pages[this.queueSelect] ?? 0) : 0;
      case QUEUE_READY:
        return !this.legacy && this.queue?.enabled ? 1 : 0;
      case INTERRUPT_STATUS:
        return device.isr;
      case STATUS:
        return device.status;
      case CONFIG_GENERATION:
        return this.legacy ? 0 : device.readGeneration();
      default:
        return 0;
    }
  }

  write(offset: number, width: Width, value: number): void {
    const { device, queue } = this;
    if (offset >= CONFIG) device.writeConfigAt(offset - CONFIG, width, value);
    if (offset >= CONFIG || width !== 4) return;
    const half = QUEUE_ADDRESSES.indexOf(offset);
    if (half >= 0 && queue !== undefined) queue.addressHalves[half] = value;
    switch (offset) {
      case DEVICE_FEATURES_SELECT:
        this.deviceFeaturesSelect = value ? 1 : 0;
        return;
      case DRIVER_FEATURES_SELECT:
        this.driverFeaturesSelect = value ? 1 : 0;
        return;
      case DRIVER_FEATURES:
        this.driverFeatures[this.driverFeaturesSelect] = value;
        if (this.legacy && this.driverFeaturesSelect === 0) device.setDriverFeatures(BigInt(value));
        return;
      case GUEST_PAGE_BYTES:
        if (this.legacy) this.pageBytes = value;
        return;
      case QUEUE_SELECT:
        this.queueSelect = value;
        return;
      case QUEUE_SIZE:
        if (queue !== undefined && value > 0 && value <= SIZE_MAX) queue.size = value;
        return;
      case QUEUE_ALIGN:
        this.aligns[this.queueSelect] = value;
        return;
      case QUEUE_PAGE:
        if (this.legacy) this.setPage(value);
        return;
      case QUEUE_READY:
        if (!this.legacy) this.setReady(value !== 0);
        return;
      case QUEUE_RESET:
        // QEMU 7.2 offers the feature here, and has no such register.
        if (!this.legacy && value === 1 && queue !== undefined) device.resetQueue(queue);
        return;
      case QUEUE_NOTIFY:
        device.kick(value);
        return;
      case INTERRUPT_ACKNOWLEDGE:
        device.isr &= ~value;
        if (device.isr === 0) this.setLine(false);
        return;
      case STATUS:
        this.setStatus(value & 0xff);
    }
  }

  private get queue(): Virtqueue | undefined {
    return this.device.queues[this.queueSelect];
  }

  private get offered(): bigint {
    const { device } = this;
    // QEMU: the bit for drivers that accept anything is PCI's alone.
    if (this.legacy) return device.deviceFeatures & ~bits(BAD_FEATURE) & 0xffff_ffffn;
    return device.deviceFeatures & ~device.legacyFeatures;
  }

  private setStatus(value: number): void {
    const [low, high] = this.driverFeatures;
    if (!this.legacy && value & STATUS_FEATURES_OK)
      this.device.setDriverFeatures((BigInt(high) << 32n) | BigInt(low));
    this.device.setStatus(value);
  }

  private setPage(page: number): void {
    const { queue } = this;
    if (page === 0) {
      this.device.reset();
      this.resetDone();
    } else if (queue !== undefined) {
      this.pages[this.queueSelect] = page;
      const align = this.aligns[this.queueSelect] ?? 4096;
      queue.addresses = legacyAddresses(page * this.pageBytes, queue.size, align);
      this.device.enableQueue(queue);
    }
  }

  private setReady(ready: boolean): void {
    const { queue } = this;
    if (queue === undefined) return;
    if (!ready) {
      queue.enabled = false;
      queue.ring = undefined;
      return;
    }
    const at = (part: number) => queue.addressHalves[part * 2 + 1] * 2 ** 32 + queue.addressHalves[part * 2];
    queue.addresses = { descriptors: at(0), driver: at(1), device: at(2) };
    this.device.enableQueue(queue);
  }
}
