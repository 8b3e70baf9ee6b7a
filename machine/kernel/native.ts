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
  [/unaligned/, 11, 6],
];
const TRAP_UNREACHABLE = 1;
export const TRAP_MEMORY = 5;
export const PAGE_FAULT = 14;

// Arguments of x86.table; the end of tables and of text is the next number.
const TABLES = 0;
const TABLE_TEXT = 2;
const STACK_BOTTOM = 4;
const STACK_TOP = 5;

// Places in the made-up native memory.
const BASE = 0xffff_ffff_8100_0000n;
const TEXT = 0x0000;
const FUNCTION_BYTES = 16;
const TABLES_AT = 0x4000;
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
    this.writeTables(names, fault.kind);
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

  /** Functions without a place in the source, and their names, as bits that are not coded (docs/abi.md §4). */
  private writeTables(names: readonly string[], kind: number): void {
    const [functions, places, symbols] = [new PlainBits(), new PlainBits(), new PlainBits()];
    let textBytes = 1;
    for (const [i, name] of names.entries()) {
      const [frame, pop] = [0, 0];
      // The trap is at the first instruction of the first function. An access to memory is none.
      const traps = i === 0 && kind > 0 && kind !== TRAP_MEMORY ? [1, 0, kind] : [0];
      for (const number of [i > 0 ? FUNCTION_BYTES : 0, frame, pop, ...traps]) functions.number(number);
      places.flag(true); // a new symbol
      places.number(0);
      // All in one file, which has no name.
      symbols.flag(i > 0);
      if (i === 0) {
        symbols.flag(true);
        symbols.text('');
      }
      const told = name.slice(0, NAME_BYTES_MAX);
      if (i > 0 && names[i - 1].slice(0, NAME_BYTES_MAX).includes('#')) symbols.flag(false); // another class
      symbols.text(told);
      textBytes += told.length + 1;
    }
    const parts = [functions, places, symbols].map((part) => part.bytes());
    const trapCount = kind > 0 && kind !== TRAP_MEMORY ? 1 : 0;
    const counts = [names.length, trapCount, 0, names.length, names.length, 1, textBytes];
    const head = [0, ...parts.map((part) => part.length), ...counts];
    for (const [i, word] of head.entries()) this.view.setUint32(TABLES_AT + i * 4, word, true);
    let at = TABLES_AT + head.length * 4;
    for (const part of parts) for (const byte of part) this.view.setUint8(at++, byte);
    this.setTable(TABLES, TABLES_AT, at - TABLES_AT);
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

/** Flags, numbers and texts in the packed tables, one bit after the other. */
class PlainBits {
  private readonly bits: number[] = [];

  flag(value: boolean): void {
    this.bits.push(value ? 1 : 0);
  }

  /** How many binary digits the successor has behind its first, in ones and a zero, and these digits. */
  number(value: number): void {
    const digits = [...(value + 1).toString(2).slice(1)].map(Number);
    this.bits.push(...digits.map(() => 1), 0, ...digits);
  }

  /** Characters of 7 bits, and a 0. */
  text(characters: string): void {
    const codes = Array.from(characters, (character) =>
      character < '\x80' ? character.charCodeAt(0) : 0x3f,
    );
    for (const code of [...codes, 0]) for (let i = 6; i >= 0; i--) this.bits.push((code >> i) & 1);
  }

  bytes(): number[] {
    const { bits } = this;
    return Array.from({ length: Math.ceil(bits.length / 8) }, (_, i) =>
      Number.parseInt(
        bits
          .slice(i * 8, i * 8 + 8)
          .join('')
          .padEnd(8, '0'),
        2,
      ),
    );
  }
}
