// Which value each variable of the source has where, for debugging information: noted while locals become SSA values, as
// bindings of a local to a value over a stretch of the code. Passes replace the values of bindings with those of operands, and
// drop a binding whose value they remove; a binding keeps no value alive and changes no code.

import type { Func, Inst } from './ir.ts';
import { NOWHERE } from './locations.ts';
import type { SsaBlock } from './ssa.ts';

export interface Binding {
  /** Index in the module of the function that the local is of. */
  func: number;
  /** Location of the call if that function is inlined here, else NOWHERE. */
  call: number;
  local: number;
  /** Byte offsets of the operators before which the local has this value. */
  from: number;
  to: number;
  value: Inst;
}

/** Beyond so many locals of as many blocks nothing is noted. */
const STATES_MAX = 1_000_000;

/** The name in the source, of which there may be several variables, which asc numbers; undefined: it is none in the source. */
export function sourceName(local: string): string | undefined {
  return /^([A-Za-z_$][\w$]*)(\|\d+)?$/.exec(local)?.[1];
}

interface Access {
  local: number;
  at: number;
}

interface Assignment extends Access {
  value: Inst;
}

interface BlockLog {
  block: SsaBlock;
  assignments: Assignment[];
  /** What each local is at the end. */
  after: Map<number, Inst>;
}

/** Notes what happens to the locals with names while a function is read. */
export class VariableLog {
  private readonly names = new Map<number, string>();
  private readonly blocks: BlockLog[] = [];
  private readonly of = new Map<SsaBlock, BlockLog>();
  private readonly params = new Map<SsaBlock, Map<number, Inst>>();
  private readonly accesses: Access[] = [];

  constructor(names: ReadonlyMap<number, string>) {
    for (const [local, name] of names) {
      const plain = sourceName(name);
      if (plain !== undefined) this.names.set(local, plain);
    }
  }

  begin(block: SsaBlock): void {
    const log = { block, assignments: [], after: new Map() };
    this.blocks.push(log);
    this.of.set(block, log);
  }

  assign(local: number, value: Inst, at: number): void {
    if (!this.names.has(local)) return;
    this.blocks[this.blocks.length - 1].assignments.push({ local, at, value });
    this.accesses.push({ local, at });
  }

  read(local: number, at: number): void {
    if (this.names.has(local)) this.accesses.push({ local, at });
  }

  /** A parameter of a block for a local. */
  join(block: SsaBlock, local: number, param: Inst): void {
    if (!this.names.has(local)) return;
    const params = this.params.get(block);
    if (params) params.set(local, param);
    else this.params.set(block, new Map([[local, param]]));
  }

  /** Of code that ends at byte offset `end`. `changes`: whether a local is assigned in a stretch of code. */
  bindings(
    func: Func,
    end: number,
    changes: (local: number, from: number, to: number) => boolean,
  ): Binding[] {
    if (this.blocks.length * this.names.size > STATES_MAX) return [];
    const found = new Stretches(func);
    for (const log of this.blocks) {
      const { block, assignments, after } = log;
      for (const local of this.names.keys()) {
        const value = this.valueAtStart(block, local, changes);
        // At its start is the operator that ends the block before.
        found.change(local, value, block.start + 1);
        if (value) after.set(local, value);
      }
      for (const { local, at, value } of assignments) {
        found.change(local, value, at + 1);
        after.set(local, value);
      }
    }
    return found.end(end).flatMap((binding) => this.inScope(binding));
  }

  private valueAtStart(
    block: SsaBlock,
    local: number,
    changes: (local: number, from: number, to: number) => boolean,
  ): Inst | undefined {
    const param = this.params.get(block)?.get(local);
    if (param) return param;
    const { construct, preds } = block;
    if (construct && !changes(local, construct.start, construct.end))
      return this.of.get(construct.before)?.after.get(local);
    let same: Inst | undefined;
    for (const { from } of preds) {
      // A loop's way back comes later: it is not known what the local will be there.
      const value = this.of.get(from)?.after.get(local);
      if (value === undefined || (same && value !== same)) return undefined;
      same = value;
    }
    return same;
  }

  /** The parts of a binding in which the variable's name means this local: asc tells no scopes, so between two accesses only
   * where no other variable of that name can be meant. */
  private inScope(binding: Binding): Binding[] {
    return this.scopeOf(binding.local)
      .map(({ from, to }) => ({
        ...binding,
        from: Math.max(from, binding.from),
        to: Math.min(to, binding.to),
      }))
      .filter((part) => part.from < part.to);
  }

  private readonly scopes = new Map<number, { from: number; to: number }[]>();

  private scopeOf(local: number): { from: number; to: number }[] {
    if (this.scopes.size === 0) this.findScopes();
    return this.scopes.get(local)!;
  }

  private findScopes(): void {
    const byName = new Map<string, number>();
    for (const [local, name] of this.names) {
      byName.set(name, (byName.get(name) ?? 0) + 1);
      this.scopes.set(local, []);
    }
    const accesses = this.accesses.toSorted((a, b) => a.at - b.at);
    const last = new Map(accesses.map(({ local, at }) => [local, at]));
    const seen = new Set<number>();
    const before = new Map<string, Access>();
    for (const [local, name] of this.names)
      if (byName.get(name) === 1) this.scopes.get(local)!.push({ from: 0, to: Number.POSITIVE_INFINITY });
    for (const access of accesses) {
      const name = this.names.get(access.local)!;
      if (byName.get(name) === 1) continue;
      const previous = before.get(name);
      const goesOn = previous?.local === access.local;
      // One that is used again later is around another that begins here.
      const isAround = previous && !seen.has(access.local) && last.get(previous.local)! > access.at;
      if (previous && (goesOn || isAround))
        this.scopes.get(previous.local)!.push({ from: previous.at, to: access.at + 1 });
      seen.add(access.local);
      before.set(name, access);
    }
  }
}

/** The stretches in which each local has one value. */
class Stretches {
  private readonly func: Func;
  private readonly open = new Map<number, { from: number; value: Inst }>();
  private readonly found: Binding[] = [];

  constructor(func: Func) {
    this.func = func;
  }

  change(local: number, value: Inst | undefined, at: number): void {
    const before = this.open.get(local);
    if (before?.value === value) return;
    if (before && before.from < at)
      this.found.push({ func: this.func.index, call: NOWHERE, local, to: at, ...before });
    if (value) this.open.set(local, { from: at, value });
    else this.open.delete(local);
  }

  end(at: number): Binding[] {
    for (const local of [...this.open.keys()]) this.change(local, undefined, at);
    return this.found;
  }
}
