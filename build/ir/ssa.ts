// Local variables to SSA values while the code is being read (after Braun et al., "Simple and Efficient Construction of
// Static Single Assignment Form", 2013): a block asks its predecessors for a value that it does not define, and
// gets a parameter where they may differ. Three things keep it near-linear here: a construct of structured control
// flow in whose byte range a local is not assigned cannot change it, so the question skips the construct; it jumps
// over many such constructs at once; and parameters that turn out to be the same on all edges are removed at the
// end, all together. Locals that would need too many arguments (frame-locals.ts) are loaded and stored instead, and
// remembered to the end of a block.

import type { VariableLog } from './bindings.ts';
import type { Emitter } from './emitter.ts';
import type { Block, Edge, Inst, Type } from './ir.ts';
import { removeTrivialParams } from './params.ts';

/** A construct's byte range, and the block where it began: what its join or loop header asks for locals that it
 * does not assign. */
export interface Construct {
  start: number;
  end: number;
  before: SsaBlock;
}

export class SsaBlock {
  readonly block: Block;
  readonly preds: { from: SsaBlock; edge: Edge; at: number }[] = [];
  readonly defs = new Map<number, Inst>();
  /** Join blocks and loop headers. */
  readonly construct: Construct | undefined;
  /** All predecessors are known. */
  sealed: boolean;
  /** Parameters made before the block was sealed, still without arguments. */
  incomplete: Pending[] = [];
  /** Byte offset where it begins. */
  start = 0;
  /** The block to ask when this one has nothing to do with a local. Makes a tree, rooted in the entry. */
  parent: SsaBlock = this;
  depth = 0;
  /** An ancestor further up, so that any is reached in O(log n) steps (Myers, "An Applicative Random-Access Stack", 1983). */
  jump: SsaBlock = this;
  /** Where the code of the constructs that `jump` passes over ends. */
  jumpEnd = 0;

  constructor(block: Block, sealed: boolean, construct?: Construct) {
    this.block = block;
    this.sealed = sealed;
    this.construct = construct;
  }

  begin(start: number): void {
    this.start = start;
    this.parent = this.construct?.before ?? this.preds[0]?.from ?? this;
    const { parent } = this;
    const { jump } = parent;
    const far = parent.depth - jump.depth === jump.depth - jump.jump.depth;
    this.depth = parent.depth + 1;
    this.jump = far ? jump.jump : parent;
    this.jumpEnd = Math.max(this.construct?.end ?? start, far ? Math.max(parent.jumpEnd, jump.jumpEnd) : 0);
  }
}

/** The local variables of a function, parameters first. */
export interface Locals {
  types: Type[];
  names: Map<number, string> | undefined;
  /** For each local, the byte offsets of its assignments, ascending. */
  assignments: number[][];
  /** Those that are kept in the frame. */
  inFrame: number[];
  /** Told of what happens to them. */
  log?: VariableLog;
}

/** A parameter that stands for local `local` at the start of `at`. */
interface Pending {
  param: Inst;
  at: SsaBlock;
  local: number;
}

export class Ssa {
  private readonly e: Emitter;
  private readonly locals: Locals;
  /** By local. */
  private readonly slots = new Map<number, number>();
  /** Arguments of edges that there may be yet. */
  private room: number;
  private readonly entry: SsaBlock;
  private readonly zeros: Inst[] = [];
  private queue: Pending[] = [];
  current: SsaBlock;

  constructor(e: Emitter, locals: Locals, edgeArgumentsMax: number) {
    this.e = e;
    this.locals = locals;
    this.room = edgeArgumentsMax;
    this.entry = this.newBlock(true);
    this.current = this.entry;
    for (const local of locals.inFrame) {
      this.slots.set(local, e.func.slots.push(locals.types[local]) - 1);
    }
  }

  /** Begins the function: gives its parameters, the first locals, their values, and zeros to those in the frame. */
  enter(params: number): void {
    this.start(this.entry);
    const { types, inFrame } = this.locals;
    for (let i = 0; i < params; i++) this.write(i, this.e.func.addParam(this.entry.block, types[i]));
    for (const local of inFrame) if (local >= params) this.write(local, this.zero(local));
  }

  /** A block that is appended to the layout when `start` is called. */
  newBlock(sealed: boolean, construct?: Construct): SsaBlock {
    return new SsaBlock(this.e.func.newBlock(), sealed, construct);
  }

