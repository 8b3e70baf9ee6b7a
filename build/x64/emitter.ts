// The state of emitting one function: its frame, its labels, and the operands of machine instructions as the
// assembler wants them. The instructions themselves are in emit-*.ts, the driver is emit.ts.

import type { TrapName } from '../ir/ir.ts';
import { NOWHERE } from '../ir/locations.ts';
import { type Cond as AsmCond, Assembler, type Label, type Mark, type Mem, type RM } from './asm.ts';
import {
  CALLEE_SAVED,
  type Loc,
  type MBlock,
  type MData,
  type MFunc,
  type MInst,
  type MMem,
  R15,
  RSP,
  SLOT0,
} from './mir.ts';
import type { Selected } from './select.ts';
import type { Cond, FlagsSpec } from './select-integer.ts';

export interface EmitOptions {
  model: 'fixed' | 'register';
  /** Small rather than fast. */
  cold?: boolean;
  /** Bytes of stack arguments that this function pops on return. */
  popped: number;
  /** The symbol of a read-only constant. */
  constant(bits: bigint, bytes: 4 | 8 | 16): string;
  /** A fresh symbol for a jump table of this function. */
  tableSymbol(n: number): string;
  /** Remember where each instruction's code begins, for listings. */
  trace?: boolean;
  /** Remember what debugging information tells. */
  debug?: boolean;
}

/** A jump table for the read-only data: entry i is the distance from the table to `labels[i]`. */
export interface JumpTable {
  symbol: string;
  labels: Label[];
}

/** An address that a back trace may ask for: of an instruction that traps, or of a call's last byte. */
interface Stop {
  mark: Mark;
  /** Bytes from the mark. */
  at: 0 | -1;
}

/** The frame from an offset in the function's code on. */
export interface FrameState {
  offset: number;
  /** Bytes from rsp to where the return address was on entry. */
  depth: number;
  /** How many of the saved registers lie below it. */
  saved: number;
  /** The register that the return address is in, on the way into another function; -1: it is in its place. */
  returnIn: number;
}

export const XMM_SCRATCH = 31;
export const CONTEXT_SYMBOL = 'yaos_context';

/** Conditions on the zero and the sign flag alone. */
const TOLD_BY_RESULT: ReadonlySet<Cond> = new Set<Cond>(['e', 'ne', 's', 'ns']);

export class Emitter {
  readonly asm = new Assembler();
  readonly func: MFunc;
  readonly options: EmitOptions;
  readonly traps: { mark: Mark; kind: TrapName }[] = [];
  /** `stops`: the first and the last. */
  readonly lines: { mark: Mark; loc: number; stops: Stop[] }[] = [];
  readonly frames: (Omit<FrameState, 'offset'> & { mark: Mark; at: number })[] = [];
  readonly insts: { mark: Mark; inst: MInst | undefined }[] = [];
  readonly steps: { mark: Mark; inst: MInst; cold: boolean }[] = [];
  readonly tables: JumpTable[] = [];
  /** Callee-saved registers in the order they are pushed. */
  readonly saved: number[] = [];
  /** Bytes from rsp after the prologue to the return address. */
  readonly frame: number;
  /** Bytes that the prologue subtracts from rsp after the pushes. */
  readonly locals: number;
  /** Where the memory results of calls, the variables of the function and the spill slots begin above rsp. */
  readonly resultBase: number;
  private readonly variableBase: number;
  readonly slotBase: number;
  private readonly tableOf = new Map<MData, JumpTable>();
  private readonly labels = new Map<MBlock, Label>();
  /** Code that is rarely run, put behind the function's hot part. */
  private readonly cold: (() => void)[] = [];
  private currentLoc = -1;

  constructor(selected: Selected, options: EmitOptions) {
    this.func = selected.func;
    this.options = options;
    const mustSave = this.func.usedRegs & CALLEE_SAVED & (options.model === 'register' ? ~(1 << R15) : ~0);
    for (let r = 0; r < 16; r++) if (mustSave & (1 << r)) this.saved.push(r);
    this.resultBase = selected.outgoingBytes;
    this.variableBase = this.resultBase + selected.resultBytes;
    this.slotBase = this.variableBase + selected.frameBytes;
    let locals = this.slotBase + 8 * this.func.spillSlots;
    const calls = this.func.blocks.some((b) => b.insts.some((m) => m.op === 'call' || m.op === 'tailcall'));
    if (calls && (8 + 8 * this.saved.length + locals) % 16 !== 0) locals += 8;
    this.locals = locals;
    this.frame = locals + 8 * this.saved.length;
  }

