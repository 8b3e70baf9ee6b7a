// The translator's tables in the kernel's image (docs/abi.md §4): which function, which file and line, which kind of
// trap an address of native code stands for. They are native data, so every read is a peek.

import { Line } from '../lib/line.ts';
import * as x86 from '../x86.ts';

// Arguments of x86.table (docs/abi.md §7); each table's end is the next number.
const FUNCTIONS: u32 = 0;
const INFO: u32 = 2;
const STRINGS: u32 = 4;
const TEXT: u32 = 6;
// Of the first thread's stack, and how far one is from the next.
const STACK_BOTTOM: u32 = 8;
const STACK_TOP: u32 = 9;
const STACK_STRIDE: u32 = 10;

const FUNCTION_BYTES: u32 = 8; // start, offset in info
const NAME_BYTES_MAX: u32 = 120;

/** Kinds of trap: `TrapKind` in build/ir/ir.ts. */
export const TRAP_DIVISION: u32 = 2;
export const TRAP_MEMORY: u32 = 5;

/** Reads LEB128 numbers from the table of records. Ends with the list that it is in, whatever stands there. */
class Reader {
  at: u64 = 0;
  private end: u64 = 0;
  // After step().
  address: u64 = 0;
  value: u32 = 0;

  open(at: u64): Reader {
    this.at = at;
    this.end = x86.table(INFO + 1);
    return this;
  }

  /** A list is its length in bytes, then what it holds. */
  openList(at: u64): Reader {
    const bytes: u64 = this.open(at).next();
    this.end = min(this.at + bytes, this.end);
    return this;
  }

  skipList(): void {
    const bytes: u64 = this.next();
    this.at = min(this.at + bytes, this.end);
  }

  get more(): bool {
    return this.at < this.end;
  }

  /** 0 behind the end. */
  next(): u32 {
    let value: u32 = 0;
    for (let shift: u32 = 0; this.more; shift += 7) {
      const byte = x86.peek8(this.at++);
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }

  openSteps(at: u64, address: u64): Reader {
    this.address = address;
    this.value = 0;
    return this.openList(at);
  }

  /** In a list of addresses that each have a value, or share it with the one before: goes to the next address. */
  step(): void {
    const distance = this.next();
    if ((distance & 1) !== 0) this.value = this.next();
    this.address += distance >> 1;
  }
}

/** One for all, so that a panic needs little of the heap. */
const reader = new Reader();

/** A function of the translated kernel. */
export class Symbol {
  /** Native address. */
  start: u64 = 0;
  frame: u32 = 0;
  pop: u32 = 0;
  // The lists in its record.
  private traps: u64 = 0;
  private scopes: u64 = 0;
  private places: u64 = 0;

  /** Finds the function that holds a native address; false if there is none. */
  find(pc: u64): bool {
    if (!isTranslated(pc)) return false;
    const text = x86.table(TEXT);
    const entry = lastUpTo((pc - text) as u32);
    if (entry === 0) return false;
    this.start = text + x86.peek32(entry);
    reader.open(x86.table(INFO) + x86.peek32(entry + 4));
    if (pc - this.start >= reader.next()) return false;
    this.frame = reader.next();
    this.pop = reader.next();
    this.traps = reader.at;
    reader.skipList();
    this.scopes = reader.at;
    reader.skipList();
    this.places = reader.at;
    return true;
  }

  /** The kind of trap that the instruction at a native address can raise, 0: none. */
  trapKind(pc: u64): u32 {
    reader.openSteps(this.traps, this.start);
    while (reader.more) {
      reader.step();
      if (reader.address === pc) return reader.value;
    }
    return 0;
  }

  place(pc: u64): Place {
    let scope: u32 = 0;
    let line: u32 = 0;
    reader.openSteps(this.places, this.start);
    while (reader.more) {
      reader.step();
      if (reader.address > pc) break;
      scope = reader.value;
      line = reader.next();
    }
    return new Place(this.scopes, scope, line);
  }
}

/** A function and a line of it; what was inlined has another around it. */
export class Place {
  /** Number of the scope of the call plus 1, 0 if it is not inlined. */
  private caller: u32 = 0;
  private callLine: u32 = 0;
  private name: u32 = 0;
  private file: u32 = 0;
  private base: u32 = 0;

  constructor(
    private readonly scopes: u64,
    scope: u32,
    private readonly line: u32,
  ) {
    reader.openList(scopes);
    for (let i: u32 = 0; i <= scope && reader.more; i++) {
      this.caller = reader.next();
      this.callLine = reader.next();
      this.name = reader.next();
      this.file = reader.next();
      this.base = reader.next();
    }
    // A caller stands before: a chain of them has an end.
    if (this.caller > scope) this.caller = 0;
  }

  get inlined(): bool {
    return this.caller !== 0;
  }

  /** Where it was called. */
  get around(): Place {
    return new Place(this.scopes, this.caller - 1, this.callLine);
  }

  /** Appends the function's name and, as far as it is known, `file:line`. */
  append(line: Line): void {
    appendString(line, this.name);
    if (this.file === 0 || this.line === 0) return;
    appendString(line.text(' ('), this.file);
    line.decimal(':', this.base + this.line - 1).text(')');
  }
}

/** Whether a native address lies in the translated code, and not in assembly. */
export function isTranslated(pc: u64): bool {
  return pc >= x86.table(TEXT) && pc < x86.table(TEXT + 1);
}

/** The kind of trap that the instruction at a native address can raise, 0: none. */
export function trapKind(pc: u64): u32 {
  const symbol = new Symbol();
  return symbol.find(pc) ? symbol.trapKind(pc) : 0;
}

export function stackBottom(slot: u32): u64 {
  return x86.table(STACK_BOTTOM) + slot * x86.table(STACK_STRIDE);
}

export function stackTop(slot: u32): u64 {
  return x86.table(STACK_TOP) + slot * x86.table(STACK_STRIDE);
}

/** Address of the last entry in the index of functions whose start is not above `offset`, 0 if there is none. */
function lastUpTo(offset: u32): u64 {
  const start = x86.table(FUNCTIONS);
  let low: u32 = 0;
  let high = ((x86.table(FUNCTIONS + 1) - start) as u32) / FUNCTION_BYTES;
  while (low < high) {
    const middle = (low + high) / 2;
    if (x86.peek32(start + middle * FUNCTION_BYTES) <= offset) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : start + (low - 1) * FUNCTION_BYTES;
}

function appendString(line: Line, offset: u32): void {
  const end = x86.table(STRINGS + 1);
  let at = x86.table(STRINGS) + offset;
  for (let i: u32 = 0; i < NAME_BYTES_MAX && at < end; i++, at++) {
    const byte = x86.peek8(at);
    if (byte === 0) break;
    line.printable(byte);
  }
}
