// The modern PCI transport (virtio 1.2 §4.1.4): the device's structures lie anywhere in its BARs, memory or ports,
// and vendor capabilities say where.

import { ID_VENDOR } from '../bus/pci/capability.ts';
import * as config from '../bus/pci/config.ts';
import { BARS_MAX, PciFunction } from '../bus/pci/function.ts';
import { PciInterrupts } from '../bus/pci/interrupts.ts';
import { BYTE, CACHED, LONG, Register, Window, WORD } from '../bus/window.ts';
import { log } from '../lib/log.ts';
import { RingLayout } from './layout.ts';
import { PciTransport } from './pci-transport.ts';
import { Transport } from './transport.ts';

// struct virtio_pci_cap (§4.1.4).
const CAP_LENGTH: u32 = 2;
const CAP_TYPE: u32 = 3;
const CAP_BAR: u32 = 4;
const CAP_OFFSET: u32 = 8;
const CAP_BYTES: u32 = 12;
const CAP_NOTIFY_MULTIPLIER: u32 = 16; // struct virtio_pci_notify_cap (§4.1.4.4)
const CAP_LENGTH_MIN: u32 = 16;
const CAP_NOTIFY_LENGTH_MIN: u32 = 20;

const TYPE_COMMON: u32 = 1;
const TYPE_NOTIFY: u32 = 2;
const TYPE_ISR: u32 = 3;
const TYPE_DEVICE: u32 = 4;

/** Enough of any device's configuration or doorbells; keeps what is mapped small. */
const STRUCTURE_BYTES_MAX: u32 = 0x100_0000;

// struct virtio_pci_common_cfg (§4.1.4.3).
const DEVICE_FEATURE_SELECT: Register = LONG | 0x00;
const DEVICE_FEATURE: Register = LONG | 0x04;
const DRIVER_FEATURE_SELECT: Register = LONG | 0x08;
const DRIVER_FEATURE: Register = LONG | 0x0c;
const CONFIG_VECTOR: Register = WORD | 0x10;
const NUM_QUEUES: Register = WORD | 0x12;
const DEVICE_STATUS: Register = BYTE | 0x14;
const CONFIG_GENERATION: Register = BYTE | 0x15;
const QUEUE_SELECT: Register = WORD | CACHED | 0x16;
const QUEUE_SIZE: Register = WORD | 0x18;
const QUEUE_VECTOR: Register = WORD | 0x1a;
const QUEUE_ENABLE: Register = WORD | 0x1c;
const QUEUE_NOTIFY_OFFSET: Register = WORD | 0x1e;
const QUEUE_DESCRIPTORS: Register = LONG | 0x20; // 64 bits
const QUEUE_DRIVER: Register = LONG | 0x28; // 64 bits
const QUEUE_DEVICE: Register = LONG | 0x30; // 64 bits
const QUEUE_RESET: Register = WORD | 0x3a;

const ISR_STATUS: Register = BYTE | 0; // §4.1.4.5

export class ModernTransport extends PciTransport {
  constructor(
    name: string,
    deviceId: u32,
    interrupts: PciInterrupts,
    private readonly common: Window,
    private readonly isr: Window,
    private readonly notify: Window,
    private readonly notifyMultiplier: u32,
    private readonly device: Window | null,
  ) {
    super(name, deviceId, false, interrupts);
  }

  status(): u32 {
    return this.common.read(DEVICE_STATUS);
  }

  setStatus(status: u32): void {
    this.common.write(DEVICE_STATUS, status);
    if (status === 0) this.common.forget();
  }

  deviceFeatures(): u64 {
    this.common.write(DEVICE_FEATURE_SELECT, 0);
    const low = this.common.read(DEVICE_FEATURE);
    this.common.write(DEVICE_FEATURE_SELECT, 1);
    return ((this.common.read(DEVICE_FEATURE) as u64) << 32) | low;
  }

  setDriverFeatures(features: u64): void {
    this.common.write(DRIVER_FEATURE_SELECT, 0);
    this.common.write(DRIVER_FEATURE, features as u32);
    this.common.write(DRIVER_FEATURE_SELECT, 1);
    this.common.write(DRIVER_FEATURE, (features >> 32) as u32);
  }

  interruptStatus(): u32 {
    return this.isr.read(ISR_STATUS);
  }

  setConfigVector(index: u32): bool {
    this.common.write(CONFIG_VECTOR, index);
    return this.common.read(CONFIG_VECTOR) === index;
  }

  queueSizeMax(queue: u32): u32 {
    if (queue >= this.common.read(NUM_QUEUES)) return 0;
    this.common.write(QUEUE_SELECT, queue);
    return this.common.read(QUEUE_SIZE);
  }