  // --- operands ---

  reg(m: MInst, i: number): number {
    const loc = m.ops[i].loc;
    if (loc < 0 || loc >= SLOT0)
      throw new Error(`emit: operand ${i} of ${m.op} in ${this.func.name} is not in a register`);
    return loc;
  }

  /** A register, or the memory of a spill slot. */
  rm(m: MInst, i: number): RM {
    return this.locOperand(m.ops[i].loc);
  }

  locOperand(loc: Loc): RM {
    return loc < SLOT0 ? loc : this.stack(this.slotBase + 8 * (loc - SLOT0));
  }

  stack(disp: number): Mem {
    return { base: RSP, index: -1, scale: 1, disp };
  }

  /** The k-th stack argument area of this function, as seen after the prologue. */
  incoming(offset: number): Mem {
    return this.stack(this.frame + 8 + offset);
  }

  /** The instruction's memory operand. Call it right before emitting the access: it records the trap site. */
  mem(m: MInst): Mem {
    return this.access(m, m.data.mem!);
  }

  /** As `mem`, for any memory operand of the instruction. */
  access(m: MInst, mem: MMem): Mem {
    if (mem.linear) this.trapSite('memory');
    else if (mem.trap) this.trapSite(mem.trap as TrapName);
    return this.address(m, mem);
  }

  address(m: MInst, mem: MMem): Mem {
    if (mem.context) return this.contextField(mem.disp);
    if (mem.frame) return this.stack(this.variableBase + mem.disp);
    if (mem.sym !== undefined) return { base: -1, index: -1, scale: 1, disp: mem.disp, sym: mem.sym };
    let base = mem.base < 0 ? -1 : this.reg(m, mem.base);
    let index = mem.index < 0 ? -1 : this.reg(m, mem.index);
    if (mem.pinned) base = R15;
    else if (base < 0 && index >= 0 && mem.scale === 1) [base, index] = [index, -1];
    if (index === RSP) [base, index] = [index, base];
    return { base, index, scale: mem.scale, disp: mem.disp };
  }

  contextField(offset: number): Mem {
    if (this.options.model === 'register') return { base: R15, index: -1, scale: 1, disp: offset };
    return { base: -1, index: -1, scale: 1, disp: offset, sym: CONTEXT_SYMBOL };
  }

  /** The second source of a two-operand instruction: an immediate is handled by the caller. */
  source(m: MInst, i: number): RM {
    return m.data.mem ? this.mem(m) : this.rm(m, i);
  }

  // --- labels, traps, lines ---

  label(block: MBlock): Label {
    let l = this.labels.get(block);
    if (l === undefined) {
      l = this.asm.newLabel();
      this.labels.set(block, l);
    }
    return l;
  }

  /** The symbol of the table for a `switchtable`. Copies of one instruction share its `data`, and their table. */
  jumpTable(m: MInst): string {
    let table = this.tableOf.get(m.data);
    if (!table) {
      const labels = m.targets.slice(0, -1).map((t) => this.label(t.block));
      table = { symbol: this.options.tableSymbol(this.tables.length), labels };
      this.tables.push(table);
      this.tableOf.set(m.data, table);
    }
    return table.symbol;
  }

  trapSite(kind: TrapName): void {
    this.traps.push({ mark: this.asm.mark(), kind });
    this.stopsHere();
  }

  /** The instruction that follows may be met in a back trace: its place must be known. */
  stopsHere(): void {
    this.stop(0);
  }

  /** The call before may be met in a back trace. */
  stopsBefore(): void {
    this.stop(-1);
  }

  private stop(at: Stop['at']): void {
    const stops = this.lines.at(-1)?.stops;
    if (stops) stops[Math.min(stops.length, 1)] = { mark: this.asm.mark(), at };
  }

  /** Source position of what follows. */
  at(loc: number): void {
    if (loc === NOWHERE || loc === this.currentLoc) return;
    this.currentLoc = loc;
    this.lines.push({ mark: this.asm.mark(), loc, stops: [] });
  }

  /** A label for code that `emit` puts behind the hot part. */
  outOfLine(m: MInst, emit: () => void): Label {
    const label = this.asm.newLabel();
    this.cold.push(() => {
      this.asm.bind(label);
      this.step(m, true);
      this.at(m.loc);
      emit();
    });
    return label;
  }

