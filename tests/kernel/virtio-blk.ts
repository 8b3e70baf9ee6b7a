// A modern virtio-blk device on PCI (virtio 1.2 §4.1, §5.2), with the faults that a test asks for. It works when it is
// notified, on the machine's RAM, and reports by MSI-X.

import type { Machine, PciFunction, Registers } from './machine.ts';

export interface Faults {
  /** The status never reads 0 after a reset. */
  neverResets?: boolean;
  refusesFeatures?: boolean;
  /** Notifications are ignored. */
  silent?: boolean;
  /** Every request gets this status. */
  status?: number;
  /** Changes what goes to the used ring. */
  used?: (id: number, length: number) => [number, number];
  /** The list of capabilities ends in itself. */
  capabilityLoop?: boolean;
  /** MSI-X is not there. */
  noMsix?: boolean;
  refusesVectors?: boolean;
}

export interface Options extends Faults {
  features?: bigint;
  queueSize?: number;
  segMax?: number;
  sizeMax?: number;
  blockSize?: number;
}

const ADDRESS = 0x80_0000_0000;
const BAR_BYTES = 0x4000;
const COMMON = 0x0000;
const ISR = 0x1000;
const DEVICE = 0x2000;
const NOTIFY = 0x3000;
const MSIX_TABLE = 0x3800;

export class VirtioBlk implements PciFunction, Registers {
  readonly device = 4;
  readonly config = new DataView(new ArrayBuffer(256));
  readonly address = ADDRESS;
  readonly bytes = BAR_BYTES;
  requests: { type: number; sector: bigint }[] = [];
  kicks = 0;
  chains: number[] = [];
  private readonly machine: Machine;
  private readonly disk: Uint8Array;
  private readonly options: Options;
  private readonly common = new DataView(new ArrayBuffer(64));
  private readonly msix = new DataView(new ArrayBuffer(32));
  private status = 0;
  private driverFeatures = 0n;
  private lastAvailable = 0;
  private barSizing = [false, false];

  constructor(machine: Machine, disk: Uint8Array, options: Options = {}) {
    this.machine = machine;
    this.disk = disk;
    this.options = options;
    const c = this.config;
    c.setUint32(0x00, 0x1042_1af4, true);
    c.setUint16(0x06, 0x10, true); // it has capabilities
    c.setUint32(0x08, 0x0100_0001, true);
    c.setUint32(0x10, 0xc, true); // 64 bits, prefetchable
    c.setUint32(0x14, ADDRESS / 2 ** 32, true);
    c.setUint8(0x34, 0x40);
    this.capability(0x40, 0x50, 1, COMMON, 0x38);
    this.capability(0x50, 0x60, 3, ISR, 1);
    this.capability(0x60, 0x70, 4, DEVICE, 0x40);
    this.capability(0x70, options.noMsix ? 0 : 0x90, 2, NOTIFY, 0x800);
    c.setUint8(0x72, 20);
    c.setUint32(0x80, 4, true);
    c.setUint8(0x90, 0x11);
    c.setUint8(0x91, options.capabilityLoop ? 0x40 : 0);
    c.setUint16(0x92, 1, true); // two entries
    c.setUint32(0x94, MSIX_TABLE, true);
    c.setUint32(0x98, MSIX_TABLE + 0x100, true);
    machine.functions.push(this);
    machine.registers.push(this);
  }

  get accepted(): bigint {
    return this.driverFeatures;
  }

  writeConfig(offset: number, width: number, value: number): void {
    if (width === 2 && offset === 0x04) this.config.setUint16(0x04, value, true);
    if (width === 2 && offset === 0x92) this.config.setUint16(0x92, (value & 0xc000) | 1, true);
    if (width !== 4 || offset < 0x10 || offset > 0x14) return;
    const half = (offset - 0x10) / 4;
    this.barSizing[half] = value === 0xffffffff;
    const plain = half === 0 ? 0xc : ADDRESS / 2 ** 32;
    const ones = half === 0 ? (-BAR_BYTES >>> 0) | 0xc : 0xffffffff;
    this.config.setUint32(offset, this.barSizing[half] ? ones : plain, true);
  }

  read(offset: number, width: number): number {
    if (offset >= MSIX_TABLE) return this.msix.getUint32(offset - MSIX_TABLE, true);
    if (offset === ISR) return 1;
    if (offset >= DEVICE) return this.readDevice(offset - DEVICE, width);
    return this.readCommon(offset - COMMON, width);
  }

  write(offset: number, width: number, value: number): void {
    if (offset >= MSIX_TABLE) this.msix.setUint32(offset - MSIX_TABLE, value, true);
    else if (offset >= NOTIFY) this.notified();
    else this.writeCommon(offset - COMMON, width, value);
  }

