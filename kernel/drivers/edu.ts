// QEMU's educational device (docs/specs/edu.rst of QEMU's sources): factorials, and copies between memory and a buffer of its
// own, both announced by an interrupt. docs/writing-a-driver.md tells how this driver came about.

import { Attachment } from '../bus/attachment.ts';
import { PciDriver } from '../bus/pci/driver.ts';
import { PciFunction } from '../bus/pci/function.ts';
import { PciInterrupt } from '../bus/pci/interrupt.ts';
import { LONG, Register, Window } from '../bus/window.ts';
import { Activity } from '../lib/activity.ts';
import { Line } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import * as frames from '../mm/frames.ts';
import { PAGE } from '../mm/layout.ts';
import { begin, end } from '../sched/activity.ts';
import { Event } from '../sched/event.ts';
import { Mutex } from '../sched/mutex.ts';
import * as clock from '../time/clock.ts';
import { Registry } from './registry.ts';

const VENDOR: u32 = 0x1234;
const DEVICE: u32 = 0x11e8;

const REGISTERS_BAR: u32 = 0;
const REGISTERS_BYTES: u32 = 0xa0;

const IDENTIFICATION: Register = LONG | 0x00;
const LIVENESS: Register = LONG | 0x04;
const FACTORIAL: Register = LONG | 0x08;
const STATUS: Register = LONG | 0x20;
const REASONS: Register = LONG | 0x24;
const ACKNOWLEDGE: Register = LONG | 0x64;
const DMA_SOURCE: Register = LONG | 0x80;
const DMA_TARGET: Register = LONG | 0x88;
const DMA_BYTES: Register = LONG | 0x90;
const DMA_COMMAND: Register = LONG | 0x98;

/** In the low byte; above it are the version's two parts. */
const EDU: u32 = 0xed;
const ANYTHING: u32 = 0x5ca1_ab1e;

const STATUS_COMPUTING: u32 = 0x01;
const STATUS_INTERRUPT: u32 = 0x80;

const DMA_RUN: u32 = 0x1;
const DMA_TO_MEMORY: u32 = 0x2;
const DMA_INTERRUPT: u32 = 0x4;

/** Its buffer, as its own DMA engine sees it. QEMU ends when a copy reaches the last byte. */
const BUFFER: u32 = 0x4_0000;
export const BUFFER_BYTES: u32 = 4095;
/** It drives 28 address lines. */
const MEMORY_END: u32 = 1 << 28;

/** A copy takes QEMU 100 ms. */
const WAIT_MS: u32 = 5000;

class EduInterrupt extends PciInterrupt {
  readonly happened: Event = new Event();

  constructor(
    fn: PciFunction,
    private readonly registers: Window,
  ) {
    super(fn);
  }

  serve(_vector: u32): bool {
    const reasons = this.registers.read(REASONS);
    // A device that is gone reads as ones.
    if (reasons === 0 || reasons === u32.MAX_VALUE) return false;
    this.registers.write(ACKNOWLEDGE, reasons);
    this.happened.signal();
    // If it asks for the same again, this has brought nothing, and the line may be taken from it in the end.
    return this.registers.read(REASONS) !== reasons;
  }
}

export class Edu extends Attachment {
  /** One thread at a time has the device. */
  private readonly mutex: Mutex = new Mutex();
  /** It has not answered, or is gone: nothing more is asked of it. */
  private failed: bool = false;
  /** What it is asked for, or was. */
  private request: string = 'nothing';

  constructor(
    public readonly name: string,
    private readonly registers: Window,
    private readonly interrupt: EduInterrupt,
    /** A page that the device reads and writes. */
    private readonly page: u32,
  ) {
    super();
  }

  /** Modulo 2^32; -1 after a line that says what went wrong. */
  factorial(n: u32): i64 {
    const before = this.take('a factorial');
    const result = this.compute(n);
    this.give(before);
    return result;
  }

  /** Copies 1 to BUFFER_BYTES bytes into the device; false after a line that says what went wrong. */
  write(from: u32, bytes: u32): bool {
    assert(bytes > 0 && bytes <= BUFFER_BYTES, 'edu copies 1 to 4095 bytes');
    const before = this.take('a copy');
    memory.copy(this.page, from, bytes);
    const good = this.copy(this.page, BUFFER, bytes, 0);
    this.give(before);
    return good;
  }