  emitCold(): void {
    for (let i = 0; i < this.cold.length; i++) this.cold[i]();
  }

  trapLabel(m: MInst, kind: TrapName): Label {
    return this.outOfLine(m, () => {
      this.trapSite(kind);
      this.asm.ud2();
    });
  }

  /** What follows is of this instruction. */
  step(inst: MInst, cold: boolean): void {
    if (this.options.debug) this.steps.push({ mark: this.asm.mark(), inst, cold });
  }

  // --- frame ---

  /** The frame from here on. */
  frameIs(depth = this.frame, saved = this.saved.length, returnIn = -1, at = 0): void {
    if (this.options.debug) this.frames.push({ mark: this.asm.mark(), at, depth, saved, returnIn });
  }

  /** The instruction before is a call that pops arguments: for a debugger, its last byte is in the frame after that. */
  frameIsAfterCall(popped: number): void {
    this.frameIs(this.frame - popped, this.saved.length, -1, -1);
  }

  // --- flags ---

  /** The register, and the bytes of it, that the zero and sign flags tell of; -1: none. */
  private flagsOf = { reg: -1, size: 0 };
  private claimed = false;

  /** Called by an instruction that leaves these flags as its result's in `reg`. */
  claimFlags(reg: number, size: number): void {
    this.flagsOf = { reg, size };
    this.claimed = true;
  }

  /** Between instructions: moves leave the flags alone, others do what they said. */
  afterInstruction(m: MInst): void {
    if (!this.claimed && !(m.op === 'mov' && m.ops[0].loc !== this.flagsOf.reg)) this.forgetFlags();
    this.claimed = false;
  }

  forgetFlags(): void {
    this.flagsOf.reg = -1;
  }

  /** Whether the flags say already what the test of a register against itself would. */
  flagsAreKnown(m: MInst): boolean {
    const f = m.data.flags as FlagsSpec;
    if (f.kind !== 'test' || f.a < 0 || f.a !== f.b || !TOLD_BY_RESULT.has(m.data.cond as Cond)) return false;
    return this.flagsOf.reg === this.reg(m, f.a) && this.flagsOf.size === f.size;
  }

  /** Emits the comparison of a flags consumer. */
  setFlags(m: MInst): void {
    const f = m.data.flags as FlagsSpec;
    const a = this.asm;
    if (this.flagsAreKnown(m)) return;
    if (f.kind === 'ucomis') {
      a.sse(f.size === 4 ? 'ucomiss' : 'ucomisd', this.reg(m, f.a), this.reg(m, f.b));
    } else if (f.kind === 'test') {
      if (f.mem) a.testImm(f.size, this.access(m, f.mem), f.imm!);
      else if (f.b >= 0) a.test(f.size, this.reg(m, f.a), this.reg(m, f.b));
      else a.testImm(f.size, this.reg(m, f.a), f.imm!);
    } else {
      this.compare(m, f);
    }
  }

  private compare(m: MInst, f: FlagsSpec): void {
    const a = this.asm;
    if (f.a < 0) a.aluImm('cmp', f.size, this.access(m, f.mem!), f.imm!);
    else if (f.mem) a.alu('cmp', f.size, this.reg(m, f.a), this.access(m, f.mem));
    else if (f.b < 0) this.compareImmediate(this.rm(m, f.a), f);
    else a.alu('cmp', f.size, this.reg(m, f.a), this.rm(m, f.b));
  }

  /** A register compared with 0: `test` leaves the same flags in fewer bytes. */
  private compareImmediate(rm: RM, { size, imm }: FlagsSpec): void {
    if (imm === 0 && typeof rm === 'number') this.asm.test(size, rm, rm);
    else this.asm.aluImm('cmp', size, rm, imm!);
  }

  /** Jumps to `label` if the condition holds, else goes on. */
  jumpIf(cond: Cond, label: Label): void {
    if (cond === 'ne_p') {
      this.asm.jcc('p', label);
      this.asm.jcc('ne', label);
    } else if (cond === 'e_np') {
      const skip = this.asm.newLabel();
      this.asm.jcc('p', skip);
      this.asm.jcc('e', label);
      this.asm.bind(skip);
    } else {
      this.asm.jcc(cond as AsmCond, label);
    }
  }
}
