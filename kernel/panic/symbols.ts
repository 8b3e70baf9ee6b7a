// What an address of native code stands for, by the translator's tables (tables.ts): which function, which file and line,
// which kind of trap.

import { Line } from '../lib/line.ts';
import * as x86 from '../x86.ts';
import { FunctionRecord, ScopeRecord, tables } from './tables.ts';

// Arguments of x86.table (docs/abi.md §7): of the code, and its end; of the first thread's stack, and how far one is from the
// next.
const TEXT: u32 = 2;
const STACK_BOTTOM: u32 = 4;
const STACK_TOP: u32 = 5;
const STACK_STRIDE: u32 = 6;

const NAME_BYTES_MAX: u32 = 120;

/** Kinds of trap: `TrapKind` in build/ir/ir.ts. */
export const TRAP_DIVISION: u32 = 2;

/** A function of the translated kernel. */
export class Symbol {
  /** Native address. */
  start: u64 = 0;
  frame: u32 = 0;
  pop: u32 = 0;
  private index: u32 = 0;

  /** Finds the function that holds a native address; false if there is none. */
  find(pc: u64): bool {
    if (!isTranslated(pc)) return false;
    const offset = (pc - tables.code) as u32;
    const behind = functionBehind(offset);
    if (behind === 0) return false;
    this.index = behind - 1;
    const record = this.record;
    this.start = tables.code + record.start;
    this.frame = record.frame;
    this.pop = record.pop;
    return true;
  }

  /** The kind of trap that the instruction at a native address can raise, 0: none, or an access to memory. */
  trapKind(pc: u64): u32 {
    const offset = (pc - tables.code) as u32;
    for (let i = this.record.traps; i < this.next.traps; i++)
      if (tables.trapAt(i).offset === offset) return tables.trapAt(i).kind;
    return 0;
  }

  /** Of code before the first place, which is where a stack overflows: that of the function itself. */
  place(pc: u64): Place {
    const offset = (pc - tables.code) as u32;
    let i = this.next.places;
    while (i > this.record.places && tables.placeAt(i - 1).offset > offset) i--;
    if (i > this.record.places) return placeOf(i - 1);
    if (i === this.next.places) return new Place(tables.scopeAt(this.record.scope), 0);
    let place = placeOf(i);
    while (place.inlined) place = place.around;
    return place;
  }

  private get record(): FunctionRecord {
    return tables.functionAt(this.index);
  }

  private get next(): FunctionRecord {
    return tables.functionAt(this.index + 1);
  }
}

/** A function and a line of it; what was inlined has another around it. */
export class Place {
  constructor(
    private readonly scope: ScopeRecord,
    /** 0: not known. */
    private readonly line: u32,
  ) {}

  get inlined(): bool {
    return this.scope.caller !== 0;
  }

  /** Where it was called. */
  get around(): Place {
    return new Place(tables.scopeAt(this.scope.caller - 1), this.scope.callLine);
  }

  /** Appends the function's name and, as far as it is known, `file:line`. */
  append(line: Line): void {
    const symbol = tables.symbolAt(this.scope.symbol);
    appendText(line, symbol.name);
    if (this.line === 0) return;
    appendText(line.text(' ('), symbol.file);
    line.decimal(':', this.line).text(')');
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

function placeOf(index: u32): Place {
  const record = tables.placeAt(index);
  return new Place(tables.scopeAt(record.scope), record.line);
}

/** Number of the first function that starts above `offset`. */
function functionBehind(offset: u32): u32 {
  let low: u32 = 0;
  let high = tables.functionCount;
  while (low < high) {
    const middle = (low + high) / 2;
    if (tables.functionAt(middle).start <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function appendText(line: Line, at: u32): void {
  for (let i: u32 = 0; i < NAME_BYTES_MAX && load<u8>(at + i) !== 0; i++) line.printable(load<u8>(at + i));
}
