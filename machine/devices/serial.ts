// A 16550 UART (TI PC16550D data sheet). What is sent is out at once, as in QEMU; what is received waits in a FIFO.

import type { AddressSpace, Registers, Width } from '../bus/space.ts';

const DATA = 0;
const INTERRUPT_ENABLE = 1;
const INTERRUPT_ID = 2;
const FIFO_CONTROL = 2;
const LINE_CONTROL = 3;
const MODEM_CONTROL = 4;
const LINE_STATUS = 5;
const MODEM_STATUS = 6;
const SCRATCH = 7;

const LCR_DLAB = 1 << 7;
const LSR_DATA = 1 << 0;
const LSR_EMPTY = 0x60; // transmitter and its register
const MSR_READY = 0xb0; // DCD, DSR, CTS, as QEMU's
const IER_DATA = 1 << 0;
const IER_EMPTY = 1 << 1;
const IIR_NONE = 0x01;
const IIR_EMPTY = 0x02;
const IIR_DATA = 0x04;
const IIR_FIFOS = 0xc0;

export class Serial implements Registers {
  private readonly sent: number[] = [];
  private readonly received: number[] = [];
  private readonly interrupt: (high: boolean) => void;
  private readonly registers = new Uint8Array(8);
  private readonly divisor = new Uint8Array(2);
  private emptyPending = false;
  private fifos = false;

  /** `interrupt` sets the UART's line. */
  constructor(ports: AddressSpace, base: number, interrupt: (high: boolean) => void) {
    this.interrupt = interrupt;
    ports.map(base, 8, this);
  }

  /** All that was sent, as Latin-1. */
  get text(): string {
    let text = '';
    for (let at = 0; at < this.sent.length; at += 8192)
      text += String.fromCharCode(...this.sent.slice(at, at + 8192));
    return text;
  }

  /** What was sent since the last call, which is forgotten. */
  take(): string {
    const { text } = this;
    this.sent.length = 0;
    return text;
  }

  /** Types text at the other end of the line. */
  receive(text: string): void {
    for (let i = 0; i < text.length; i++) this.received.push(text.charCodeAt(i) & 0xff);
    this.update();
  }

  read(offset: number, _width: Width): number {
    switch (offset) {
      case DATA:
        return this.dlab ? this.divisor[0] : this.readData();
      case INTERRUPT_ENABLE:
        return this.dlab ? this.divisor[1] : this.registers[INTERRUPT_ENABLE];
      case INTERRUPT_ID:
        return this.readInterruptId();
      case LINE_STATUS:
        return LSR_EMPTY | (this.received.length > 0 ? LSR_DATA : 0);
      case MODEM_STATUS:
        return MSR_READY;
      default:
        return this.registers[offset];
    }
  }

  write(offset: number, _width: Width, value: number): void {
    switch (offset) {
      case DATA:
        if (this.dlab) this.divisor[0] = value;
        else this.writeData(value);
        break;
      case INTERRUPT_ENABLE:
        if (this.dlab) this.divisor[1] = value;
        else this.registers[INTERRUPT_ENABLE] = value & 0x0f;
        if (!this.dlab && value & IER_EMPTY) this.emptyPending = true;
        break;
      case FIFO_CONTROL:
        this.fifos = (value & 1) !== 0;
        if (value & 2) this.received.length = 0;
        break;
      case LINE_CONTROL:
      case MODEM_CONTROL:
      case SCRATCH:
        this.registers[offset] = value;
    }
    this.update();
  }

  private get dlab(): boolean {
    return (this.registers[LINE_CONTROL] & LCR_DLAB) !== 0;
  }

  private readData(): number {
    const value = this.received.shift() ?? 0;
    this.update();
    return value;
  }

  private writeData(value: number): void {
    this.sent.push(value & 0xff);
    this.emptyPending = true;
  }

  private get cause(): number {
    if (this.registers[INTERRUPT_ENABLE] & IER_DATA && this.received.length > 0) return IIR_DATA;
    return this.registers[INTERRUPT_ENABLE] & IER_EMPTY && this.emptyPending ? IIR_EMPTY : IIR_NONE;
  }

  /** Reading it ends the interrupt of an empty transmitter (table 5). */
  private readInterruptId(): number {
    const cause = this.cause;
    if (cause === IIR_EMPTY) this.emptyPending = false;
    this.update();
    return cause | (this.fifos ? IIR_FIFOS : 0);
  }

  private update(): void {
    this.interrupt(this.cause !== IIR_NONE);
  }
}
