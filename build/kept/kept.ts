// Machine code of a module's functions, kept from one translation to the next of the same program, in which little has changed.
// Without inlining, the code of a function depends on its body and on what that refers to, and there on what is called with what,
// not on what it does. So a function that is written anew, or a text that is added, costs the translation of what names it.

import type { ValueRange } from '../debug/values.ts';
import type { ContextLayout } from '../object/layout.ts';
import { functionKey, type Program } from '../object/program.ts';
import type { WasmFunc, WasmModule } from '../wasm/module.ts';
import type { EmittedFunction } from '../x64/emit.ts';
import { CONTEXT_SYMBOL } from '../x64/emitter.ts';
import { Moves } from './moves.ts';
import { isSameBody } from './same-body.ts';

/** Passes that copy code between functions. */
export const NEEDS_OTHERS: ReadonlySet<string> = new Set(['inline', 'recursion']);

export interface KeptFunction {
  code: EmittedFunction;
  /** Functions that it refers to, in the order in which that was found. */
  called: readonly number[];
  /** Where its variables are. */
  values: readonly ValueRange[];
}

/** One translation: its module, and the code of its functions by their indexes. */
interface Generation {
  module: WasmModule;
  layout: ContextLayout;
  functions: Map<number, KeptFunction>;
}

export class KeptCode {
  private last: Generation | undefined;
  private now: Generation | undefined;
  private moves: Moves | undefined;

  /** Before a module is translated. */
  begin(module: WasmModule, layout: ContextLayout): void {
    // Atomics wait in shared memory only.
    const isShared = ({ memories }: WasmModule) => memories.some(({ shared }) => shared);
    this.last = this.now && isShared(this.now.module) === isShared(module) ? this.now : undefined;
    this.now = { module, layout, functions: new Map() };
    this.moves = this.last && new Moves(this.last, this.now);
  }

  /** The code of a function, if it is the same as in the translation before. */
  find(func: WasmFunc): KeptFunction | undefined {
    const { last, now, moves } = this;
    const index = moves?.functionBefore(func.index);
    const kept = index === undefined ? undefined : last!.functions.get(index);
    if (!kept) return undefined;
    const before = last!.module.funcs[index!];
    if (!isSameBody(last!.module, before, now!.module, func, moves!)) return undefined;
    const found = moved(kept, before, func, moves!);
    this.keep(func, found);
    return found;
  }

  keep({ index }: WasmFunc, kept: KeptFunction): void {
    this.now!.functions.set(index, { ...kept, code: { ...kept.code, steps: [] } });
  }
}

/** What is kept of the function `before`, in the terms of the next module. */
function moved(
  { code, called, values }: KeptFunction,
  before: WasmFunc,
  now: WasmFunc,
  moves: Moves,
): KeptFunction {
  const distance = now.body!.start - before.body!.start;
  const symbol = (name: string) => symbolNow(name, moves);
  return {
    code: {
      ...code,
      lines: code.lines.map((line) => ({ ...line, loc: line.loc < 0 ? line.loc : line.loc + distance })),
      relocs: code.relocs.map((reloc) => {
        if (reloc.sym !== CONTEXT_SYMBOL) return { ...reloc, sym: symbol(reloc.sym) };
        const shift = moves.fieldNow(reloc.disp)! - reloc.disp;
        return { ...reloc, addend: reloc.addend + shift, disp: reloc.disp + shift };
      }),
      tables: code.tables.map((table) => ({ ...table, symbol: symbol(table.symbol) })),
      calls: code.calls.map((callee) => (typeof callee === 'string' ? symbol(callee) : callee)),
    },
    called: called.map((index) => moves.functionNow(index)!),
    values: values.map((value) => ({ ...value, func: now.index })),
  };
}

/** A function's symbol, or one of what belongs to it, as its jump tables. */
function symbolNow(name: string, moves: Moves): string {
  const [, index, rest] = /^yaos_func_(\d+)(\.table\d+)?$/.exec(name) ?? [];
  return index === undefined ? name : `${functionKey(moves.functionNow(Number(index))!)}${rest ?? ''}`;
}

/** Has `program` keep the constants that kept code refers to. */
export function renewConstants(program: Program, { relocs }: EmittedFunction): void {
  for (const { sym } of relocs) {
    const [, bytes, bits] = /^yaos\.const(4|8|16)\.([0-9a-f]+)$/.exec(sym) ?? [];
    if (bits !== undefined) program.constant(BigInt(`0x${bits}`), Number(bytes) as 4 | 8 | 16);
  }
}