  setQueueVector(queue: u32, index: u32): bool {
    this.common.write(QUEUE_SELECT, queue);
    this.common.write(QUEUE_VECTOR, index);
    return this.common.read(QUEUE_VECTOR) === index;
  }

  setQueue(queue: u32, layout: RingLayout): void {
    this.common.write(QUEUE_SELECT, queue);
    this.common.write(QUEUE_SIZE, layout.size);
    // §4.1.3.1: a 64-bit register is written as two halves.
    this.common.write64(QUEUE_DESCRIPTORS, layout.descriptors);
    this.common.write64(QUEUE_DRIVER, layout.driver);
    this.common.write64(QUEUE_DEVICE, layout.device);
    this.common.write(QUEUE_ENABLE, 1);
  }

  get resetsQueues(): bool {
    return this.common.has(QUEUE_RESET);
  }

  resetQueue(queue: u32): void {
    this.common.write(QUEUE_SELECT, queue);
    this.common.write(QUEUE_RESET, 1);
  }

  /** §4.1.4.3.1: both read 0 then. */
  isReset(queue: u32): bool {
    this.common.write(QUEUE_SELECT, queue);
    return this.common.read(QUEUE_RESET) === 0 && this.common.read(QUEUE_ENABLE) === 0;
  }

  doorbell(queue: u32): Window | null {
    this.common.write(QUEUE_SELECT, queue);
    // §4.1.4.4: 16-bit offset times 32-bit multiplier, within the structure.
    const offset = (this.common.read(QUEUE_NOTIFY_OFFSET) as u64) * this.notifyMultiplier;
    if (offset + 2 <= this.notify.bytes)
      return new Window(this.notify.base + (offset as u32), 2, this.notify.ports);
    log('virtio')
      .text(this.name)
      .decimal(': the doorbell of queue ', queue)
      .hex(' at ', offset, 8)
      .text(' lies outside its structure')
      .end();
    return null;
  }

  configGeneration(): u32 {
    return this.common.read(CONFIG_GENERATION);
  }

  config(): Window | null {
    return this.device;
  }
}

/** The function's modern transport; null if it has none, after a line if it has it in parts or `only` it. */
export function openModern(
  fn: PciFunction,
  deviceId: u32,
  interrupts: PciInterrupts,
  only: bool,
): Transport | null {
  let common: Window | null = null;
  let isr: Window | null = null;
  let notify: Window | null = null;
  let device: Window | null = null;
  let multiplier: u32 = 0;
  let seen: bool = false;
  const list = fn.capabilities();
  while (list.next()) {
    if (list.id !== ID_VENDOR) continue;
    seen = true;
    const type = config.read8(fn.address, list.offset + CAP_TYPE);
    // §4.1.4.1: the first of each type that the driver can use.
    if (type === TYPE_COMMON && common === null) {
      common = structure(fn, list.offset, CAP_LENGTH_MIN);
    } else if (type === TYPE_ISR && isr === null) {
      isr = structure(fn, list.offset, CAP_LENGTH_MIN);
    } else if (type === TYPE_DEVICE && device === null) {
      device = structure(fn, list.offset, CAP_LENGTH_MIN);
    } else if (type === TYPE_NOTIFY && notify === null) {
      notify = structure(fn, list.offset, CAP_NOTIFY_LENGTH_MIN);
      if (notify !== null) multiplier = config.read32(fn.address, list.offset + CAP_NOTIFY_MULTIPLIER);
    }
  }
  if (!seen) {
    if (only) log('virtio').text(fn.name).text(': its capabilities lead to no virtio interface').end();
    return null;
  }
  if (common === null || isr === null || notify === null || !common.has(QUEUE_DEVICE + 4)) {
    log('virtio').text(fn.name).text(': its modern structures are not complete').end();
    return null;
  }
  return new ModernTransport(fn.name, deviceId, interrupts, common, isr, notify, multiplier, device);
}

/** The window that a capability describes, null if that is not inside a BAR. */
function structure(fn: PciFunction, offset: u32, lengthMin: u32): Window | null {
  const bar = config.read8(fn.address, offset + CAP_BAR);
  // §4.1.4: other values of bar are reserved, and such a capability shall be ignored.
  if (bar >= BARS_MAX || config.read8(fn.address, offset + CAP_LENGTH) < lengthMin) return null;
  const found = fn.bars[bar];
  if (found === null) return null;
  const bytes = min(config.read32(fn.address, offset + CAP_BYTES), STRUCTURE_BYTES_MAX);
  return found.window(config.read32(fn.address, offset + CAP_OFFSET), bytes);
}
