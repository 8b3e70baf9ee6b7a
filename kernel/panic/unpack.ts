// Unpacks the tables of the kernel's image (build/object/packed-tables.ts, docs/abi.md §4), once: the functions when a panic
// begins, for its reason, and the rest when the report has come to the calls.

import { WORK_END } from '../mm/layout.ts';
import * as x86 from '../x86.ts';
import { DECODER_END, Decoder } from './decoder.ts';
import { FunctionRecord, PlaceRecord, ScopeRecord, SymbolRecord, TrapRecord, tables } from './tables.ts';

// Arguments of x86.table (docs/abi.md §7).
const PACKED: u32 = 0;
const TEXT: u32 = 2;

// The head's words.
const CODED: u32 = 0;
const FUNCTION_BYTES: u32 = 1;
const PLACE_BYTES: u32 = 2;
const SYMBOL_BYTES: u32 = 3;
const FUNCTION_COUNT: u32 = 4;
const TRAP_COUNT: u32 = 5;
const PLACE_COUNT: u32 = 6;
const SCOPE_COUNT: u32 = 7;
const SYMBOL_COUNT: u32 = 8;
const FILE_COUNT: u32 = 9;
const TEXT_BYTES: u32 = 10;
const HEAD_BYTES: u32 = 44;

// Kinds of numbers and flags, by part.
const FUNCTION_DISTANCE: u32 = 0;
const FUNCTION_FRAME: u32 = 1;
const FUNCTION_POP: u32 = 2;
const FUNCTION_TRAPS: u32 = 3;
const TRAP_DISTANCE: u32 = 4;
const TRAP_KIND: u32 = 5;

const PLACE_LIST: u32 = 0;
const FINE: u32 = 1;
const UNIT: u32 = 2;
const OFFSET: u32 = 3;
const NEW_SCOPE: u32 = 4;
const IN_CURRENT: u32 = 5;
const CALLER: u32 = 6;
const STAYS: u32 = 7;
const SCOPE: u32 = 8;
const NO_LINE: u32 = 9;
const FIRST_LINE: u32 = 10;
const SAME_LINE: u32 = 11;
const UP: u32 = 12;
const UP_BY: u32 = 13;
const DOWN_BY: u32 = 14;
const NEW_SYMBOL: u32 = 15;
const SYMBOL: u32 = 16;

const SAME_FILE: u32 = 0;
const NEW_FILE: u32 = 1;
const FILE: u32 = 2;
const SAME_CLASS: u32 = 3;

const UNIT_LOG2: u32 = 3;
/** In symbols: what stands between a class and its method. */
const HASH: u8 = 0x23;

/** Numbers, the one that was used last first. */
@unmanaged
class Recent {
  count: u32 = 0;

  /** The next number comes in front. */
  add(): u32 {
    const first = changetype<u32>(this) + 4;
    memory.copy(first + 2, first, this.count * 2);
    store<u16>(first, this.count);
    return this.count++;
  }

  /** The number that `age` others were used after comes in front. */
  use(age: u32): u32 {
    const first = changetype<u32>(this) + 4;
    const number = load<u16>(first + age * 2);
    memory.copy(first + 2, first, age * 2);
    store<u16>(first, number);
    return number;
  }
}

/** A file of the source. */
@unmanaged
class FileRecord {
  path: u32 = 0;
  /** The last symbol in it; 0: none yet. */
  lastName: u32 = 0;
}

/** What is only needed while tables are unpacked. */
@unmanaged
class Work {
  recentSymbols: u32 = 0;
  recentFiles: u32 = 0;
  files: u32 = 0;
  text: u32 = 0;
  end: u32 = 0;
  // Of the function whose places are unpacked: its scopes, by their numbers among all.
  firstScope: u32 = 0;
  scopeCount: u32 = 0;
  current: u32 = 0;
}

// In static memory: a panic allocates nothing.
const decoder = changetype<Decoder>(memory.data(offsetof<Decoder>(), 8));
const work = changetype<Work>(memory.data(offsetof<Work>(), 4));

