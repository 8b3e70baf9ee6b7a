// COM1, a 16550 UART, polled: 115200 baud, 8 data bits, no parity, 1 stop bit.
// An empty transmitter takes 16 bytes, so the line status is asked once for 16 bytes. A UART that stays busy is given
// up: the kernel's work matters more than its log.

import * as x86 from '../x86.ts';
import { ThreadLock } from './lock.ts';
import * as uart from './uart.ts';

const FIFO_BYTES: u32 = 16;
const LF: u32 = 0x0a;
/**
 * Seconds, at 0.5 µs a read of the line status (emulated) or more. 16 bytes take 1.4 ms on a wire, but in a virtual
 * machine the transmitter waits as long as the reader of the host's pipe or terminal does.
 */
const POLLS_MAX: u32 = 10_000_000;

/** A second place for what goes over COM1. */
export abstract class Mirror {
  /** By threads of any CPU. */
  abstract write(address: usize, bytes: u32): void;
  /** In a panic, when nobody else runs, whatever the others were doing. */
  abstract writeInPanic(address: usize, bytes: u32): void;
  /** Waits until all is out, but not for ever. */
  abstract drain(): void;
}

class Port {
  /** Taken by threads only, with interrupts on: what is sent at once stays together. */
  readonly lock: ThreadLock = new ThreadLock();
  /** Bytes that the FIFO surely takes before the line status must be asked again. */
  room: u32 = 0;
  broken: bool = false;
  /** What was sent last ended a line. */
  atLineStart: bool = true;
  /** A panic has it for itself, whoever holds the lock. */
  seized: bool = false;
  mirror: Mirror | null = null;
  /** How many threads are in it. */
  users: u32 = 0;

  /** With the lock held: the mirror, if there is one, which stays until it is left. */
  enter(): Mirror | null {
    const mirror = this.mirror;
    if (mirror !== null) atomic.add<u32>(this.usersPlace(), 1);
    return mirror;
  }

  leave(): void {
    atomic.sub<u32>(this.usersPlace(), 1);
  }

  awaitUsers(): void {
    while (x86.load32(this.usersPlace() as u32) !== 0) x86.pause();
  }

  private usersPlace(): usize {
    return changetype<usize>(this) + offsetof<Port>('users');
  }
}

const port = new Port();

export function init(): void {
  x86.out8(uart.INTERRUPT_ENABLE, 0);
  x86.out8(uart.LINE_CONTROL, uart.LCR_DLAB);
  x86.out8(uart.DIVISOR_LOW, 1); // 115200 / 1
  x86.out8(uart.DIVISOR_HIGH, 0);
  x86.out8(uart.LINE_CONTROL, uart.LCR_8N1);
  x86.out8(uart.FIFO_CONTROL, uart.FCR_ENABLE_AND_CLEAR);
  x86.out8(uart.MODEM_CONTROL, uart.MCR_DTR_RTS);
}

export function write(address: usize, bytes: u32): void {
  if (port.seized) {
    send(address, bytes);
    const mirror = port.mirror;
    if (mirror !== null) mirror.writeInPanic(address, bytes);
    return;
  }
  port.lock.acquire();
  send(address, bytes);
  const mirror = port.enter();
  port.lock.release();
  if (mirror === null) return;
  mirror.write(address, bytes);
  port.leave();
}

/** From now on `mirror` gets everything too. */
export function addMirror(mirror: Mirror): void {
  port.mirror = mirror;
}

/** Nobody uses it any more then: its write() must have no reason to wait. */
export function removeMirror(): void {
  port.lock.acquire();
  port.mirror = null;
  port.lock.release();
  port.awaitUsers();
}

/** For the panic's report, when no other CPU runs; true if what was sent last did not end its line. */
export function seize(): bool {
  port.seized = true;
  return !port.atLineStart;
}

/** Waits until all is out: a machine that goes off takes what is left in the FIFO with it. */
export function drain(): void {
  if (!port.broken) awaitStatus(uart.LSR_IDLE);
  if (port.seized) return;
  port.lock.acquire();
  const mirror = port.enter();
  port.lock.release();
  if (mirror === null) return;
  mirror.drain();
  port.leave();
}

function send(address: usize, bytes: u32): void {
  for (let i: u32 = 0; i < bytes && !port.broken; i++) {
    if (port.room === 0) awaitRoom();
    const byte: u32 = load<u8>(address + i);
    port.atLineStart = byte === LF;
    x86.out8(uart.TRANSMIT, byte);
    port.room--;
  }
}

function awaitRoom(): void {
  port.room = FIFO_BYTES;
  awaitStatus(uart.LSR_TRANSMIT_EMPTY);
}

function awaitStatus(bit: u32): void {
  for (let polls: u32 = 0; polls < POLLS_MAX; polls++) {
    if (x86.in8(uart.LINE_STATUS) & bit) return;
    x86.pause();
  }
  port.broken = true;
}
