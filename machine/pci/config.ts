// A function's configuration space: bytes, which of their bits can be written, and which a written 1 clears. Names are
// those of PCI 3.0 §6.1 and of the PCI-to-PCI Bridge Architecture 1.2 §3.2.

import { readBytes, type Width } from '../bus/space.ts';

export const VENDOR_ID = 0x00;
export const DEVICE_ID = 0x02;
export const COMMAND = 0x04;
export const STATUS = 0x06;
export const REVISION = 0x08;
export const CLASS_CODE = 0x09;
export const HEADER_TYPE = 0x0e;
export const BAR_0 = 0x10;
export const SUBSYSTEM_VENDOR_ID = 0x2c;
export const SUBSYSTEM_ID = 0x2e;
export const CAPABILITIES = 0x34;
export const INTERRUPT_LINE = 0x3c;
export const INTERRUPT_PIN = 0x3d;
export const PRIMARY_BUS = 0x18;
export const SECONDARY_BUS = 0x19;
export const SUBORDINATE_BUS = 0x1a;
export const IO_BASE = 0x1c;
export const IO_LIMIT = 0x1d;
export const MEMORY_BASE = 0x20;
export const MEMORY_LIMIT = 0x22;
export const PREFETCHABLE_BASE = 0x24;
export const PREFETCHABLE_LIMIT = 0x26;
export const PREFETCHABLE_BASE_UPPER = 0x28;
export const PREFETCHABLE_LIMIT_UPPER = 0x2c;

export const COMMAND_IO = 1 << 0;
export const COMMAND_MEMORY = 1 << 1;
export const COMMAND_MASTER = 1 << 2;
export const COMMAND_SERR = 1 << 8;
export const COMMAND_INTX_OFF = 1 << 10;
/** What QEMU lets a guest write: I/O, memory, master, SERR, INTx. */
const COMMAND_WRITABLE = 0x0507;
/** From here on are capabilities; what is none of them is plain memory, in QEMU. */
const DEVICE_SPECIFIC = 0x40;
export const STATUS_INTX = 1 << 3;
export const STATUS_CAPABILITIES = 1 << 4;
const STATUS_CLEARED_BY_ONES = 0xf900;

export const HEADER_BRIDGE = 1;
export const HEADER_MULTIFUNCTION = 0x80;

export class ConfigSpace {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bits that can be written. */
  readonly writable: Uint8Array;
  /** Bits that a written 1 clears. */
  readonly clearable: Uint8Array;
  private nextOffset = DEVICE_SPECIFIC;

  /** `size`: 256, or 4096 on PCI Express. */
  constructor(size: 256 | 4096 = 256) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    this.writable = new Uint8Array(size);
    this.clearable = new Uint8Array(size);
    new DataView(this.writable.buffer).setUint16(COMMAND, COMMAND_WRITABLE, true);
    new DataView(this.clearable.buffer).setUint16(STATUS, STATUS_CLEARED_BY_ONES, true);
    this.writable.fill(0xff, DEVICE_SPECIFIC);
    this.writable[INTERRUPT_LINE] = 0xff;
    this.writable[0x0c] = 0xff; // cache line size
  }

  read(offset: number, width: Width): number {
    return offset + width > this.bytes.length ? 0 : readBytes(this.view, offset, width);
  }

  /** A write as the function's logic takes it. */
  write(offset: number, width: Width, value: number): void {
    for (let i = 0; i < width && offset + i < this.bytes.length; i++) {
      const at = offset + i;
      const byte = (value >>> (8 * i)) & 0xff;
      const kept = (this.bytes[at] & ~this.writable[at]) | (byte & this.writable[at]);
      this.bytes[at] = kept & ~(byte & this.clearable[at]);
    }
  }

  get16(offset: number): number {
    return this.view.getUint16(offset, true);
  }

  get32(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  set8(offset: number, value: number): void {
    this.bytes[offset] = value;
  }

  set16(offset: number, value: number): void {
    this.view.setUint16(offset, value, true);
  }

  set32(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }

  setWritable(offset: number, mask: number, width: Width): void {
    for (let i = 0; i < width; i++) this.writable[offset + i] = (mask >>> (8 * i)) & 0xff;
  }

  setClass(code: number, revision: number): void {
    this.set32(REVISION, (code * 256 + revision) >>> 0);
  }

  /**
   * Adds a capability in front of the list, as QEMU does, and returns its offset. `body` follows the ID and the pointer
   * to the next; `at` is its place, else the first that is free.
   */
  addCapability(id: number, body: Uint8Array | readonly number[], at = this.nextOffset): number {
    this.bytes[at] = id;
    this.bytes[at + 1] = this.bytes[CAPABILITIES];
    this.bytes.set(body, at + 2);
    this.writable.fill(0, at, at + 2 + body.length);
    this.nextOffset = Math.max(this.nextOffset, (at + 2 + body.length + 3) & ~3);
    this.bytes[CAPABILITIES] = at;
    this.set16(STATUS, this.get16(STATUS) | STATUS_CAPABILITIES);
    return at;
  }
}