function head(word: u32): u32 {
  return x86.peek32(x86.table(PACKED) + word * 4);
}

function part(bytesBefore: u32, bytes: u32): Decoder {
  return decoder.open(x86.table(PACKED) + HEAD_BYTES + bytesBefore, bytes, head(CODED) === 0);
}

/** Functions and what can trap in them. Does nothing if the tables do not fit into the memory for them: there are none then. */
export function unpackFunctions(): void {
  tables.code = x86.table(TEXT);
  if (x86.table(PACKED + 1) - x86.table(PACKED) < HEAD_BYTES || !layOut()) return;
  tables.functionCount = head(FUNCTION_COUNT);
  const d = part(0, head(FUNCTION_BYTES));
  let start: u32 = 0;
  let trap: u32 = 0;
  for (let i: u32 = 0; i < tables.functionCount; i++) {
    const record = tables.functionAt(i);
    start += d.number(FUNCTION_DISTANCE);
    record.start = start;
    record.frame = d.number(FUNCTION_FRAME) * 8;
    record.pop = d.number(FUNCTION_POP) * 8;
    record.traps = trap;
    let offset = start;
    for (let left = d.number(FUNCTION_TRAPS); left > 0 && trap < head(TRAP_COUNT); left--) {
      const entry = tables.trapAt(trap++);
      offset += d.number(TRAP_DISTANCE);
      entry.offset = offset;
      entry.kind = d.number(TRAP_KIND);
    }
  }
  const end = tables.functionAt(tables.functionCount);
  end.start = (x86.table(TEXT + 1) - tables.code) as u32;
  end.traps = trap;
}

/** Gives each table its place. */
function layOut(): bool {
  let at: u32 = DECODER_END;
  tables.functions = at;
  at += (head(FUNCTION_COUNT) + 1) * offsetof<FunctionRecord>();
  tables.traps = at;
  at += head(TRAP_COUNT) * offsetof<TrapRecord>();
  tables.places = at;
  at += head(PLACE_COUNT) * offsetof<PlaceRecord>();
  tables.scopes = at;
  at += head(SCOPE_COUNT) * offsetof<ScopeRecord>();
  tables.symbols = at;
  at += head(SYMBOL_COUNT) * offsetof<SymbolRecord>();
  work.files = at;
  at += head(FILE_COUNT) * offsetof<FileRecord>();
  work.recentSymbols = at;
  at += 4 + head(SYMBOL_COUNT) * 2 + 2;
  work.recentFiles = at & ~3;
  at += 4 + head(FILE_COUNT) * 2 + 2;
  work.text = at;
  work.end = at + head(TEXT_BYTES);
  if (work.end > WORK_END) return false;
  memory.fill(DECODER_END, 0, work.end - DECODER_END);
  return true;
}

/** Places and symbols, behind the functions. */
export function unpackPlaces(): void {
  if (tables.functionCount === 0) return;
  const d = part(head(FUNCTION_BYTES), head(PLACE_BYTES));
  let place: u32 = 0;
  for (let i: u32 = 0; i < tables.functionCount; i++) {
    const f = tables.functionAt(i);
    work.firstScope += work.scopeCount;
    f.places = place;
    f.scope = work.firstScope;
    work.scopeCount = 0;
    work.current = 0;
    addScope(d);
    let unit: u32 = 0;
    for (let left = d.number(PLACE_LIST); left > 0 && place < head(PLACE_COUNT); left--) {
      const fine = d.flag(FINE);
      unit += d.number(UNIT);
      const record = tables.placeAt(place++);
      record.offset = f.start + (unit << UNIT_LOG2) + (fine ? d.number(OFFSET) : 0);
      readScope(d);
      record.scope = (work.firstScope + work.current) as u16;
      record.line = readLine(d, work.current);
    }
  }
  tables.functionAt(tables.functionCount).places = place;
  unpackSymbols();
}

