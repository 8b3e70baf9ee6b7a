// The translator's tables in the kernel's image (docs/abi.md §4): which function, which file and line, which kind of
// trap an address of native code stands for. They are native data, so every read is a peek.

import { Line } from '../lib/line.ts';
import * as x86 from '../x86.ts';

// Arguments of x86.table (docs/abi.md §7); each table's end is the next number.
const TRAPS: u32 = 0;
const FUNCTIONS: u32 = 2;
const LINES: u32 = 4;
const FILES: u32 = 6;
const STRINGS: u32 = 8;
const TEXT: u32 = 10;
const STACK_BOTTOM: u32 = 12;
const STACK_TOP: u32 = 28;
const INLINED: u32 = 44;

const TRAP_BYTES: u32 = 8; // code offset, kind
const FUNCTION_BYTES: u32 = 20; // start, size, frame, pop, name
const LINE_BYTES: u32 = 8; // code offset, place
const INLINED_BYTES: u32 = 12; // name, place, place of the call

// A place is file << 20 | line, with these for files:
const LINE_BITS: u32 = 20;
const LINE_MASK: u32 = 0xf_ffff;
const NO_FILE: u32 = 0xfff;
const INLINED_FILE: u32 = 0xffe; // the line is an entry's number in the table of inlined places
const NAME_BYTES_MAX: u32 = 120;

/** Kinds of trap: `TrapKind` in build/ir/ir.ts. */
export const TRAP_DIVISION: u32 = 2;
export const TRAP_MEMORY: u32 = 5;

/** A function of the translated kernel; address 0: none. */
export class Symbol {
  /** Native address. */
  start: u64 = 0;
  frame: u32 = 0;
  pop: u32 = 0;
  private name: u32 = 0;

  /** Finds the function that holds a native address; false if there is none. */
  find(pc: u64): bool {
    if (!isTranslated(pc)) return false;
    const text = x86.table(TEXT);
    const offset = (pc - text) as u32;
    const entry = lastUpTo(FUNCTIONS, FUNCTION_BYTES, offset);
    if (entry === 0 || offset - x86.peek32(entry) >= x86.peek32(entry + 4)) return false;
    this.start = text + x86.peek32(entry);
    this.frame = x86.peek32(entry + 8);
    this.pop = x86.peek32(entry + 12);
    this.name = x86.peek32(entry + 16);
    return true;
  }

  place(pc: u64): Place {
    const entry = lastUpTo(LINES, LINE_BYTES, (pc - x86.table(TEXT)) as u32);
    return new Place(this.name, entry === 0 ? NO_FILE << LINE_BITS : x86.peek32(entry + 4));
  }
}

/** A function and a line of it; what was inlined has another around it. */
export class Place {
  /** Entry in the table of inlined places, 0 if it is not inlined. */
  private entry: u64 = 0;
  private name: u32;
  private word: u32;

  constructor(name: u32, word: u32) {
    this.name = name;
    this.word = word;
    if (word >> LINE_BITS === INLINED_FILE)
      this.entry = x86.table(INLINED) + (word & LINE_MASK) * INLINED_BYTES;
  }

  get inlined(): bool {
    return this.entry !== 0;
  }

  /** Where it was called. */
  get around(): Place {
    return new Place(this.name, x86.peek32(this.entry + 8));
  }

  /** Appends the function's name and, as far as it is known, `file:line`. */
  append(line: Line): void {
    appendString(line, this.inlined ? x86.peek32(this.entry) : this.name);
    const word = this.inlined ? x86.peek32(this.entry + 4) : this.word;
    const file = x86.table(FILES) + (word >> LINE_BITS) * 4;
    if (file >= x86.table(FILES + 1)) return;
    appendString(line.text(' ('), x86.peek32(file));
    line.decimal(':', word & LINE_MASK).text(')');
  }
}

/** Whether a native address lies in the translated code, and not in assembly. */
export function isTranslated(pc: u64): bool {
  return pc >= x86.table(TEXT) && pc < x86.table(TEXT + 1);
}

/** The kind of trap that the instruction at a native address can raise, 0: none. */
export function trapKind(pc: u64): u32 {
  if (!isTranslated(pc)) return 0;
  const text = x86.table(TEXT);
  const entry = lastUpTo(TRAPS, TRAP_BYTES, (pc - text) as u32);
  return entry !== 0 && text + x86.peek32(entry) === pc ? x86.peek32(entry + 4) : 0;
}

export function stackBottom(slot: u32): u64 {
  return x86.table(STACK_BOTTOM + slot);
}

export function stackTop(slot: u32): u64 {
  return x86.table(STACK_TOP + slot);
}

/** Address of the last entry of a sorted table whose key is not above `key`, 0 if there is none. */
function lastUpTo(table: u32, entryBytes: u32, key: u32): u64 {
  const start = x86.table(table);
  let low: u32 = 0;
  let high = ((x86.table(table + 1) - start) as u32) / entryBytes;
  while (low < high) {
    const middle = (low + high) / 2;
    if (x86.peek32(start + middle * entryBytes) <= key) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : start + (low - 1) * entryBytes;
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