  /** Makes `b` the current block, next in the layout. */
  start(b: SsaBlock): void {
    b.begin(this.e.loc);
    this.e.func.blocks.push(b.block);
    this.e.block = b.block;
    this.current = b;
    this.locals.log?.begin(b);
  }

  /** An edge from the current block. */
  edgeTo(to: SsaBlock, args: Inst[]): Edge {
    const edge = { block: to.block, args };
    to.preds.push({ from: this.current, edge, at: this.e.loc });
    return edge;
  }

  seal(b: SsaBlock): void {
    b.sealed = true;
    this.queue = b.incomplete;
    b.incomplete = [];
    this.fill();
  }

  write(local: number, value: Inst): void {
    this.current.defs.set(local, value);
    this.locals.log?.assign(local, value, this.e.loc);
    const slot = this.slots.get(local);
    if (slot !== undefined) this.e.slotStore(slot, value);
    if (value.op !== 'const') this.nameValue(local, value);
  }

  private nameValue(local: number, value: Inst): void {
    const name = this.locals.names?.get(local);
    const { valueNames } = this.e.func;
    if (name !== undefined && !valueNames.has(value)) valueNames.set(value, name);
  }

  read(local: number): Inst {
    this.locals.log?.read(local, this.e.loc);
    const known = this.current.defs.get(local);
    if (known) return known;
    const slot = this.slots.get(local);
    if (slot !== undefined) return this.load(local, slot);
    const value = this.lookUp(local, this.current, this.e.loc);
    this.fill();
    return value;
  }

  private load(local: number, slot: number): Inst {
    const value = this.e.slotLoad(this.locals.types[local], slot);
    this.nameValue(local, value);
    this.current.defs.set(local, value);
    return value;
  }

  /** The value of `local` in `from` at byte offset `until`. New parameters get their arguments later, by `fill`. */
  private lookUp(local: number, from: SsaBlock, until: number): Inst {
    let b = from;
    let end = until;
    let value = b.defs.get(local);
    while (value === undefined) {
      const { construct, jump } = b;
      if (b === this.entry) value = this.zero(local);
      else if (!this.assignedIn(local, jump.start, Math.max(end, b.jumpEnd))) b = jump;
      else if (construct && !this.assignedIn(local, construct.start, construct.end)) {
        b = construct.before;
        end = construct.start;
      } else if (b.sealed && b.preds.length === 1) {
        end = b.preds[0].at;
        b = b.preds[0].from;
      } else value = this.newParam(local, b);
      value ??= b.defs.get(local);
    }
    from.defs.set(local, value);
    return value;
  }

  private newParam(local: number, at: SsaBlock): Inst {
    const param = this.e.func.addParam(at.block, this.locals.types[local]);
    this.nameValue(local, param);
    this.locals.log?.join(at, local, param);
    at.defs.set(local, param);
    const pending = { param, at, local };
    if (at.sealed) this.queue.push(pending);
    else at.incomplete.push(pending);
    return param;
  }

  /** Gives queued parameters an argument on each edge, which may queue more. */
  private fill(): void {
    for (let i = 0; i < this.queue.length && this.room >= 0; i++) {
      const { param, at, local } = this.queue[i];
      this.room -= at.preds.length;
      for (const p of at.preds) p.edge.args[param.index] = this.lookUp(local, p.from, p.at);
    }
    this.queue = [];
  }

  /** There have been more arguments of edges than there may be: what has been made is no use. */
  isTooLarge(): boolean {
    return this.room < 0;
  }

  /** A local starts as zero (WebAssembly core 4.4.10): the constant goes to the top of the entry block. */
  private zero(local: number): Inst {
    const type = this.locals.types[local];
    const inst = this.e.func.newInst('const', type, []);
    inst.imm = type === 'i64' || type === 'f64' ? 0n : 0;
    inst.block = this.entry.block;
    this.zeros.push(inst);
    this.entry.defs.set(local, inst);
    return inst;
  }

  /** Call once, when all code has been read. */
  finish(): void {
    const { func, loc } = this.e;
    this.entry.block.insts = this.zeros.concat(this.entry.block.insts);
    const { log } = this.locals;
    if (log) func.bindings = log.bindings(func, loc + 1, (...stretch) => this.assignedIn(...stretch));
    removeTrivialParams(func);
  }

  private assignedIn(local: number, start: number, end: number): boolean {
    const at = this.locals.assignments[local];
    if (at === undefined) return false;
    let low = 0;
    let high = at.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at[middle] < start) low = middle + 1;
      else high = middle;
    }
    return low < at.length && at[low] < end;
  }
}
