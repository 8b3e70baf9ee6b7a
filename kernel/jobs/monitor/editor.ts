// A line that is typed, with what a terminal's user expects: backspace, the arrow keys, a history, and the control keys of
// every shell. What changes in front of other text is sent again as a whole, which a terminal makes invisible.

import * as input from '../../drivers/serial-input.ts';
import * as serial from '../../lib/serial.ts';
import { NEVER } from '../../sched/thread.ts';

const LINE_BYTES: u32 = 120;
const HISTORY: u32 = 8;

const CTRL_A: u32 = 0x01;
const CTRL_C: u32 = 0x03;
const CTRL_E: u32 = 0x05;
const BACKSPACE: u32 = 0x08;
const LF: u32 = 0x0a;
const CR: u32 = 0x0d;
const CTRL_U: u32 = 0x15;
const CTRL_W: u32 = 0x17;
const ESCAPE: u32 = 0x1b;
const SPACE: u32 = 0x20;
const BRACKET: u32 = 0x5b;
const DELETE: u32 = 0x7f;
// Behind ESC [ (ECMA-48 §8.3).
const UP: u32 = 0x41;
const DOWN: u32 = 0x42;
const RIGHT: u32 = 0x43;
const LEFT: u32 = 0x44;

/** Bytes of a line; no longer than LINE_BYTES. */
export class Text {
  readonly start: u32 = heap.alloc(LINE_BYTES) as u32;
  length: u32 = 0;

  at(index: u32): u32 {
    return load<u8>(this.start + index);
  }

  copy(other: Text): void {
    memory.copy(this.start, other.start, other.length);
    this.length = other.length;
  }

  insert(index: u32, byte: u32): bool {
    if (this.length === LINE_BYTES) return false;
    memory.copy(this.start + index + 1, this.start + index, this.length - index);
    store<u8>(this.start + index, byte);
    this.length++;
    return true;
  }

  remove(index: u32, count: u32): void {
    memory.copy(this.start + index, this.start + index + count, this.length - index - count);
    this.length -= count;
  }
}

export class Editor {
  readonly line: Text = new Text();
  private cursor: u32 = 0;
  private readonly history: StaticArray<Text> = new StaticArray<Text>(HISTORY);
  /** Lines that were ever kept; which one is shown, counted back from there. */
  private kept: u32 = 0;
  private back: u32 = 0;

  constructor(private readonly prompt: string) {
    for (let i: u32 = 0; i < HISTORY; i++) this.history[i] = new Text();
  }

  /** Fills `line` with the next one; false if it was given up by Ctrl-C. */
  read(): bool {
    this.line.length = 0;
    this.cursor = 0;
    this.back = 0;
    this.show();
    while (true) {
      const byte: u32 = next();
      if (byte === CR || byte === LF) break;
      if (byte === CTRL_C) {
        send('^C\r\n');
        return false;
      }
      this.edit(byte);
    }
    send('\r\n');
    if (this.line.length > 0) this.history[this.kept++ % HISTORY].copy(this.line);
    return true;
  }

  private edit(byte: u32): void {
    const line = this.line;
    if (byte >= SPACE && byte < DELETE) this.insert(byte);
    else if (byte === BACKSPACE || byte === DELETE) this.erase(min(this.cursor, 1));
    else if (byte === CTRL_U) this.erase(this.cursor);
    else if (byte === CTRL_W) this.erase(this.cursor - this.wordStart());
    else if (byte === CTRL_A) this.go(0);
    else if (byte === CTRL_E) this.go(line.length);
    else if (byte === ESCAPE && next() === BRACKET) this.move(next());
  }

  /** At the end it is enough to send the byte itself. */
  private insert(byte: u32): void {
    if (!this.line.insert(this.cursor, byte)) return;
    this.cursor++;
    if (this.cursor === this.line.length) serial.write(this.line.start + this.cursor - 1, 1);
    else this.show();
  }

  private go(cursor: u32): void {
    this.cursor = cursor;
    this.show();
  }

  private move(key: u32): void {
    if (key === LEFT && this.cursor > 0) this.go(this.cursor - 1);
    else if (key === RIGHT && this.cursor < this.line.length) this.go(this.cursor + 1);
    else if (key === UP && this.back < min(this.kept, HISTORY)) this.recall(this.back + 1);
    else if (key === DOWN && this.back > 0) this.recall(this.back - 1);
  }

  private recall(back: u32): void {
    this.back = back;
    if (back === 0) this.line.length = 0;
    else this.line.copy(this.history[(this.kept - back) % HISTORY]);
    this.go(this.line.length);
  }

  /** So many bytes in front of the cursor. */
  private erase(count: u32): void {
    this.line.remove(this.cursor - count, count);
    this.go(this.cursor - count);
  }

  private wordStart(): u32 {
    let at = this.cursor;
    while (at > 0 && this.line.at(at - 1) === SPACE) at--;
    while (at > 0 && this.line.at(at - 1) !== SPACE) at--;
    return at;
  }

  /** ESC [ K clears what is behind; each backspace takes the terminal's cursor one back. */
  private show(): void {
    send('\r');
    send(this.prompt);
    serial.write(this.line.start, this.line.length);
    send('\x1b[K');
    for (let i = this.cursor; i < this.line.length; i++) send('\b');
  }
}

function next(): u32 {
  return input.read(NEVER) as u32;
}

const SCRATCH: u32 = memory.data(1) as u32;

function send(text: string): void {
  for (let i = 0; i < text.length; i++) {
    store<u8>(SCRATCH, text.charCodeAt(i));
    serial.write(SCRATCH, 1);
  }
}
