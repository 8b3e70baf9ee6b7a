// Local variables to SSA values while the code is being read (after Braun et al., "Simple and Efficient Construction of
// Static Single Assignment Form", 2013): a block asks its predecessors for a value that it does not define, and
// gets a parameter where they may differ. Two things keep it linear here: a construct of structured control flow in
// whose byte range a local is not assigned cannot change it, so the question skips the construct; and parameters
// that turn out to be the same on all edges are removed at the end, all at once.

import type { Emitter } from './emitter.ts';
import type { Block, Edge, Inst, Type } from './ir.ts';
import { removeTrivialParams } from './params.ts';

/** A byte range of the body. */
export interface Range {
  start: number;
  end: number;
}

/** Where a construct began: what its join or loop header skips to for locals that it does not assign. */
export interface Construct extends Range {
  before: SsaBlock;
}

export class SsaBlock {
  readonly block: Block;
  readonly preds: { from: SsaBlock; edge: Edge }[] = [];
  readonly defs = new Map<number, Inst>();
  /** Join blocks and loop headers. */
  readonly construct: Construct | undefined;
  /** All predecessors are known. */
  sealed: boolean;
  /** Parameters made before the block was sealed, still without arguments. */
  incomplete: Pending[] = [];

  constructor(block: Block, sealed: boolean, construct?: Construct) {
    this.block = block;
    this.sealed = sealed;
    this.construct = construct;
  }
}

/** A parameter that stands for local `local` at the start of `at`. */
interface Pending {
  param: Inst;
  at: SsaBlock;
  local: number;
}

export class Ssa {
  private readonly e: Emitter;
  private readonly types: Type[];
  private readonly names: Map<number, string> | undefined;
  /** For each local, the byte offsets of its assignments, ascending. */
  private readonly assignments: number[][];
  private readonly entry: SsaBlock;
  private readonly zeros: Inst[] = [];
  private queue: Pending[] = [];
  current: SsaBlock;

  constructor(e: Emitter, types: Type[], names: Map<number, string> | undefined, assignments: number[][]) {
    this.e = e;
    this.types = types;
    this.names = names;
    this.assignments = assignments;
    this.entry = this.newBlock(true);
    this.current = this.entry;
  }

  /** A block that is appended to the layout when `start` is called. */
  newBlock(sealed: boolean, construct?: Construct): SsaBlock {
    return new SsaBlock(this.e.func.newBlock(), sealed, construct);
  }

  /** Makes `b` the current block, next in the layout. */
  start(b: SsaBlock): void {
    this.e.func.blocks.push(b.block);
    this.e.block = b.block;
    this.current = b;
  }

  /** An edge from the current block. */
  edgeTo(to: SsaBlock, args: Inst[]): Edge {
    const edge = { block: to.block, args };
    to.preds.push({ from: this.current, edge });
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
    if (value.op !== 'const') this.nameValue(local, value);
  }

  private nameValue(local: number, value: Inst): void {
    const name = this.names?.get(local);
    const { valueNames } = this.e.func;
    if (name !== undefined && !valueNames.has(value)) valueNames.set(value, name);
  }

  read(local: number): Inst {
    const known = this.current.defs.get(local);
    if (known) return known;
    const value = this.lookUp(local, this.current);
    this.fill();
    return value;
  }

  /** The value of `local` at the end of `from`. New parameters get their arguments later, by `fill`. */
  private lookUp(local: number, from: SsaBlock): Inst {
    const passed: SsaBlock[] = [];
    let b = from;
    let value: Inst | undefined;
    while (value === undefined) {
      value = b.defs.get(local);
      if (value) break;
      passed.push(b);
      if (b.construct && !this.assignedIn(local, b.construct)) b = b.construct.before;
      else if (b.sealed && b.preds.length === 1) b = b.preds[0].from;
      else value = b === this.entry ? this.zero(local) : this.newParam(local, b);
    }
    for (const p of passed) p.defs.set(local, value);
    return value;
  }

  private newParam(local: number, at: SsaBlock): Inst {
    const param = this.e.func.addParam(at.block, this.types[local]);
    this.nameValue(local, param);
    const pending = { param, at, local };
    if (at.sealed) this.queue.push(pending);
    else at.incomplete.push(pending);
    return param;
  }

  /** Gives queued parameters an argument on each edge, which may queue more. */
  private fill(): void {
    for (let i = 0; i < this.queue.length; i++) {
      const { param, at, local } = this.queue[i];
      for (const { from, edge } of at.preds) edge.args[param.index] = this.lookUp(local, from);
    }
    this.queue = [];
  }

  /** A local starts as zero (WebAssembly core 4.4.10): the constant goes to the top of the entry block. */
  private zero(local: number): Inst {
    const type = this.types[local];
    const inst = this.e.func.newInst('const', type, []);
    inst.imm = type === 'i64' || type === 'f64' ? 0n : 0;
    inst.block = this.entry.block;
    this.zeros.push(inst);
    return inst;
  }

  /** Call once, when all code has been read. */
  finish(): void {
    this.entry.block.insts = this.zeros.concat(this.entry.block.insts);
    removeTrivialParams(this.e.func);
  }

  private assignedIn(local: number, range: Range): boolean {
    const at = this.assignments[local];
    if (at === undefined) return false;
    let low = 0;
    let high = at.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at[middle] < range.start) low = middle + 1;
      else high = middle;
    }
    return low < at.length && at[low] < range.end;
  }
}
