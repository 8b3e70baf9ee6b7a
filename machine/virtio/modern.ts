// The modern interface of virtio on PCI (virtio 1.2 §4.1.4): the common configuration, the doorbells, the ISR status
// and the device's configuration, each a block of registers that a capability leads to.

import type { Registers, Width } from '../bus/space.ts';
import type { VirtioDevice } from './device.ts';
import { RING_RESET } from './features.ts';
import type { VirtioPci } from './pci.ts';

// struct virtio_pci_common_cfg (§4.1.4.3).
const DEVICE_FEATURE_SELECT = 0x00;
const DEVICE_FEATURE = 0x04;
const DRIVER_FEATURE_SELECT = 0x08;
const DRIVER_FEATURE = 0x0c;
const CONFIG_VECTOR = 0x10;
const NUM_QUEUES = 0x12;
const STATUS = 0x14;
const GENERATION = 0x15;
const QUEUE_SELECT = 0x16;
const QUEUE_SIZE = 0x18;
const QUEUE_VECTOR = 0x1a;
const QUEUE_ENABLE = 0x1c;
const QUEUE_NOTIFY_OFFSET = 0x1e;
const QUEUE_ADDRESSES = 0x20;
const QUEUE_ADDRESSES_END = 0x38;
const QUEUE_RESET = 0x3a;

const QUEUE_SIZE_MAX = 1024; // QEMU's

export class CommonConfig implements Registers {
  private readonly pci: VirtioPci;
  private readonly device: VirtioDevice;
  private deviceFeatureSelect = 0;
  private driverFeatureSelect = 0;
  /** As written; a reset leaves them, in QEMU, though not what they mean. */
  private readonly driverFeatures = [0, 0];

  constructor(pci: VirtioPci, device: VirtioDevice) {
    this.pci = pci;
    this.device = device;
  }

  read(offset: number, _width: Width): number {
    const { device, pci } = this;
    const queue = pci.selectedQueue;
    if (isAddress(offset)) return this.readAddress(offset);
    switch (offset) {
      case DEVICE_FEATURE_SELECT:
        return this.deviceFeatureSelect;
      case DEVICE_FEATURE:
        return half(pci.modernFeatures, this.deviceFeatureSelect);
      case DRIVER_FEATURE_SELECT:
        return this.driverFeatureSelect;
      case DRIVER_FEATURE:
        return this.driverFeatures[this.driverFeatureSelect] ?? 0;
      case CONFIG_VECTOR:
        return device.configVector;
      case NUM_QUEUES:
        return device.queues.length;
      case STATUS:
        return device.status;
      case GENERATION:
        return device.readGeneration();
      case QUEUE_SELECT:
        return pci.queueSelect;
      case QUEUE_SIZE:
        return queue.size;
      case QUEUE_VECTOR:
        return queue.vector;
      case QUEUE_ENABLE:
        return queue.enabled ? 1 : 0;
      case QUEUE_NOTIFY_OFFSET:
        return pci.notifyOffset(pci.queueSelect);
      default:
        return 0;
    }
  }

  write(offset: number, _width: Width, value: number): void {
    const { device, pci } = this;
    const queue = pci.selectedQueue;
    if (isAddress(offset)) {
      this.writeAddress(offset, value);
      return;
    }
    switch (offset) {
      case DEVICE_FEATURE_SELECT:
        this.deviceFeatureSelect = value;
        return;
      case DRIVER_FEATURE_SELECT:
        this.driverFeatureSelect = value;
        return;
      case DRIVER_FEATURE:
        this.writeFeatures(value);
        return;
      case CONFIG_VECTOR:
        device.configVector = pci.usableVector(value);
        return;
      case STATUS:
        device.setStatus(value & 0xff);
        return;
      case QUEUE_SELECT:
        pci.selectQueue(value);
        return;
      case QUEUE_SIZE:
        // QEMU: a queue is neither made nor unmade this way.
        if (queue.size > 0 && value > 0 && value <= QUEUE_SIZE_MAX) queue.size = value;
        return;
      case QUEUE_VECTOR:
        queue.vector = pci.usableVector(value);
        return;
      case QUEUE_ENABLE:
        // §4.1.4.3.2: the driver writes nothing but 1; QEMU stops the device then.
        if (value !== 1) device.fail();
        else device.enableQueue(queue);
        return;
      case QUEUE_RESET:
        if (value === 1 && device.has(RING_RESET)) device.resetQueue(queue);
    }
  }

  private writeFeatures(value: number): void {
    if (this.driverFeatureSelect > 1) return;
    this.driverFeatures[this.driverFeatureSelect] = value;
    const [low, high] = this.driverFeatures;
    this.device.setDriverFeatures((BigInt(high) << 32n) | BigInt(low));
  }

  private readAddress(offset: number): number {
    return this.pci.selectedQueue.addressHalves[(offset - QUEUE_ADDRESSES) >> 2];
  }

  private writeAddress(offset: number, value: number): void {
    const queue = this.pci.selectedQueue;
    const halves = queue.addressHalves;
    halves[(offset - QUEUE_ADDRESSES) >> 2] = value;
    const [descriptors, driver, device] = [0, 2, 4].map((i) => halves[i + 1] * 2 ** 32 + halves[i]);
    queue.addresses = { descriptors, driver, device };
  }
}

/** Two halves of 32 bits for each of the three (§4.1.3.1). */
function isAddress(offset: number): boolean {
  return offset >= QUEUE_ADDRESSES && offset < QUEUE_ADDRESSES_END && offset % 4 === 0;
}

/** The doorbells (§4.1.4.4). QEMU goes by the address, not by what is written. */
export class Doorbells implements Registers {
  private readonly pci: VirtioPci;

  constructor(pci: VirtioPci) {
    this.pci = pci;
  }

  read(): number {
    return 0;
  }

  write(offset: number, _width: Width, value: number): void {
    this.pci.kick(this.pci.queueOfDoorbell(offset, value));
  }
}

/** Doorbells by I/O port: the value is the queue. */
export class PortDoorbell implements Registers {
  private readonly pci: VirtioPci;

  constructor(pci: VirtioPci) {
    this.pci = pci;
  }

  read(): number {
    return 0;
  }

  write(_offset: number, _width: Width, value: number): void {
    this.pci.kick(value);
  }
}

export class IsrStatus implements Registers {
  private readonly pci: VirtioPci;

  constructor(pci: VirtioPci) {
    this.pci = pci;
  }

  read(): number {
    return this.pci.readIsr();
  }

  write(): void {}
}

export class DeviceConfig implements Registers {
  private readonly device: VirtioDevice;

  constructor(device: VirtioDevice) {
    this.device = device;
  }

  read(offset: number, width: Width): number {
    return this.device.readConfigAt(offset, width);
  }

  write(offset: number, width: Width, value: number): void {
    this.device.writeConfigAt(offset, width, value);
  }
}

function half(features: bigint, select: number): number {
  return select > 1 ? 0 : Number((features >> BigInt(32 * select)) & 0xffff_ffffn);
}
