// The calls that led to where a CPU was stopped, by .debug_frame.

import { type FrameRules, type FrameTable, RETURN_ADDRESS, RSP } from './frames.ts';

const CALLS_MAX = 200;
const CHUNK_BYTES = 512;

/** By the numbers of the psABI; what is not known is not there. */
export type Registers = Map<number, bigint>;

/** The order of gdb's registers, by their numbers in DWARF: rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8 to r15, rip. */
export const GDB_ORDER = [0, 3, 2, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, RETURN_ADDRESS];

/** Reads memory that is not mapped as undefined. */
export type ReadMemory = (address: bigint, bytes: number) => Promise<Buffer | undefined>;

/** Addresses of instructions, the innermost first: where the CPU was, then of the calls. */
export async function unwind(start: Registers, table: FrameTable, read: ReadMemory): Promise<bigint[]> {
  const word = cached(read);
  const calls: bigint[] = [];
  let registers: Registers | undefined = start;
  let exact = true;
  while (registers !== undefined && calls.length < CALLS_MAX) {
    const pc = registers.get(RETURN_ADDRESS);
    if (pc === undefined || pc === 0n) break;
    // A return address lies behind its call, which may be a function's last instruction.
    const at = exact ? pc : pc - 1n;
    const rules = table.rulesAt(at);
    // Assembly of which nothing is said calls nobody, and has no frame.
    if (rules === undefined && calls.length > 0) break;
    calls.push(at);
    registers = await callerOf(registers, rules ?? LEAF, word);
    exact = rules?.isSignal === true;
  }
  return calls;
}

const LEAF: FrameRules = {
  cfaRegister: RSP,
  cfaOffset: 8,
  registers: new Map([[RETURN_ADDRESS, { at: 'cfa', offset: -8 }]]),
  isSignal: false,
};

/** Undefined: there is none. */
async function callerOf(
  callee: Registers,
  rules: FrameRules,
  word: (address: bigint) => Promise<bigint | undefined>,
): Promise<Registers | undefined> {
  const base = callee.get(rules.cfaRegister);
  if (base === undefined) return undefined;
  const cfa = base + BigInt(rules.cfaOffset);
  const caller: Registers = new Map(callee);
  caller.delete(RETURN_ADDRESS);
  caller.set(RSP, cfa);
  for (const [register, rule] of rules.registers) {
    let value: bigint | undefined;
    if (rule.at === 'cfa') value = await word(cfa + BigInt(rule.offset));
    else if (rule.at === 'register') value = callee.get(rule.register);
    if (value === undefined) caller.delete(register);
    else caller.set(register, value);
  }
  return caller.has(RETURN_ADDRESS) ? caller : undefined;
}

/** Words of a stack lie close together. */
function cached(read: ReadMemory): (address: bigint) => Promise<bigint | undefined> {
  const chunks = new Map<bigint, Buffer | undefined>();
  return async (address) => {
    const offset = Number(address % BigInt(CHUNK_BYTES));
    const start = address - BigInt(offset);
    if (!chunks.has(start)) chunks.set(start, await read(start, CHUNK_BYTES));
    const chunk = chunks.get(start);
    return chunk !== undefined && offset + 8 <= CHUNK_BYTES ? chunk.readBigUInt64LE(offset) : undefined;
  };
}
