// The legacy interface of virtio on PCI (virtio 1.2 §4.1.4.8): registers in I/O BAR 0.

import type { Registers, Width } from '../bus/space.ts';
import type { VirtioDevice } from './device.ts';
import { BAD_FEATURE, has } from './features.ts';
import type { VirtioPci } from './pci.ts';
import { legacyAddresses } from './queue.ts';

const DEVICE_FEATURES = 0x00;
const DRIVER_FEATURES = 0x04;
const QUEUE_ADDRESS = 0x08;
const QUEUE_SIZE = 0x0c;
const QUEUE_SELECT = 0x0e;
const QUEUE_NOTIFY = 0x10;
const STATUS = 0x12;
const ISR = 0x13;
const CONFIG_VECTOR = 0x14;
const QUEUE_VECTOR = 0x16;
/** Of the device's configuration, with and without MSI-X enabled. */
export const CONFIG_WITH_VECTORS = 0x18;
export const CONFIG_WITHOUT = 0x14;

const PAGE_BYTES = 4096;

export class LegacyRegisters implements Registers {
  private readonly pci: VirtioPci;
  private readonly device: VirtioDevice;
  /** What was written to QUEUE_ADDRESS, by queue. */
  private readonly pages: number[] = [];

  constructor(pci: VirtioPci, device: VirtioDevice) {
    this.pci = pci;
    this.device = device;
  }

  reset(): void {
    this.pages.length = 0;
  }

  read(offset: number, width: Width): number {
    const { device, pci } = this;
    const queue = pci.selectedQueue;
    if (offset >= this.configStart) return device.readConfigAt(offset - this.configStart, width);
    switch (offset) {
      case DEVICE_FEATURES:
        return Number(device.deviceFeatures & 0xffff_ffffn);
      case DRIVER_FEATURES:
        return Number(device.driverFeatures & 0xffff_ffffn);
      case QUEUE_ADDRESS:
        return this.pages[pci.queueSelect] ?? 0;
      case QUEUE_SIZE:
        return queue.sizeMax;
      case QUEUE_SELECT:
        return pci.queueSelect;
      case STATUS:
        return device.status;
      case ISR:
        return pci.readIsr();
      case CONFIG_VECTOR:
        return device.configVector;
      case QUEUE_VECTOR:
        return queue.vector;
      default:
        return 0xffff_ffff;
    }
  }

  write(offset: number, width: Width, value: number): void {
    const { device, pci } = this;
    const queue = pci.selectedQueue;
    if (offset >= this.configStart) {
      device.writeConfigAt(offset - this.configStart, width, value);
      return;
    }
    switch (offset) {
      case DRIVER_FEATURES:
        // A driver that accepts this bit looks at nothing, and is granted nothing.
        device.setDriverFeatures(has(BigInt(value), BAD_FEATURE) ? 0n : BigInt(value));
        return;
      case QUEUE_ADDRESS:
        this.setAddress(value);
        return;
      case QUEUE_SELECT:
        pci.selectQueue(value);
        return;
      case QUEUE_NOTIFY:
        pci.kick(value);
        return;
      case STATUS:
        device.setStatus(value);
        return;
      case CONFIG_VECTOR:
        device.configVector = pci.usableVector(value);
        return;
      case QUEUE_VECTOR:
        queue.vector = pci.usableVector(value);
    }
  }

  private get configStart(): number {
    return this.pci.msix?.enabled ? CONFIG_WITH_VECTORS : CONFIG_WITHOUT;
  }

  /** Address 0 resets the device. */
  private setAddress(page: number): void {
    const queue = this.pci.selectedQueue;
    if (page === 0) {
      this.device.reset();
      this.pci.resetDone();
      return;
    }
    if (queue.size === 0) return;
    this.pages[this.pci.queueSelect] = page;
    queue.addresses = legacyAddresses(page * PAGE_BYTES, queue.size, PAGE_BYTES);
    this.device.enableQueue(queue);
  }
}
