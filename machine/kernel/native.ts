// What the kernel's panic looks at above 4 GiB: the exception frame, the stack, and the translator's tables (docs/abi.md
// §4 and §7). There is no machine code here, so they are made up from the engine's back trace, such that the kernel's own
// report names the trap and every function.

/** Numbers of traps: `TrapKind` in build/ir/ir.ts. By the message of V8; the vector is that of docs/abi.md §4. */
const TRAPS: readonly [message: RegExp, kind: number, vector: number][] = [
  [/unreachable/, 1, 6],
  [/divide by zero|remainder by zero/, 2, 0],
  [/divide result unrepresentable/, 2, 0],
  [/float unrepresentable/, 3, 6],
  [/memory access out of bounds/, 5, 14],
  [/table index is out of bounds/, 7, 6],
  [/null function|indirect call to null/, 8, 14],
  [/signature mismatch/, 9, 6],
  [/call stack/i, 10, 8],
];
const TRAP_UNREACHABLE = 1;
export const TRAP_MEMORY = 5;
export const PAGE_FAULT = 14;

// Arguments of x86.table; each table's end is the next number.
const TABLE_FUNCTIONS = 0;
const TABLE_RECORDS = 2;
const TABLE_STRINGS = 4;
const TABLE_TEXT = 6;
const STACK_BOTTOM = 8;
const STACK_TOP = 9;

// Places in the made-up native memory.
const BASE = 0xffff_ffff_8100_0000n;
const TEXT = 0x0000;
const FUNCTION_BYTES = 16;
const FUNCTIONS_AT = 0x4000;
const RECORDS_AT = 0x5000;
const STRINGS_AT = 0x8000;
const STACK_AT = 0x1_0000;
const FRAME_AT = 0x1_8000;
const BYTES = 0x1_9000;
const CALLS_MAX = 100;
const NAME_BYTES_MAX = 200;

// Words of the frame (docs/abi.md §7).
const FRAME = { rax: 14, cr2: 15, vector: 16, error: 17, rip: 18, rflags: 20, rsp: 21 };

export interface Fault {
  vector: number;
  error: number;
  /** Kind of trap, 0: none, a fault of the processor itself. */
  kind: number;
  address: number;
}

/**
 * The exception that a trap of WebAssembly is on the real machine. V8 does not tell the address of an access out of bounds:
 * `memoryEnd` is the first that it can be.
 */
export function faultOf(message: string, memoryEnd: number): Fault {
  const [, kind, vector] = TRAPS.find(([pattern]) => pattern.test(message)) ?? [/./, TRAP_UNREACHABLE, 6];
  return { vector, error: 0, kind, address: kind === TRAP_MEMORY ? memoryEnd : 0 };
}

/** What there is above 4 GiB: the answers of x86.table and of the peek intrinsics. */
export interface Native {
  table(which: number): bigint;
  peek(at: bigint, width: 1 | 4): number;
}

export class PanicMemory implements Native {
  private readonly view = new DataView(new ArrayBuffer(BYTES));
  private readonly tables = new Map<number, number>();
  readonly frame = BASE + BigInt(FRAME_AT);

  constructor(fault: Fault, calls: readonly string[], overflow: boolean) {
    const names = calls.slice(0, CALLS_MAX);
    this.writeFunctions(names, fault.kind);
    this.setTable(TABLE_TEXT, TEXT, Math.max(names.length, 1) * FUNCTION_BYTES);
    // The calls' return addresses; no function has a frame.
    for (let i = 1; i < names.length; i++) {
      this.setWord(STACK_AT + (i - 1) * 8, BASE + BigInt(TEXT + i * FUNCTION_BYTES + 8));
    }
    // One for all threads: their stride is none.
    this.tables.set(STACK_BOTTOM, fault.vector === 8 ? STACK_AT : STACK_AT - 0x2000);
    this.tables.set(STACK_TOP, STACK_AT + Math.max(names.length - 1, 0) * 8);
    const set = (word: number, value: bigint) => this.setWord(FRAME_AT + word * 8, value);
    set(FRAME.vector, BigInt(fault.vector));
    set(FRAME.error, BigInt(fault.error));
    set(FRAME.cr2, BigInt(fault.address));
    set(FRAME.rip, BASE + BigInt(TEXT));
    set(FRAME.rsp, BASE + BigInt(STACK_AT));
    set(FRAME.rflags, 2n);
    set(FRAME.rax, overflow ? 1n : 0n); // the divisor, by the code's zeros
  }

  /** x86.table. */
  table(which: number): bigint {
    const at = this.tables.get(which);
    return at === undefined ? 0n : BASE + BigInt(at);
  }

  peek(at: bigint, width: 1 | 4): number {
    const offset = Number(BigInt.asUintN(64, at) - BASE);
    if (offset < 0 || offset + width > BYTES) return 0;
    return width === 1 ? this.view.getUint8(offset) : this.view.getUint32(offset, true);
  }

  /** The index of functions, their records and their names (docs/abi.md §4). */
  private writeFunctions(names: readonly string[], kind: number): void {
    let text = STRINGS_AT + 1;
    let record = RECORDS_AT;
    for (const [i, name] of names.entries()) {
      this.view.setUint32(FUNCTIONS_AT + i * 8, i * FUNCTION_BYTES, true);
      this.view.setUint32(FUNCTIONS_AT + i * 8 + 4, record - RECORDS_AT, true);
      // The trap is at the first instruction of the first function; no line is known.
      const traps = i === 0 && kind > 0 ? [1, kind] : [];
      const scopes = [0, 0, ...leb128(text - STRINGS_AT), 0, 0];
      const bytes = [FUNCTION_BYTES, 0, 0, traps.length, ...traps, scopes.length, ...scopes, 0];
      for (const byte of bytes) this.view.setUint8(record++, byte);
      for (const byte of new TextEncoder().encode(name).subarray(0, NAME_BYTES_MAX))
        this.view.setUint8(text++, byte);
      text++;
    }
    this.setTable(TABLE_FUNCTIONS, FUNCTIONS_AT, names.length * 8);
    this.setTable(TABLE_RECORDS, RECORDS_AT, record - RECORDS_AT);
    this.setTable(TABLE_STRINGS, STRINGS_AT, text - STRINGS_AT);
  }

  private setTable(which: number, at: number, bytes: number): void {
    this.tables.set(which, at);
    this.tables.set(which + 1, at + bytes);
  }

  private setWord(at: number, value: bigint): void {
    this.view.setBigUint64(at, value, true);
  }
}

/** The functions of a WebAssembly back trace, the innermost first. */
export function wasmCalls(stack: string): string[] {
  return [...stack.matchAll(/^ *at (.+?) \(wasm:\/\//gm)].map(([, name]) =>
    name.replace(/^.*?\.(?=kernel\/)/, ''),
  );
}

function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)];
}