  private capability(at: number, next: number, type: number, offset: number, bytes: number): void {
    this.config.setUint8(at, 9);
    this.config.setUint8(at + 1, next);
    this.config.setUint8(at + 2, 16);
    this.config.setUint8(at + 3, type);
    this.config.setUint32(at + 8, offset, true);
    this.config.setUint32(at + 12, bytes, true);
  }

  private offered(): bigint {
    return (
      this.options.features ?? (1n << 2n) | (1n << 6n) | (1n << 9n) | (1n << 28n) | (1n << 29n) | (1n << 32n)
    );
  }

  private readCommon(offset: number, width: number): number {
    if (offset === 0x04)
      return Number((this.offered() >> (this.common.getUint32(0, true) === 0 ? 0n : 32n)) & 0xffffffffn);
    if (offset === 0x12) return 1;
    if (offset === 0x14) return this.options.neverResets ? 0x40 : this.status;
    if (offset === 0x18) return this.common.getUint16(0x18, true) || (this.options.queueSize ?? 8);
    if ((offset === 0x10 || offset === 0x1a) && this.options.refusesVectors) return 0xffff;
    if (width === 1) return this.common.getUint8(offset);
    return width === 2 ? this.common.getUint16(offset, true) : this.common.getUint32(offset, true);
  }

  private writeCommon(offset: number, width: number, value: number): void {
    if (offset === 0x14) {
      this.status = value === 0 ? 0 : this.options.refusesFeatures ? value & ~8 : value;
    } else if (offset === 0x0c) {
      const shift = this.common.getUint32(8, true) === 0 ? 0n : 32n;
      this.driverFeatures |= BigInt(value) << shift;
    } else if (width === 1) this.common.setUint8(offset, value);
    else if (width === 2) this.common.setUint16(offset, value, true);
    else this.common.setUint32(offset, value, true);
  }

  private readDevice(offset: number, width: number): number {
    const view = new DataView(new ArrayBuffer(64));
    view.setBigUint64(0, BigInt(this.disk.length / 512), true);
    view.setUint32(8, this.options.sizeMax ?? 4096, true);
    view.setUint32(12, this.options.segMax ?? 126, true);
    view.setUint32(20, this.options.blockSize ?? 512, true);
    return width === 4 ? view.getUint32(offset, true) : view.getUint8(offset);
  }

  private notified(): void {
    this.kicks++;
    if (this.options.silent) return;
    const ram = this.machine.ram;
    const size = this.common.getUint16(0x18, true);
    const available = this.common.getUint32(0x28, true);
    const used = this.common.getUint32(0x30, true);
    while (this.lastAvailable !== ram.getUint16(available + 2, true)) {
      const head = ram.getUint16(available + 4 + (this.lastAvailable % size) * 2, true);
      this.lastAvailable = (this.lastAvailable + 1) & 0xffff;
      const length = this.serve(head);
      const index = ram.getUint16(used + 2, true);
      const [id, written] = this.options.used?.(head, length) ?? [head, length];
      ram.setUint32(used + 4 + (index % size) * 8, id, true);
      ram.setUint32(used + 8 + (index % size) * 8, written, true);
      ram.setUint16(used + 2, (index + 1) & 0xffff, true);
    }
    ram.setUint16(used + 4 + size * 8, this.lastAvailable, true); // avail_event
    const vector = this.common.getUint16(0x1a, true);
    this.machine.pending.push(this.msix.getUint32(vector * 16 + 8, true));
  }

  /** Serves the chain that begins at `head`; the number of bytes written. */
  private serve(head: number): number {
    const ram = this.machine.ram;
    let at = this.common.getUint32(0x20, true) + head * 16;
    let table = this.common.getUint32(0x20, true);
    if (ram.getUint16(at + 12, true) & 4) {
      table = ram.getUint32(at, true);
      at = table;
    }
    const segments: { address: number; bytes: number; write: boolean }[] = [];
    for (;;) {
      const flags = ram.getUint16(at + 12, true);
      segments.push({
        address: ram.getUint32(at, true),
        bytes: ram.getUint32(at + 8, true),
        write: (flags & 2) !== 0,
      });
      if (!(flags & 1)) break;
      at = table + ram.getUint16(at + 14, true) * 16;
    }
    this.chains.push(segments.length);
    const header = segments.shift()!;
    const type = ram.getUint32(header.address, true);
    const sector = ram.getBigUint64(header.address + 8, true);
    this.requests.push({ type, sector });
    const status = segments.pop()!;
    let from = Number(sector) * 512;
    let written = 1;
    for (const { address, bytes } of segments) {
      for (let i = 0; i < bytes; i++) ram.setUint8(address + i, this.disk[from + i]!);
      from += bytes;
      written += bytes;
    }
    const blockSectors = (this.options.blockSize ?? 512) / 512;
    const aligned = Number(sector) % blockSectors === 0 && (written - 1) % (blockSectors * 512) === 0;
    ram.setUint8(status.address, this.options.status ?? (aligned ? 0 : 1));
    return written;
  }
}
