// QEMU's educational device (QEMU: docs/specs/edu.rst, hw/misc/edu.c), on which docs/writing-a-driver.md shows how drivers are
// written: it computes factorials, copies between RAM and a buffer of its own, and interrupts when it is done.

import type { Width } from '../bus/space.ts';
import { ones } from '../bus/space.ts';
import { MachineError } from '../error.ts';
import * as config from './config.ts';
import { PciFunction } from './function.ts';
import { Msi } from './msi.ts';

const VENDOR = 0x1234;
const DEVICE = 0x11e8;
const CLASS = 0x00ff00;
const REVISION = 0x10;
const BAR_BYTES = 0x10_0000;

/** Version 1.0. */
const IDENTIFICATION = 0x0100_00ed;

// Status.
const COMPUTING = 0x01;
const INTERRUPT_WHEN_COMPUTED = 0x80;

// Reasons for an interrupt.
const COMPUTED = 0x001;
const COPIED = 0x100;

// Commands of the DMA engine.
const RUN = 0x1;
const TO_RAM = 0x2;
const INTERRUPT_WHEN_COPIED = 0x4;

const BUFFER = 0x4_0000;
const BUFFER_BYTES = 4096;
/** It drives 28 address lines. */
const ADDRESS_MAX = (1 << 28) - 1;

const COMPUTE_NS = 10_000;
const COPY_NS = 100_000_000;

export class Edu extends PciFunction {
  private readonly msi: Msi | undefined;
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private inverted = 0;
  private factorial = 0;
  private status = 0;
  private reasons = 0;
  private source = 0;
  private target = 0;
  private bytes = 0;
  private dmaCommand = 0;

  /** Without `msi` it has its pin only. */
  constructor({ msi = true } = {}) {
    super(VENDOR, DEVICE, CLASS, REVISION);
    this.config.set8(config.INTERRUPT_PIN, 1);
    if (msi) this.msi = new Msi(this);
    this.addBar(0, {
      bytes: BAR_BYTES,
      registers: { read: this.load.bind(this), write: this.store.bind(this) },
    });
  }

  private load(offset: number, width: Width): number {
    if (width !== 4) return 0;
    switch (offset) {
      case 0x00:
        return IDENTIFICATION;
      case 0x04:
        return this.inverted;
      case 0x08:
        return this.factorial;
      case 0x20:
        return this.status;
      case 0x24:
        return this.reasons;
      case 0x80:
        return this.source;
      case 0x88:
        return this.target;
      case 0x90:
        return this.bytes;
      case 0x98:
        return this.dmaCommand;
      default:
        return ones(width);
    }
  }

  private store(offset: number, width: Width, value: number): void {
    if (width !== 4) return;
    switch (offset) {
      case 0x04:
        this.inverted = ~value >>> 0;
        break;
      case 0x08:
        this.compute(value);
        break;
      case 0x20:
        this.status = (this.status & ~INTERRUPT_WHEN_COMPUTED) | (value & INTERRUPT_WHEN_COMPUTED);
        break;
      case 0x60:
        this.interrupt(value);
        break;
      case 0x64:
        this.reasons = (this.reasons & ~value) >>> 0;
        if (this.reasons === 0) this.setIntx(false);
        break;
      default:
        this.storeDma(offset, value);
    }
  }

  /** While a copy is under way nothing changes. */
  private storeDma(offset: number, value: number): void {
    if (this.dmaCommand & RUN) return;
    if (offset === 0x80) this.source = value;
    if (offset === 0x88) this.target = value;
    if (offset === 0x90) this.bytes = value;
    if (offset !== 0x98 || !(value & RUN)) return;
    this.dmaCommand = value;
    this.system.clock.schedule(COPY_NS, () => this.copy());
  }

  private compute(value: number): void {
    if (this.status & COMPUTING) return;
    this.factorial = value;
    this.status |= COMPUTING;
    this.system.clock.schedule(COMPUTE_NS, () => {
      let product = 1;
      // From 34 on all 32 bits are 0.
      for (let factor = Math.min(value, 34); factor > 0; factor--) product = Math.imul(product, factor) >>> 0;
      this.factorial = product;
      this.status &= ~COMPUTING;
      if (this.status & INTERRUPT_WHEN_COMPUTED) this.interrupt(COMPUTED);
    });
  }

  private copy(): void {
    const { source, target, bytes } = this;
    if (this.dmaCommand & TO_RAM) this.dma.write(target & ADDRESS_MAX, this.part(source, bytes));
    else this.part(target, bytes).set(this.dma.read(source & ADDRESS_MAX, bytes));
    this.dmaCommand &= ~RUN;
    if (this.dmaCommand & INTERRUPT_WHEN_COPIED) this.interrupt(COPIED);
  }

  /** Outside its buffer QEMU stops the whole machine, and so does this; the buffer's last byte is outside to both. */
  private part(address: number, bytes: number): Uint8Array {
    const start = address - BUFFER;
    if (start < 0 || bytes === 0 || bytes >= BUFFER_BYTES - start)
      throw new MachineError(
        `edu ${this.name}: a copy of ${bytes} bytes at 0x${address.toString(16)}, outside its buffer`,
      );
    return this.buffer.subarray(start, start + bytes);
  }

  private interrupt(reasons: number): void {
    this.reasons = (this.reasons | reasons) >>> 0;
    if (this.reasons === 0) return;
    if (this.msi?.enabled) this.msi.notify();
    else this.setIntx(true);
  }
}