/** What comes first is new scopes, the outermost first. */
function readScope(d: Decoder): void {
  while (d.flag(NEW_SCOPE)) {
    const inCurrent = d.flag(IN_CURRENT);
    const back: u32 = inCurrent ? work.scopeCount - work.current : d.number(CALLER);
    const caller: u32 = back === 0 ? 0 : work.scopeCount - back + 1;
    const callLine: u16 = caller === 0 ? 0 : readLine(d, caller - 1);
    const scope = addScope(d);
    if (caller !== 0) scope.caller = (work.firstScope + caller) as u16;
    scope.callLine = callLine;
    work.current = work.scopeCount - 1;
  }
  if (!d.flag(STAYS, min(work.scopeCount, 3))) work.current = work.scopeCount - 1 - d.number(SCOPE);
}

function addScope(d: Decoder): ScopeRecord {
  const number = min(work.firstScope + work.scopeCount++, head(SCOPE_COUNT) - 1);
  const scope = tables.scopeAt(number);
  const recent = changetype<Recent>(work.recentSymbols);
  const isNew = d.flag(NEW_SYMBOL) && recent.count < head(SYMBOL_COUNT);
  scope.symbol = (isNew ? recent.add() : recent.use(min(d.number(SYMBOL), recent.count - 1))) as u16;
  return scope;
}

/** In a scope of the function; by its last line, or the first one that was told of its symbol. */
function readLine(d: Decoder, number: u32): u16 {
  if (d.flag(NO_LINE)) return 0;
  const scope = tables.scopeAt(min(work.firstScope + number, head(SCOPE_COUNT) - 1));
  const symbol = tables.symbolAt(scope.symbol);
  const fresh = scope.lastLine === 0;
  let line: u32 = fresh ? symbol.firstLine : scope.lastLine;
  if (line === 0) {
    line = d.number(FIRST_LINE);
    symbol.firstLine = line;
  } else if (!d.flag(SAME_LINE)) {
    line += d.flag(UP, fresh ? 1 : 0) ? d.number(UP_BY) + 1 : ~d.number(DOWN_BY);
  }
  scope.lastLine = line as u16;
  return line as u16;
}

function unpackSymbols(): void {
  const d = part(head(FUNCTION_BYTES) + head(PLACE_BYTES), head(SYMBOL_BYTES));
  let file: u32 = 0;
  for (let i: u32 = 0; i < head(SYMBOL_COUNT); i++) {
    if (!d.flag(SAME_FILE)) file = readFile(d);
    const from = changetype<FileRecord>(work.files + file * offsetof<FileRecord>());
    const symbol = tables.symbolAt(i);
    symbol.file = from.path;
    symbol.name = readName(d, from.lastName);
    from.lastName = symbol.name;
  }
}

function readFile(d: Decoder): u32 {
  const recent = changetype<Recent>(work.recentFiles);
  const isNew = d.flag(NEW_FILE) && recent.count < head(FILE_COUNT);
  if (!isNew) return recent.use(min(d.number(FILE) + 1, recent.count - 1));
  const number = recent.add();
  const at = work.text;
  work.text = d.text(at, work.end, 0);
  changetype<FileRecord>(work.files + number * offsetof<FileRecord>()).path = at;
  return number;
}

/** `last`: where the one before in this file is, the class of which may be left out. */
function readName(d: Decoder, last: u32): u32 {
  const at = work.text;
  const prefix: u32 = last === 0 ? 0 : classBytes(last);
  let before: u32 = 0;
  if (prefix > 0 && d.flag(SAME_CLASS)) {
    for (let i: u32 = 0; i < prefix && work.text < work.end; i++) {
      const code = load<u8>(last + i);
      store<u8>(work.text++, code);
      before = (before << 7) | code;
    }
  }
  work.text = d.text(work.text, work.end, before);
  return at;
}

/** Up to its first `#`, with it. */
function classBytes(name: u32): u32 {
  for (let at = name; at < work.end && load<u8>(at) !== 0; at++)
    if (load<u8>(at) === HASH) return at + 1 - name;
  return 0;
}