  /** Copies them back. */
  read(to: u32, bytes: u32): bool {
    assert(bytes > 0 && bytes <= BUFFER_BYTES, 'edu copies 1 to 4095 bytes');
    const before = this.take('a copy');
    const good = this.copy(BUFFER, this.page, bytes, DMA_TO_MEMORY);
    if (good) memory.copy(to, this.page, bytes);
    this.give(before);
    return good;
  }

  detach(): void {
    eduDevices.remove(this);
    this.failed = true;
    this.interrupt.happened.signal();
    this.mutex.acquire(); // who waits for an answer is out
    this.interrupt.close();
    frames.free(this.page, PAGE);
    this.mutex.release();
  }

  describe(): void {
    this.appendState(log(this.name).text('busy with ').text(this.request)).end();
  }

  /** The device is this thread's until give(), for a request that lines of the log name so. */
  private take(request: string): Activity | null {
    this.mutex.acquire();
    this.request = request;
    return begin(this);
  }

  private give(before: Activity | null): void {
    end(before);
    this.mutex.release();
  }

  private compute(n: u32): i64 {
    if (!this.isReady()) return -1;
    this.registers.write(STATUS, STATUS_INTERRUPT);
    this.registers.write(FACTORIAL, n);
    if (!this.answered(STATUS, STATUS_COMPUTING)) return -1;
    return this.registers.read(FACTORIAL);
  }

  private copy(source: u32, target: u32, bytes: u32, direction: u32): bool {
    if (!this.isReady()) return false;
    this.registers.write(DMA_SOURCE, source);
    this.registers.write(DMA_TARGET, target);
    this.registers.write(DMA_BYTES, bytes);
    this.registers.write(DMA_COMMAND, DMA_RUN | DMA_INTERRUPT | direction);
    return this.answered(DMA_COMMAND, DMA_RUN);
  }

  private isReady(): bool {
    this.interrupt.happened.reset(); // before a look at whether it is gone
    return !this.failed || this.refuse();
  }

  /** Waits until a register's bit tells that the device is done. */
  private answered(register: Register, busy: u32): bool {
    const deadline = clock.after(WAIT_MS);
    // It may interrupt for another reason first.
    while ((this.registers.read(register) & busy) !== 0) {
      const happened = this.interrupt.happened.wait(deadline);
      this.interrupt.happened.reset();
      if (this.failed) return this.refuse();
      if (!happened) return this.giveUp();
    }
    return true;
  }

  private giveUp(): bool {
    this.failed = true;
    const line = log(this.name)
      .text('no interrupt for ')
      .text(this.request)
      .decimal(' in ', WAIT_MS)
      .text(' ms');
    this.appendState(line).end();
    return false;
  }

  private appendState(line: Line): Line {
    return line
      .hex(': status ', this.registers.read(STATUS), 2)
      .hex(', DMA command ', this.registers.read(DMA_COMMAND), 2);
  }

  private refuse(): bool {
    log(this.name)
      .text('cannot be asked for ')
      .text(this.request)
      .text(': it has not answered, or is gone')
      .end();
    return false;
  }
}

export const eduDevices = new Registry<Edu>();

export class EduDriver extends PciDriver {
  constructor() {
    super('edu', VENDOR, DEVICE);
  }

  attach(fn: PciFunction): Attachment | null {
    const name = this.name + ' ' + fn.name;
    fn.enable();
    const registers = fn.window(REGISTERS_BAR, 0, REGISTERS_BYTES);
    if (registers === null) return giveUp(fn, name, 'its registers cannot be reached');
    const id = registers.read(IDENTIFICATION);
    registers.write(LIVENESS, ANYTHING);
    if ((id & 0xff) !== EDU || registers.read(LIVENESS) !== ~ANYTHING)
      return giveUp(fn, name, 'its registers are not those of edu');
    const page = frames.allocate(PAGE);
    const interrupt = new EduInterrupt(fn, registers);
    if (page + PAGE > MEMORY_END || !interrupt.connect()) {
      const why = page + PAGE > MEMORY_END ? 'no memory below 256 MiB is left' : 'it cannot interrupt';
      interrupt.close();
      frames.free(page, PAGE);
      return giveUp(fn, name, why);
    }
    log(name)
      .decimal('version ', id >> 24)
      .decimal('.', (id >> 16) & 0xff)
      .text(interrupt.byMessage ? ', by message' : ', by pin')
      .end();
    const device = new Edu(name, registers, interrupt, page);
    interrupt.setActivity(device);
    eduDevices.add(device, name);
    return device;
  }
}

function giveUp(fn: PciFunction, name: string, why: string): Attachment | null {
  log(name).text('cannot be used: ').text(why).end();
  fn.disable();
  return null;
}
