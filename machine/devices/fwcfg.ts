// QEMU's fw_cfg device (docs/specs/fw_cfg in QEMU's manual): the host's files for the guest, by ports and by DMA.

import type { Dma } from '../bus/memory.ts';
import type { AddressSpace } from '../bus/space.ts';

const SELECTOR = 0x510;
const DMA = 0x514;

const KEY_SIGNATURE = 0x0000;
const KEY_ID = 0x0001;
const KEY_DIRECTORY = 0x0019;
const KEY_FIRST = 0x0020;
const ID_TRADITIONAL_AND_DMA = 3;

const DMA_SIGNATURE = [0x51454d55, 0x20434647] as const; // 'QEMU CFG'
const CONTROL_ERROR = 1;
const CONTROL_READ = 2;
const CONTROL_SKIP = 4;
const CONTROL_SELECT = 8;
const CONTROL_WRITE = 16;

const ENTRY_BYTES = 64;
const NAME_BYTES = 56;

const encoder = new TextEncoder();

export class FwCfg {
  private readonly dma: Dma;
  /** Contents by key. */
  readonly items = new Map<number, Uint8Array>();
  private readonly files: { name: string; key: number; bytes: number }[] = [];
  private key = 0;
  private offset = 0;
  private addressHigh = 0;

  constructor(ports: AddressSpace, dma: Dma) {
    this.dma = dma;
    this.items.set(KEY_SIGNATURE, encode('QEMU'));
    this.items.set(KEY_ID, Uint8Array.of(ID_TRADITIONAL_AND_DMA, 0, 0, 0));
    ports.map(SELECTOR, 2, {
      read: (offset) => (offset === 1 ? this.next() : 0),
      write: (offset, width, value) => {
        if (offset === 0 && width === 2) this.select(value);
      },
    });
    ports.map(DMA, 8, {
      read: (offset) => swap(DMA_SIGNATURE[offset >> 2]),
      write: (offset, width, value) => {
        if (width !== 4) return;
        if (offset === 0) this.addressHigh = swap(value);
        else this.transfer(this.addressHigh * 2 ** 32 + swap(value));
      },
    });
  }

  /** Adds or replaces a file; text is UTF-8 without a NUL. */
  addFile(name: string, content: Uint8Array | string): void {
    const bytes = typeof content === 'string' ? encode(content) : content;
    let file = this.files.find((f) => f.name === name);
    if (file === undefined) {
      file = { name, key: KEY_FIRST + this.files.length, bytes: 0 };
      this.files.push(file);
    }
    file.bytes = bytes.length;
    this.items.set(file.key, bytes);
    this.items.set(KEY_DIRECTORY, this.directory());
  }

  /** Ports 0x510 and 0x511 overlap in a 16-bit selector; the data port is a byte. */
  private next(): number {
    return this.items.get(this.key)?.[this.offset++] ?? 0;
  }

  private select(key: number): void {
    this.key = key;
    this.offset = 0;
  }

  /** Carries out the DMA command at an address. */
  transfer(command: number): void {
    if (!this.dma.reaches(command, 16)) return;
    const control = swap(this.dma.read32(command));
    const bytes = swap(this.dma.read32(command + 4));
    const address = swap(this.dma.read32(command + 8)) * 2 ** 32 + swap(this.dma.read32(command + 12));
    if (control & CONTROL_SELECT) this.select(control >>> 16);
    let failed = (control & CONTROL_WRITE) !== 0;
    if (control & CONTROL_READ) {
      const data = this.items.get(this.key)?.subarray(this.offset, this.offset + bytes) ?? new Uint8Array(0);
      failed = !this.dma.reaches(address, bytes);
      if (!failed) {
        this.dma.write(address, data);
        this.dma.fill(address + data.length, bytes - data.length, 0);
      }
    }
    if (control & (CONTROL_READ | CONTROL_SKIP)) this.offset += bytes;
    this.dma.write32(command, failed ? swap(CONTROL_ERROR) : 0);
  }

  private directory(): Uint8Array {
    const data = new DataView(new ArrayBuffer(4 + this.files.length * ENTRY_BYTES));
    data.setUint32(0, this.files.length);
    for (const [i, { name, key, bytes }] of this.files.entries()) {
      const at = 4 + i * ENTRY_BYTES;
      data.setUint32(at, bytes);
      data.setUint16(at + 4, key);
      const text = encode(name).subarray(0, NAME_BYTES - 1);
      for (const [j, byte] of text.entries()) data.setUint8(at + 8 + j, byte);
    }
    return new Uint8Array(data.buffer);
  }
}

function encode(text: string): Uint8Array {
  return encoder.encode(text);
}

/** All of it is big-endian. */
function swap(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
