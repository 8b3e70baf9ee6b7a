// The MMIO transport (virtio 1.2 §4.2): one block of registers, all of 32 bits, and one interrupt line. Version 1 is the
// legacy interface (§4.2.4), which QEMU has unless it is told otherwise.

import { Resources } from '../acpi/resources.ts';
import { CACHED, LONG, Register, Window } from '../bus/window.ts';
import { connect, Line as IrqLine, LineUser } from '../irq/line.ts';
import { Line } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import { PAGE } from '../mm/layout.ts';
import { mapBar } from '../mm/map.ts';
import { RingLayout } from './layout.ts';
import { ISR_GONE, Transport } from './transport.ts';

// §4.2.2; those of §4.2.4 are marked.
const MAGIC: Register = LONG | 0x000;
const VERSION: Register = LONG | 0x004;
const DEVICE_ID: Register = LONG | 0x008;
const DEVICE_FEATURES: Register = LONG | 0x010;
const DEVICE_FEATURES_SELECT: Register = LONG | 0x014;
const DRIVER_FEATURES: Register = LONG | 0x020;
const DRIVER_FEATURES_SELECT: Register = LONG | 0x024;
const GUEST_PAGE_BYTES: Register = LONG | 0x028; // legacy
const QUEUE_SELECT: Register = LONG | CACHED | 0x030;
const QUEUE_SIZE_MAX: Register = LONG | 0x034;
const QUEUE_SIZE: Register = LONG | 0x038;
const QUEUE_ALIGN: Register = LONG | 0x03c; // legacy
const QUEUE_PAGE: Register = LONG | 0x040; // legacy
const QUEUE_READY: Register = LONG | 0x044;
const QUEUE_NOTIFY: u32 = 0x050;
const INTERRUPT_STATUS: Register = LONG | 0x060;
const INTERRUPT_ACKNOWLEDGE: Register = LONG | 0x064;
const STATUS: Register = LONG | 0x070;
const QUEUE_DESCRIPTORS: Register = LONG | 0x080; // 64 bits
const QUEUE_DRIVER: Register = LONG | 0x090; // 64 bits
const QUEUE_DEVICE: Register = LONG | 0x0a0; // 64 bits
const QUEUE_RESET: Register = LONG | 0x0c0;
const CONFIG_GENERATION: Register = LONG | 0x0fc;
const DEVICE_CONFIG: u32 = 0x100;

const MAGIC_VALUE: u32 = 0x7472_6976; // 'virt'
const VERSION_LEGACY: u32 = 1;
const VERSION_MODERN: u32 = 2;
const DOORBELL_BYTES: u32 = 4;
/** Interrupt status bits (§4.2.2), which are the ISR status's. */
const INTERRUPT_BITS: u32 = 3;
const ALL_ONES: u32 = 0xffff_ffff;

class MmioTransport extends Transport {
  constructor(
    name: string,
    deviceId: u32,
    legacy: bool,
    private readonly registers: Window,
    private readonly resources: Resources,
  ) {
    super(name, deviceId, legacy);
  }

  status(): u32 {
    return this.registers.read(STATUS);
  }

  setStatus(status: u32): void {
    this.registers.write(STATUS, status);
    if (status === 0) this.registers.forget();
    // §4.2.4: the unit of QUEUE_PAGE, which a reset may forget.
    if (this.legacy && status === 0) this.registers.write(GUEST_PAGE_BYTES, PAGE);
  }

  deviceFeatures(): u64 {
    const low = this.featureWord(0);
    return this.legacy ? low : ((this.featureWord(1) as u64) << 32) | low;
  }

  setDriverFeatures(features: u64): void {
    this.registers.write(DRIVER_FEATURES_SELECT, 0);
    this.registers.write(DRIVER_FEATURES, features as u32);
    if (this.legacy) return;
    this.registers.write(DRIVER_FEATURES_SELECT, 1);
    this.registers.write(DRIVER_FEATURES, (features >> 32) as u32);
  }

