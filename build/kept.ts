// Machine code of a module's functions, kept from one translation to the next of the same program, in which little has changed.
// It is used where a function's body is the same, and so is all of the module that machine code depends on. Without
// inlining, that is what other functions are called with, and not what they do.

import type { ValueRange } from './debug/values.ts';
import type { Program } from './object/program.ts';
import type { WasmFunc, WasmModule } from './wasm/module.ts';
import type { EmittedFunction } from './x64/emit.ts';

/** Passes that copy code between functions. */
export const NEEDS_OTHERS: ReadonlySet<string> = new Set(['inline', 'recursion']);

export interface KeptFunction {
  code: EmittedFunction;
  /** Functions that it refers to, in the order in which that was found. */
  called: readonly number[];
  /** Where its variables are. */
  values: readonly ValueRange[];
}

interface Entry extends KeptFunction {
  name: string;
  body: Uint8Array;
  /** Where that was in the file. */
  start: number;
}

export class KeptCode {
  private surroundings = '';
  private readonly functions = new Map<number, Entry>();

  /** Before a module is translated. */
  begin(module: WasmModule): void {
    const surroundings = surroundingsOf(module);
    if (surroundings !== this.surroundings) this.functions.clear();
    this.surroundings = surroundings;
  }

  find(module: WasmModule, { index, name, body }: WasmFunc): KeptFunction | undefined {
    const kept = this.functions.get(index);
    if (!kept || !body || kept.name !== name) return undefined;
    if (Buffer.compare(kept.body, module.bytes.subarray(body.start, body.end)) !== 0) return undefined;
    const moved = body.start - kept.start;
    const lines = kept.code.lines.map((line) => ({
      ...line,
      loc: line.loc < 0 ? line.loc : line.loc + moved,
    }));
    return { code: { ...kept.code, lines }, called: kept.called, values: kept.values };
  }

  keep(module: WasmModule, { index, name, body }: WasmFunc, kept: KeptFunction): void {
    const { start, end } = body!;
    const code = { ...kept.code, steps: [] };
    this.functions.set(index, { ...kept, code, name, body: module.bytes.slice(start, end), start });
  }
}

/** Signatures, locals and what the context's layout comes from. */
function surroundingsOf(module: WasmModule): string {
  const { types, funcs, tables, memories, globals, exports, elems, datas, imports, referencedFuncs } = module;
  return JSON.stringify([
    types,
    funcs.map((f) => [f.typeIndex, f.cold, f.body?.locals.join()]),
    tables,
    memories,
    globals.map((g) => [g.type, g.mutable]),
    exports,
    elems.map((e) => [e.mode, e.items.length]),
    datas.map((d) => d.mode),
    imports,
    [...referencedFuncs],
  ]);
}

/** Has `program` keep the constants that kept code refers to. */
export function renewConstants(program: Program, { relocs }: EmittedFunction): void {
  for (const { sym } of relocs) {
    const [, bytes, bits] = /^yaos\.const(4|8|16)\.([0-9a-f]+)$/.exec(sym) ?? [];
    if (bits !== undefined) program.constant(BigInt(`0x${bits}`), Number(bytes) as 4 | 8 | 16);
  }
}
