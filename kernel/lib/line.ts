// One line of the log while it is being made. Every method appends and returns the line, so that a line is one
// expression that ends in end(). Nothing is allocated: text goes straight to a fixed buffer, and what does not fit is
// cut off and marked.

import * as serial from './serial.ts';

const CAPACITY: u32 = 1024;
const TAIL: u32 = 5; // '...' and CR LF always fit

const SPACE: u32 = 0x20;
const TILDE: u32 = 0x7e;
const DOT: u32 = 0x2e;

export class Line {
  private start: usize = heap.alloc(CAPACITY);
  private used: u32 = 0;
  private cut: bool = false;
  private muted: bool = false;

  clear(): Line {
    this.used = 0;
    this.cut = false;
    this.muted = false;
    return this;
  }

  /** It goes nowhere. */
  mute(muted: bool): Line {
    this.muted = muted;
    return this;
  }

  char(code: u32): Line {
    if (this.used < CAPACITY - TAIL) {
      store<u8>(this.start + this.used, code);
      this.used++;
    } else {
      this.cut = true;
    }
    return this;
  }

  // What has been made of it so far, for whoever draws with it.

  get length(): u32 {
    return this.used;
  }

  at(index: u32): u32 {
    return load<u8>(this.start + index);
  }

  put(index: u32, code: u32): void {
    store<u8>(this.start + index, code);
  }

  cutTo(length: u32): Line {
    this.used = min(this.used, length);
    return this;
  }

  append(other: Line): Line {
    for (let i: u32 = 0; i < other.used; i++) this.char(other.at(i));
    return this;
  }

  text(text: string): Line {
    for (let i = 0; i < text.length; i++) this.char(text.charCodeAt(i));
    return this;
  }

  /** A byte of untrusted origin: '.' stands for what is not printable ASCII. */
  printable(byte: u32): Line {
    return this.char(byte >= SPACE && byte <= TILDE ? byte : DOT);
  }

  /** NUL-terminated bytes of untrusted origin, at most `bytes_max`. */
  bytes(address: usize, bytes_max: u32): Line {
    for (let i: u32 = 0; i < bytes_max; i++) {
      const byte = load<u8>(address + i);
      if (byte === 0) break;
      this.printable(byte);
    }
    return this;
  }

  // Numbers take the text before them, so that a line reads as pairs of a name and its value.

  decimal(before: string, value: u64): Line {
    this.text(before);
    let divisor: u64 = 1;
    while (value / divisor >= 10) divisor *= 10;
    for (; divisor > 0; divisor /= 10) this.char(0x30 + (((value / divisor) % 10) as u32));
    return this;
  }

  /** The low `digits` hexadecimal digits, lower case, without a prefix. */
  digits(before: string, value: u64, digits: u32): Line {
    this.text(before);
    for (let shift = (digits as i32) * 4 - 4; shift >= 0; shift -= 4) {
      const digit = ((value >> shift) as u32) & 15;
      this.char(digit < 10 ? 0x30 + digit : 0x57 + digit);
    }
    return this;
  }

  hex(before: string, value: u64, digits: u32): Line {
    return this.text(before).digits('0x', value, digits);
  }

  /** A size in the largest binary unit that divides it. */
  size(before: string, bytes: u64): Line {
    if (bytes === 0 || bytes & 1023) return this.decimal(before, bytes).text(' bytes');
    if (bytes & 0xfffff) return this.decimal(before, bytes >> 10).text(' KiB');
    return this.decimal(before, bytes >> 20).text(' MiB');
  }

  /** What has been appended, as a string of the heap: for names made once, at start-up. */
  toString(): string {
    return String.UTF8.decodeUnsafe(this.start, this.used);
  }

  end(): void {
    if (this.muted) return;
    let at = this.start + this.used;
    for (let i: u32 = 0; this.cut && i < 3; i++, at++) store<u8>(at, DOT);
    store<u16>(at, 0x0a0d); // CR LF
    serial.write(this.start, ((at - this.start) as u32) + 2);
  }
}
