// MSI-X (PCI 3.0 §6.8.2): the capability, the table of messages and the pending bits, in a BAR of their own as QEMU lays
// them out.

import { ByteRegisters, type Registers, type Width } from '../bus/space.ts';
import type { PciFunction } from './function.ts';
import { sendMessage } from './message.ts';

const CAPABILITY = 0x11;
const CONTROL = 2;
const CONTROL_MASK_ALL = 1 << 14;
const CONTROL_ENABLE = 1 << 15;
const ENTRY_BYTES = 16;
const ENTRY_DATA = 8;
const ENTRY_CONTROL = 12;
const ENTRY_MASKED = 1;
const BAR_BYTES_MIN = 4096;

export class Msix implements Registers {
  readonly entries: number;
  readonly capability: number;
  private readonly fn: PciFunction;
  private readonly table: ByteRegisters;
  private readonly pendingAt: number;
  private readonly pending: Uint8Array;

  constructor(fn: PciFunction, entries: number, bar: number) {
    this.fn = fn;
    this.entries = entries;
    this.table = new ByteRegisters(entries * ENTRY_BYTES);
    this.pending = new Uint8Array(entries);
    for (let i = 0; i < entries; i++)
      this.table.view.setUint32(i * ENTRY_BYTES + ENTRY_CONTROL, ENTRY_MASKED, true);
    // As QEMU's msix_init_exclusive_bar: the pending bits in the BAR's second half.
    const bytes = Math.max(BAR_BYTES_MIN, 2 ** Math.ceil(Math.log2(entries * ENTRY_BYTES * 2)));
    this.pendingAt = bytes / 2;
    fn.addBar(bar, { bytes, registers: this });
    const body = new DataView(new ArrayBuffer(10));
    body.setUint16(0, entries - 1, true);
    body.setUint32(2, bar, true);
    body.setUint32(6, this.pendingAt | bar, true);
    this.capability = fn.config.addCapability(CAPABILITY, new Uint8Array(body.buffer));
    fn.config.setWritable(this.capability + CONTROL, CONTROL_ENABLE | CONTROL_MASK_ALL, 2);
  }

  get enabled(): boolean {
    return (this.control & CONTROL_ENABLE) !== 0;
  }

  /** Sends the message of an entry, or keeps it while that is masked. */
  notify(entry: number): void {
    if (entry >= this.entries || !this.enabled) return;
    if (this.masked(entry)) this.pending[entry] = 1;
    else this.send(entry);
  }

  /** A configuration write may have unmasked what waits. */
  updated(): void {
    for (let entry = 0; entry < this.entries; entry++) this.sendPending(entry);
  }

  reset(): void {
    this.pending.fill(0);
  }

  read(offset: number, width: Width): number {
    if (offset < this.pendingAt) return this.table.read(offset, width);
    let value = 0;
    for (let i = width * 8 - 1; i >= 0; i--) {
      value = value * 2 + (this.pending[(offset - this.pendingAt) * 8 + i] ?? 0);
    }
    return value;
  }

  write(offset: number, width: Width, value: number): void {
    if (offset >= this.entries * ENTRY_BYTES) return;
    this.table.write(offset, width, value);
    this.sendPending(Math.floor(offset / ENTRY_BYTES));
  }

  private get control(): number {
    return this.fn.config.get16(this.capability + CONTROL);
  }

  private masked(entry: number): boolean {
    const own = this.table.view.getUint32(entry * ENTRY_BYTES + ENTRY_CONTROL, true) & ENTRY_MASKED;
    return own !== 0 || (this.control & CONTROL_MASK_ALL) !== 0;
  }

  private sendPending(entry: number): void {
    if (this.pending[entry] === 0 || !this.enabled || this.masked(entry)) return;
    this.pending[entry] = 0;
    this.send(entry);
  }

  private send(entry: number): void {
    const at = entry * ENTRY_BYTES;
    const view = this.table.view;
    const address = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
    const data = view.getUint32(at + ENTRY_DATA, true);
    sendMessage(this.fn, entry, address, data);
  }
}
