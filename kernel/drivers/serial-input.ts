// What is typed at the other end of the serial line: COM1's receiver, by interrupt, into a ring that one thread reads.

import { madt } from '../acpi/madt.ts';
import { connect, LineUser } from '../irq/line.ts';
import { log } from '../lib/log.ts';
import * as uart from '../lib/uart.ts';
import { Event } from '../sched/event.ts';
import * as x86 from '../x86.ts';

const IRQ: u32 = 4;
const RING_BYTES: u32 = 1024;
/** What a FIFO can hold and more: a receiver that never gets empty is none. */
const BURST_MAX: u32 = 256;

class SerialInput extends LineUser {
  readonly arrived: Event = new Event();
  /** Bytes that came, and those that were read; modulo RING_BYTES their places. */
  received: u32 = 0;
  taken: u32 = 0;
  lost: u32 = 0;
  readonly ring: StaticArray<u8> = new StaticArray<u8>(RING_BYTES);

  serve(_vector: u32): bool {
    let count: u32 = 0;
    while (count < BURST_MAX) {
      const status = x86.in8(uart.LINE_STATUS);
      if (status === uart.LSR_NONE || !(status & uart.LSR_DATA)) break;
      const byte = x86.in8(uart.RECEIVE);
      if (this.received - this.taken < RING_BYTES) this.ring[this.received++ % RING_BYTES] = byte as u8;
      else this.lost++;
      count++;
    }
    if (count > 0) this.arrived.signal();
    return count > 0;
  }
}

const input = new SerialInput();

/** Has the receiver interrupt; false after a line that says why it cannot. */
export function listen(): bool {
  const other = madt.isaOverride(IRQ);
  const gsi = other === null ? IRQ : other.gsi;
  if (connect('serial', gsi, false, input) === null) return false;
  x86.out8(uart.MODEM_CONTROL, uart.MCR_DTR_RTS | uart.MCR_INTERRUPTS);
  x86.out8(uart.INTERRUPT_ENABLE, uart.IER_DATA);
  return true;
}

/** The next byte, for which the thread waits until the deadline (clock.after); -1: none came. */
export function read(deadline: u64): i32 {
  while (input.received === input.taken) {
    input.arrived.reset();
    if (input.received === input.taken && !input.arrived.wait(deadline)) return -1;
  }
  if (input.lost > 0) {
    log('serial').decimal('', input.lost).text(' bytes of input were lost: they came too fast').end();
    input.lost = 0;
  }
  return input.ring[input.taken++ % RING_BYTES];
}
