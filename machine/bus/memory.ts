// RAM and how devices reach it. RAM is the kernel's linear memory: a Wasm address is a machine address. A device that
// writes where the local APICs listen sends an interrupt message (Intel SDM 3A §10.11).

import type { Trace } from '../trace.ts';

/** The processor's interrupt messages: 0xfee00000 … 0xfeefffff. */
const MESSAGES_START = 0xfee0_0000;
const MESSAGES_END = 0xfef0_0000;

/** A bus master reaches outside RAM. */
export class DmaError extends Error {
  override name = 'DmaError';
}

export class Ram {
  private memory: { readonly buffer: ArrayBuffer } = { buffer: new ArrayBuffer(0) };
  private content = new Uint8Array(0);
  private words = new DataView(this.content.buffer);

  /** A kernel is loaded: its linear memory is the RAM. */
  use(memory: { readonly buffer: ArrayBuffer }): void {
    this.memory = memory;
    this.content = new Uint8Array(memory.buffer);
    this.words = new DataView(memory.buffer);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    // A module that has grown its memory itself has another buffer now, and this one is empty.
    if (this.content.length === 0) this.use(this.memory);
    return this.content;
  }

  get view(): DataView<ArrayBuffer> {
    if (this.content.length === 0) this.use(this.memory);
    return this.words;
  }

  get size(): number {
    return this.bytes.length;
  }
}

/** What sends interrupt messages to CPUs. */
export type MessageSink = (address: number, data: number) => void;

/** A bus master's access to memory. Addresses are physical, and may be anything: they come from the driver. */
export class Dma {
  private readonly nameOf: () => string;
  private readonly ram: Ram;
  private readonly trace: Trace;
  private readonly messages: MessageSink;
  /** Whether the device may be bus master now. */
  enabled: () => boolean = () => true;

  /** `nameOf`: what it is called then; a function's name changes with the numbers of buses. */
  constructor(nameOf: () => string, ram: Ram, trace: Trace, messages: MessageSink) {
    this.nameOf = nameOf;
    this.ram = ram;
    this.trace = trace;
    this.messages = messages;
  }

  get name(): string {
    return this.nameOf();
  }

  /** Whether all of a range is RAM that this master may reach. */
  reaches(address: number, bytes: number): boolean {
    return this.enabled() && address >= 0 && bytes >= 0 && address + bytes <= this.ram.size;
  }

  /** The bytes themselves, not a copy, to be read. */
  read(address: number, bytes: number): Uint8Array {
    this.check(address, bytes, false);
    return this.ram.bytes.subarray(address, address + bytes);
  }

  write(address: number, data: Uint8Array): void {
    this.check(address, data.length, true);
    this.ram.bytes.set(data, address);
  }

  fill(address: number, bytes: number, value: number): void {
    this.check(address, bytes, true);
    this.ram.bytes.fill(value, address, address + bytes);
  }

  read8(address: number): number {
    this.check(address, 1, false);
    return this.ram.view.getUint8(address);
  }

  read16(address: number): number {
    this.check(address, 2, false);
    return this.ram.view.getUint16(address, true);
  }

  read32(address: number): number {
    this.check(address, 4, false);
    return this.ram.view.getUint32(address, true);
  }

  read64(address: number): bigint {
    this.check(address, 8, false);
    return this.ram.view.getBigUint64(address, true);
  }

  write8(address: number, value: number): void {
    this.check(address, 1, true);
    this.ram.view.setUint8(address, value);
  }

  write16(address: number, value: number): void {
    this.check(address, 2, true);
    this.ram.view.setUint16(address, value, true);
  }

  /** Also sends an interrupt message, where that is what the address means. */
  write32(address: number, value: number): void {
    if (isMessage(address)) {
      if (this.enabled()) this.messages(address, value);
      return;
    }
    this.check(address, 4, true);
    this.ram.view.setUint32(address, value, true);
  }

  private check(address: number, bytes: number, write: boolean): void {
    if (!this.reaches(address, bytes))
      throw new DmaError(`${this.name}: DMA of ${bytes} bytes at 0x${address.toString(16)}, outside RAM`);
    this.trace.dma?.({ device: this.name, address, bytes, write });
  }
}

/** Whether a write there is an interrupt message. */
export function isMessage(address: number): boolean {
  return address >= MESSAGES_START && address < MESSAGES_END;
}
