// Reads .debug_frame (DWARF 5 §6.4) and finds a function's caller by it, at any instruction: the translator's and that of
// asm/, in its interrupt stubs too.

import type { Section } from '../object/elf-reader.ts';

/** Numbers of the x86-64 psABI, figure 3.36. */
export const RSP = 7;
export const RETURN_ADDRESS = 16;

/** Where a register of the caller is. */
type Rule = { at: 'cfa'; offset: number } | { at: 'register'; register: number } | { at: 'nowhere' };

/** How to find the caller from some instructions. */
export interface FrameRules {
  cfaRegister: number;
  cfaOffset: number;
  registers: Map<number, Rule>;
  /** Made by an interrupt: the return address is the instruction that comes next, and not behind a call. */
  isSignal: boolean;
}

interface Common {
  codeAlign: number;
  dataAlign: number;
  isSignal: boolean;
  instructions: Reader;
}

interface Description {
  start: bigint;
  end: bigint;
  common: Common;
  instructions: Reader;
}

const CIE_ID = 0xffff_ffff;
const ADDRESS_BYTES = 8;

export class FrameTable {
  private readonly descriptions: Description[] = [];

  constructor(section: Section) {
    const commons = new Map<number, Common>();
    const reader = new Reader(section.contents);
    while (reader.more) {
      const at = reader.at;
      const entry = reader.part(reader.u32());
      const id = entry.u32();
      if (id === CIE_ID) {
        commons.set(at, readCommon(entry));
        continue;
      }
      const common = commons.get(id);
      if (common === undefined) throw new Error(`.debug_frame: no common entry at ${id}`);
      const start = entry.u64();
      this.descriptions.push({ start, end: start + entry.u64(), common, instructions: entry });
    }
    this.descriptions.sort((a, b) => (a.start < b.start ? -1 : 1));
  }

  /** Undefined: nothing is known of code there. */
  rulesAt(pc: bigint): FrameRules | undefined {
    let low = 0;
    let high = this.descriptions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.descriptions[middle].start <= pc) low = middle + 1;
      else high = middle;
    }
    const found = this.descriptions[low - 1];
    return found !== undefined && pc < found.end ? execute(found, pc) : undefined;
  }
}

function readCommon(entry: Reader): Common {
  const version = entry.u8();
  const augmentation = entry.text();
  if (version >= 4) entry.skip(2); // the sizes of addresses and of segment selectors
  const codeAlign = entry.uleb();
  const dataAlign = entry.sleb();
  if (version === 1) entry.u8();
  else entry.uleb(); // the return address's register
  return { codeAlign, dataAlign, isSignal: augmentation.includes('S'), instructions: entry };
}

/** The rules at `pc`: those of the common entry, changed by the function's own up to there. */
function execute({ start, common, instructions }: Description, pc: bigint): FrameRules {
  const rules = {
    cfaRegister: RSP,
    cfaOffset: 0,
    registers: new Map<number, Rule>(),
    isSignal: common.isSignal,
  };
  interpret(common.instructions.copy(), rules, common, 0n, 0n);
  const initial = new Map(rules.registers);
  interpret(instructions.copy(), rules, common, start, pc, initial);
  return rules;
}

function interpret(
  code: Reader,
  rules: FrameRules,
  { codeAlign, dataAlign }: Common,
  start: bigint,
  pc: bigint,
  initial: ReadonlyMap<number, Rule> = new Map(),
): void {
  let at = start;
  const saved: Pick<FrameRules, 'cfaRegister' | 'cfaOffset' | 'registers'>[] = [];
  const advance = (distance: number) => {
    at += BigInt(distance * codeAlign);
  };
  const set = (register: number, rule: Rule) => rules.registers.set(register, rule);
  const restore = (register: number) => {
    const rule = initial.get(register);
    if (rule) set(register, rule);
    else rules.registers.delete(register);
  };
  const operations: Record<number, () => void> = {
    0: () => {},
    2: () => advance(code.u8()),
    3: () => advance(code.u16()),
    4: () => advance(code.u32()),
    5: () => set(code.uleb(), { at: 'cfa', offset: code.uleb() * dataAlign }),
    6: () => restore(code.uleb()),
    7: () => set(code.uleb(), { at: 'nowhere' }),
    8: () => rules.registers.delete(code.uleb()), // the same value
    9: () => set(code.uleb(), { at: 'register', register: code.uleb() }),
    10: () => saved.push({ ...rules, registers: new Map(rules.registers) }),
    11: () => Object.assign(rules, saved.pop()),
    12: () => Object.assign(rules, { cfaRegister: code.uleb(), cfaOffset: code.uleb() }),
    13: () => Object.assign(rules, { cfaRegister: code.uleb() }),
    14: () => Object.assign(rules, { cfaOffset: code.uleb() }),
    17: () => set(code.uleb(), { at: 'cfa', offset: code.sleb() * dataAlign }),
    18: () => Object.assign(rules, { cfaRegister: code.uleb(), cfaOffset: code.sleb() * dataAlign }),
    19: () => Object.assign(rules, { cfaOffset: code.sleb() * dataAlign }),
  };
  while (code.more && at <= pc) {
    const byte = code.u8();
    const low = byte & 0x3f;
    if (byte >> 6 === 1) advance(low);
    else if (byte >> 6 === 2) set(low, { at: 'cfa', offset: code.uleb() * dataAlign });
    else if (byte >> 6 === 3) restore(low);
    else {
      const operation = operations[byte];
      if (operation === undefined)
        throw new Error(`.debug_frame: unknown instruction 0x${byte.toString(16)}`);
      operation();
    }
  }
}

class Reader {
  at: number;
  private readonly end: number;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get more(): boolean {
    return this.at < this.end;
  }

  copy(): Reader {
    return new Reader(this.bytes, this.at, this.end);
  }

  /** Takes the next bytes away, for a reader of their own. */
  part(bytes: number): Reader {
    this.skip(bytes);
    return new Reader(this.bytes, this.at - bytes, this.at);
  }

  skip(bytes: number): void {
    this.at += bytes;
    if (this.at > this.end) throw new Error('.debug_frame: an entry ends too early');
  }

  u8(): number {
    this.skip(1);
    return this.bytes[this.at - 1];
  }

  u16(): number {
    return this.u8() + this.u8() * 0x100;
  }

  u32(): number {
    return this.u16() + this.u16() * 0x1_0000;
  }

  u64(): bigint {
    return BigInt(this.u32()) + (BigInt(this.u32()) << BigInt(ADDRESS_BYTES * 4));
  }

  text(): string {
    let text = '';
    for (let byte = this.u8(); byte !== 0; byte = this.u8()) text += String.fromCharCode(byte);
    return text;
  }

  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return byte & 0x40 ? value - scale * 0x80 : value;
    }
  }
}