  interruptStatus(): u32 {
    const status = this.registers.read(INTERRUPT_STATUS);
    if (status === ALL_ONES) return ISR_GONE;
    this.registers.write(INTERRUPT_ACKNOWLEDGE, status & INTERRUPT_BITS);
    return status & INTERRUPT_BITS;
  }

  vectorCount(): u32 {
    return 0;
  }

  routeVector(_index: u32, _vector: u32, _apicId: u32): void {}

  setConfigVector(_index: u32): bool {
    return false;
  }

  setQueueVector(_queue: u32, _index: u32): bool {
    return false;
  }

  useLine(user: LineUser): IrqLine | null {
    const line = connect(this.name, this.resources.gsi, this.resources.activeLow, user);
    if (line === null) return null;
    log('virtio').text(this.name).decimal(': GSI ', line.gsi).hex(', vector ', line.vector, 2).end();
    return line;
  }

  close(): bool {
    return false;
  }

  queueSizeMax(queue: u32): u32 {
    this.registers.write(QUEUE_SELECT, queue);
    return this.registers.read(QUEUE_SIZE_MAX);
  }

  setQueue(queue: u32, layout: RingLayout): void {
    this.registers.write(QUEUE_SELECT, queue);
    this.registers.write(QUEUE_SIZE, layout.size);
    if (this.legacy) {
      this.registers.write(QUEUE_ALIGN, PAGE);
      this.registers.write(QUEUE_PAGE, layout.descriptors / PAGE);
      return;
    }
    this.registers.write64(QUEUE_DESCRIPTORS, layout.descriptors);
    this.registers.write64(QUEUE_DRIVER, layout.driver);
    this.registers.write64(QUEUE_DEVICE, layout.device);
    this.registers.write(QUEUE_READY, 1);
  }

  get resetsQueues(): bool {
    return !this.legacy;
  }

  resetQueue(queue: u32): void {
    this.registers.write(QUEUE_SELECT, queue);
    this.registers.write(QUEUE_RESET, 1);
  }

  /** Not ready either: QEMU 7.2 offers the feature here too, and has no such register. */
  isReset(queue: u32): bool {
    this.registers.write(QUEUE_SELECT, queue);
    return this.registers.read(QUEUE_RESET) === 0 && this.registers.read(QUEUE_READY) === 0;
  }

  doorbell(_queue: u32): Window | null {
    return new Window(this.registers.base + QUEUE_NOTIFY, DOORBELL_BYTES, false);
  }

  configGeneration(): u32 {
    return this.legacy ? 0 : this.registers.read(CONFIG_GENERATION);
  }

  config(): Window | null {
    return new Window(this.registers.base + DEVICE_CONFIG, this.registers.bytes - DEVICE_CONFIG, false);
  }

  private featureWord(index: u32): u32 {
    this.registers.write(DEVICE_FEATURES_SELECT, index);
    return this.registers.read(DEVICE_FEATURES);
  }
}

const scratch = new Line();

/** The transport to the device; null if there is none in this place, after a line if that is not as it should be. */
export function openMmio(resources: Resources): Transport | null {
  const name = scratch.clear().digits('mmio-', resources.address, 8).toString();
  if (resources.bytes <= DEVICE_CONFIG) return refuse(name, 'its registers are too few');
  const base = mapBar(resources.address, resources.bytes);
  if (base === 0) return null;
  const registers = new Window(base, resources.bytes, false);
  if (registers.read(MAGIC) !== MAGIC_VALUE) return refuse(name, 'there is no virtio device');
  const version = registers.read(VERSION);
  if (version !== VERSION_LEGACY && version !== VERSION_MODERN)
    return refuse(name, 'its version is neither 1 nor 2');
  const deviceId = registers.read(DEVICE_ID);
  if (deviceId === 0) return null; // §4.2.2: a place without a device
  return new MmioTransport(name, deviceId, version === VERSION_LEGACY, registers, resources);
}

function refuse(name: string, why: string): Transport | null {
  log('virtio').text(name).text(': ').text(why).end();
  return null;
}
