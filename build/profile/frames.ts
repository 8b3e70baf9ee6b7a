// Reads .debug_frame (DWARF 5 §6.4) and finds a function's caller by it, at any instruction: the translator's and that of
// asm/, in its interrupt stubs too.

import { DebugReader } from '../debug/reader.ts';
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
  instructions: DebugReader;
}

interface Description {
  start: bigint;
  end: bigint;
  common: Common;
  instructions: DebugReader;
}

const CIE_ID = 0xffff_ffff;

export class FrameTable {
  private readonly descriptions: Description[] = [];

  constructor(section: Section) {
    const commons = new Map<number, Common>();
    const reader = new DebugReader(section.contents);
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

function readCommon(entry: DebugReader): Common {
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
  code: DebugReader,
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
