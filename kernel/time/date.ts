// The date, by the real-time clock in CMOS memory (Motorola MC146818 data sheet), which counts UTC in QEMU unless it is
// told otherwise.

import { FADT_SIGNATURE, findTable, tableLength } from '../acpi/tables.ts';
import { Line } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import * as x86 from '../x86.ts';
import * as clock from './clock.ts';

const INDEX: u32 = 0x70;
const DATA: u32 = 0x71;

const SECONDS: u32 = 0x00;
const MINUTES: u32 = 0x02;
const HOURS: u32 = 0x04;
const DAY: u32 = 0x07;
const MONTH: u32 = 0x08;
const YEAR: u32 = 0x09; // of the century
const STATUS_A: u32 = 0x0a;
const UPDATING: u32 = 1 << 7; // or will be within 244 µs
const NOTHING: u32 = 0xff;
const STATUS_B: u32 = 0x0b;
const HOURS_24: u32 = 1 << 1;
const BINARY: u32 = 1 << 2; // else two decimal digits
const AFTERNOON: u32 = 1 << 7; // of hours up to 12

const FADT_CENTURY: u32 = 108; // ACPI 6.4 §5.2.9: its register, 0: there is none
const CENTURY: u32 = 20;

/** An update takes 2 ms; but QEMU's is over when QEMU comes to it, on a host that may be busy. */
const WAIT_MS_MAX: u32 = 1000;

class Date {
  private status: u32 = 0;
  year: u32 = 0;
  month: u32 = 0;
  day: u32 = 0;
  hour: u32 = 0;
  minute: u32 = 0;
  second: u32 = 0;

  /** False: it has been updating for too long. */
  read(): bool {
    this.status = register(STATUS_B);
    const century = centuryRegister();
    const deadline = clock.after(WAIT_MS_MAX);
    while (clock.now() < deadline) {
      if (register(STATUS_A) & UPDATING) continue;
      this.second = this.number(SECONDS);
      this.minute = this.number(MINUTES);
      this.hour = this.hourOf(register(HOURS));
      this.day = this.number(DAY);
      this.month = this.number(MONTH);
      this.year = this.number(YEAR) + (century === 0 ? CENTURY : this.number(century)) * 100;
      // Nothing changes within 244 µs, but a hypervisor may have held the CPU up.
      if (this.number(SECONDS) === this.second) return true;
    }
    return false;
  }

  /** Of a clock. */
  get isPossible(): bool {
    if (this.second > 59 || this.minute > 59 || this.hour > 23) return false;
    return this.day >= 1 && this.day <= 31 && this.month >= 1 && this.month <= 12 && this.year <= 9999;
  }

  private number(index: u32): u32 {
    return this.decode(register(index));
  }

  private decode(value: u32): u32 {
    return this.status & BINARY ? value : (value >> 4) * 10 + (value & 15);
  }

  private hourOf(value: u32): u32 {
    if (this.status & HOURS_24) return this.decode(value);
    return (this.decode(value & ~AFTERNOON) % 12) + (value & AFTERNOON ? 12 : 0);
  }
}

function register(index: u32): u32 {
  x86.out8(INDEX, index);
  return x86.in8(DATA);
}

function centuryRegister(): u32 {
  const fadt = findTable(FADT_SIGNATURE);
  return fadt === 0 || tableLength(fadt) <= FADT_CENTURY ? 0 : load<u8>(fadt + FADT_CENTURY) & 0x7f;
}

/** Logs it, if there is a clock. */
export function logDate(): void {
  if (register(STATUS_A) === NOTHING) return;
  const date = new Date();
  if (!date.read()) {
    log('time')
      .decimal('no date: the clock in CMOS memory has been updating for ', WAIT_MS_MAX)
      .text(' ms')
      .end();
    return;
  }
  if (!date.isPossible) return;
  const line = log('time').decimal('', date.year);
  twoDigits(twoDigits(line, '-', date.month), '-', date.day);
  twoDigits(twoDigits(twoDigits(line, ' ', date.hour), ':', date.minute), ':', date.second);
  line.text(' UTC').end();
}

function twoDigits(line: Line, before: string, value: u32): Line {
  return line.text(before).decimal(value < 10 ? '0' : '', value);
}
