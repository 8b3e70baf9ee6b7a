// The legacy PCI transport (virtio 1.2 §4.1.4.8): one block of registers in I/O BAR 0, 32 feature bits, a queue's
// size fixed by the device and its place given as a page number.

import { PciFunction } from '../bus/pci/function.ts';
import { PciInterrupts } from '../bus/pci/interrupts.ts';
import { BYTE, CACHED, LONG, Register, Window, WORD } from '../bus/window.ts';
import { log } from '../lib/log.ts';
import { RingLayout } from './layout.ts';
import { PciTransport } from './pci-transport.ts';
import { Transport } from './transport.ts';

const DEVICE_FEATURES: Register = LONG | 0x00;
const DRIVER_FEATURES: Register = LONG | 0x04;
const QUEUE_ADDRESS: Register = LONG | 0x08;
const QUEUE_SIZE: Register = WORD | 0x0c;
const QUEUE_SELECT: Register = WORD | CACHED | 0x0e;
const QUEUE_NOTIFY: u32 = 0x10;
const DEVICE_STATUS: Register = BYTE | 0x12;
const ISR_STATUS: Register = BYTE | 0x13;
// With MSI-X on two more registers; then the device's configuration.
const CONFIG_VECTOR: Register = WORD | 0x14;
const QUEUE_VECTOR: Register = WORD | 0x16;
const DEVICE_CONFIG: u32 = 0x14;
const DEVICE_CONFIG_MSIX: u32 = 0x18;

/** §4.1.5.1.3: QUEUE_ADDRESS is a physical address divided by this. */
const QUEUE_ADDRESS_SHIFT: u32 = 12;

export class LegacyTransport extends PciTransport {
  constructor(
    name: string,
    deviceId: u32,
    interrupts: PciInterrupts,
    private readonly registers: Window,
  ) {
    super(name, deviceId, true, interrupts);
  }

  status(): u32 {
    return this.registers.read(DEVICE_STATUS);
  }

  setStatus(status: u32): void {
    this.registers.write(DEVICE_STATUS, status);
    if (status === 0) this.registers.forget();
  }

  deviceFeatures(): u64 {
    return this.registers.read(DEVICE_FEATURES);
  }

  setDriverFeatures(features: u64): void {
    this.registers.write(DRIVER_FEATURES, features as u32);
  }

  interruptStatus(): u32 {
    return this.registers.read(ISR_STATUS);
  }

  setConfigVector(index: u32): bool {
    this.registers.write(CONFIG_VECTOR, index);
    return this.registers.read(CONFIG_VECTOR) === index;
  }

  queueSizeMax(queue: u32): u32 {
    this.registers.write(QUEUE_SELECT, queue);
    return this.registers.read(QUEUE_SIZE);
  }

  setQueueVector(queue: u32, index: u32): bool {
    this.registers.write(QUEUE_SELECT, queue);
    this.registers.write(QUEUE_VECTOR, index);
    return this.registers.read(QUEUE_VECTOR) === index;
  }

  setQueue(queue: u32, layout: RingLayout): void {
    this.registers.write(QUEUE_SELECT, queue);
    this.registers.write(QUEUE_ADDRESS, layout.descriptors >> QUEUE_ADDRESS_SHIFT);
  }

  doorbell(_queue: u32): Window | null {
    return new Window(this.registers.base + QUEUE_NOTIFY, 2, true);
  }

  /** A legacy device has no generation (§2.5.4); a driver reads until two reads agree. */
  configGeneration(): u32 {
    return 0;
  }

  config(): Window | null {
    const offset = this.interrupts.byMessage ? DEVICE_CONFIG_MSIX : DEVICE_CONFIG;
    return new Window(this.registers.base + offset, this.registers.bytes - offset, true);
  }
}

/** The function's legacy transport; null (after a line) if it has none. */
export function openLegacy(fn: PciFunction, deviceId: u32, interrupts: PciInterrupts): Transport | null {
  const bar = fn.bars[0];
  if (bar !== null && bar.ports && bar.bytes > DEVICE_CONFIG_MSIX) {
    const registers = bar.window(0, bar.bytes as u32);
    if (registers !== null) return new LegacyTransport(fn.name, deviceId, interrupts, registers);
  }
  log('virtio').text(fn.name).text(': neither a modern nor a legacy interface').end();
  return null;
}
