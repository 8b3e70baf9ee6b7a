// The words of a line that was typed, without making strings of them: nothing is allocated, however long the session.

import { Text } from './editor.ts';

const SPACE: u32 = 0x20;
const WORDS_MAX: u32 = 8;

export class Words {
  count: u32 = 0;
  private readonly starts: StaticArray<u32> = new StaticArray<u32>(WORDS_MAX);
  private readonly ends: StaticArray<u32> = new StaticArray<u32>(WORDS_MAX);
  private text: Text | null = null;

  /** Words beyond the eighth are part of it. */
  split(text: Text): void {
    this.text = text;
    this.count = 0;
    let at: u32 = 0;
    while (this.count < WORDS_MAX) {
      while (at < text.length && text.at(at) === SPACE) at++;
      if (at === text.length) return;
      const start = at;
      while (at < text.length && (text.at(at) !== SPACE || this.count + 1 === WORDS_MAX)) at++;
      this.starts[this.count] = start;
      this.ends[this.count++] = at;
    }
  }

  is(index: u32, name: string): bool {
    const start = this.starts[index];
    if (index >= this.count || this.ends[index] - start !== (name.length as u32)) return false;
    for (let i = 0; i < name.length; i++) if (this.text!.at(start + i) !== name.charCodeAt(i)) return false;
    return true;
  }

  /** Whether the word is a number, decimal or 0x hexadecimal, of up to `most`; parsed() has it then. */
  isNumber(index: u32, most: u64): bool {
    if (index >= this.count) return false;
    let at = this.starts[index];
    const end = this.ends[index];
    const text = this.text!;
    const hex = end - at > 2 && text.at(at) === 0x30 && (text.at(at + 1) | 0x20) === 0x78;
    if (hex) at += 2;
    const base: u64 = hex ? 16 : 10;
    let value: u64 = 0;
    for (; at < end; at++) {
      const digit = digitOf(text.at(at));
      if (digit >= base || digit > most || value > (most - digit) / base) return false;
      value = value * base + digit;
    }
    this.value = value;
    return true;
  }

  /** After isNumber(). */
  value: u64 = 0;

  startOf(index: u32): u32 {
    return this.text!.start + this.starts[index];
  }

  lengthOf(index: u32): u32 {
    return this.ends[index] - this.starts[index];
  }
}

function digitOf(code: u32): u64 {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 255;
}
