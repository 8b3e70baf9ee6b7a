// The translator: a WebAssembly module in, an ELF64 x86-64 relocatable object out. This file is the list of its stages.

import { addDebugInfo } from './debug/debug.ts';
import { locateValues, trackedValues, type ValueRange } from './debug/values.ts';
import { Functions, SSA_PASS } from './functions.ts';
import type { ModuleEnv } from './ir/emitter.ts';
import { buildInit } from './ir/init.ts';
import type { Func } from './ir/ir.ts';
import { PassedValues } from './ir/passed-values.ts';
import { type KeptCode, type KeptFunction, renewConstants } from './kept/kept.ts';
import { listing } from './listing/listing.ts';
import { Origins } from './listing/origins.ts';
import { type PageData, type PageSources, pageData } from './listing/page-data.ts';
import type { Trace } from './listing/trace.ts';
import { writeDescriptor } from './object/descriptor.ts';
import { ElfObject, type ElfSection, type ElfSymbol } from './object/elf.ts';
import { writeFixedContext } from './object/fixed-context.ts';
import { type ContextLayout, layOutContext } from './object/layout.ts';
import { Places } from './object/places.ts';
import { functionKey, Program } from './object/program.ts';
import type { SourceMap } from './object/sourcemap.ts';
import { writePackedTables, writeTables } from './object/tables.ts';
import { addTrampolines, admitsForeign, crossingKey } from './object/trampolines.ts';
import { typeIds } from './object/type-ids.ts';
import { improve, lower, type OptimiseOptions, PASSES } from './opt/passes.ts';
import { prove } from './proofs/prove.ts';
import type { Rules } from './proofs/rules.ts';
import { WasmError, type WasmFunc, type WasmModule } from './wasm/module.ts';
import { readModule } from './wasm/validate.ts';
import { assign } from './x64/abi.ts';
import { arrange, BLOCK_PASSES, SLOT_PASS } from './x64/arrange.ts';
import { emit } from './x64/emit.ts';
import { CONTEXT_SYMBOL } from './x64/emitter.ts';
import { INTRINSICS, isIntrinsic } from './x64/intrinsics.ts';
import { CALLEE_SAVED, R15, type RegEnv, type RegSet, RSP } from './x64/mir.ts';
import { checkAllocation } from './x64/regalloc/check.ts';
import { copyForComparison } from './x64/regalloc/contents.ts';
import { allocate } from './x64/regalloc/index.ts';
import { type PlacesOfValues, placesOfValues } from './x64/regalloc/values.ts';
import { select } from './x64/select.ts';
import type { Target } from './x64/selector.ts';

/** Names of the passes that can be left out, in the order of the stages. */
export const OPTIONAL_PASSES: readonly string[] = [
  SSA_PASS,
  ...PASSES.filter((p) => !p.required).map(({ name }) => name),
  ...[SLOT_PASS, ...BLOCK_PASSES].map(({ name }) => name),
];

export interface TranslateOptions {
  memory: 'fixed' | 'register';
  /** The module's source map, for the line table. */
  sourceMap?: SourceMap;
  /** False: no debugging information, which a source map brings otherwise. */
  debug?: boolean;
  /** Those of OPTIONAL_PASSES to leave out. */
  disabledPasses?: ReadonlySet<string>;
  /** Verify the IR between passes and every register allocation. */
  verify?: boolean;
  /** The module's: symbol of its descriptor in the register model, compilation unit in debugging information. */
  name?: string;
  /** Tables for a kernel's image: small, and to be unpacked before they are read (object/packed-tables.ts). */
  packTables?: boolean;
  /** There will be no other module's instance in the process to share functions with. */
  alone?: boolean;
  /** Watches each function on its way. */
  trace?: Trace;
  /** Make a listing too; `trace` is not used then. */
  listing?: boolean;
  /** Make the data of a page too; `trace` is not used then. */
  page?: PageOptions;
  /** Code of the translation before, in the fixed model and under the same options; nothing may be inlined (NEEDS_OTHERS). */
  kept?: KeptCode;
  /** To be proved of the code. */
  proofs?: Rules;
}

export type PageOptions = Pick<PageSources, 'title' | 'profile' | 'read'>;

export interface Translation {
  object: Uint8Array;
  module: WasmModule;
  /** The assembly, if asked for. */
  listing?: string;
  /** The data of the listing's page, if asked for. */
  page?: PageData;
  /** What has been proved, as tables, if that was asked for. */
  proofs?: string;
}

/** Characters of a name in a message. */
const NAME_SHOWN_MAX = 200;

const XMM15: RegSet = (1 << 31) >>> 0;

/** Throws WasmError for a module that is invalid or uses what is not supported. */
export function translate(bytes: Uint8Array, options: TranslateOptions): Translation {
  const module = readModule(bytes);
  const origins = options.listing || options.page ? new Origins() : undefined;
  const unit = new Unit(module, origins ? { ...options, trace: origins } : options);
  unit.addFunctions();
  unit.addInit();
  const object = unit.finish();
  return {
    object,
    module,
    listing: options.listing ? unit.listing(origins!) : undefined,
    page: options.page && unit.page(origins!, options.page),
    proofs: unit.proofs(),
  };
}

const INIT_KEY = 'yaos_init';

/** One translation: what its stages share. */
class Unit {
  private readonly module: WasmModule;
  private readonly options: TranslateOptions;
  private readonly layout: ContextLayout;
  private readonly program = new Program();
  private readonly target: Target;
  private readonly registers: RegEnv;
  private readonly env: ModuleEnv;
  /** Types of call_indirect that may reach another instance. */
  private readonly crossings = new Set<number>();
  private readonly optimisation: OptimiseOptions;
  private readonly functions: Functions;
  private readonly places: Places;
  /** Where the variables of a function are, and those of what is inlined in it; by its index. */
  private readonly variables = new Map<number, readonly ValueRange[]>();
  /** Functions that something refers to. */
  private readonly called = new Set<number>();
  /** By the function that is being compiled. */
  private calledNow: number[] = [];

  constructor(module: WasmModule, options: TranslateOptions) {
    this.module = module;
    this.options = options;
    this.layout = layOutContext(module, options.memory);
    options.kept?.begin(module, this.layout);
    this.env = {
      module,
      layout: this.layout,
      model: options.memory,
      isIntrinsic: options.memory === 'fixed' ? isIntrinsic : () => false,
      passed: new PassedValues(module.bytes.length),
      debug: this.debug,
      ...(options.memory === 'register' ? this.linking() : {}),
    };
    // Hosted programs check the processor when they start (runtime/main.c); a kernel boots on whatever there is.
    const native = options.memory === 'register';
    const features = { popcnt: native, sse41: native };
    const { disabledPasses: disabled, verify, trace } = options;
    this.optimisation = { features, disabled, verify, trace: trace?.ir?.bind(trace) };
    this.functions = new Functions(this.env, this.optimisation);
    this.places = new Places(module, this.functions.locations, options.sourceMap);
    const memory = module.memories[0];
    this.target = {
      model: options.memory,
      layout: this.layout,
      ownsMemory: memory === undefined || memory.import === undefined,
      callSymbol: (index) => this.callSymbol(index),
      constant: (bits, size) => this.program.constant(bits, size),
      trace: options.trace?.selected?.bind(options.trace),
    };
    const pinned = options.memory === 'register' ? 1 << R15 : 0;
    this.registers = { allocatable: ~((1 << RSP) | XMM15 | pinned) >>> 0, calleeSaved: CALLEE_SAVED };
    if (options.memory === 'fixed') {
      checkFixedImports(module);
      checkFixedExports(module);
    }
  }

  private linking(): Partial<ModuleEnv> {
    const { module, options } = this;
    const crossing = (typeIndex: number): string => {
      const type = module.canonicalTypes[typeIndex];
      this.crossings.add(type);
      return crossingKey(type);
    };
    return {
      typeIds: typeIds(module),
      crossing: options.alone || !admitsForeign(module) ? undefined : crossing,
    };
  }

  /**
   * By index; behind those, of the functions that may have been inlined, what is referred to or never was. So
   * none is left out but for having become part of others.
   */
  addFunctions(): void {
    const { exports, funcs, referencedFuncs, start } = this.module;
    for (const { kind, index } of exports) if (kind === 'func') this.called.add(index);
    for (const index of referencedFuncs) this.called.add(index);
    if (start !== undefined) this.called.add(start);
    const inlinable: number[] = [];
    for (const { index, body } of funcs) {
      if (!body) continue;
      if (this.functions.isInlinable(index) && !this.called.has(index)) inlinable.push(index);
      else this.addFunction(index);
    }
    this.addCalled();
    for (const index of inlinable) if (!this.functions.locations.isInlined(index)) this.called.add(index);
    this.addCalled();
  }

  private addCalled(): void {
    for (const index of this.called) this.addFunction(index); // a set visits what is added on the way
  }

  private addFunction(index: number): void {
    const func = this.module.funcs[index];
    if (!func.body || this.program.offsetOf(functionKey(index)) !== undefined) return;
    const known = this.options.kept?.find(func);
    if (known) this.reuse(func, known);
    else this.compile(functionKey(index), this.functions.take(index), func);
  }

  private reuse({ index, body }: WasmFunc, { code, called, values }: KeptFunction): void {
    renewConstants(this.program, code);
    this.variables.set(index, values);
    for (const callee of called) this.called.add(callee);
    this.program.add(functionKey(index), code, index, body!.start);
  }

  addInit(): void {
    const { func, blobs } = buildInit(this.env, functionKey);
    for (const b of blobs) this.program.blob(b.symbol, b.bytes, 16);
    this.options.trace?.ir?.(func, 'builder');
    improve(func, this.optimisation);
    this.compile(INIT_KEY, func);
    if (this.options.memory === 'fixed') return;
    const { crossings } = this;
    addTrampolines(this.program, this.module, this.layout, { crossings, alone: this.options.alone === true });
  }

  private compile(key: string, ir: Func, func?: WasmFunc): void {
    const { disabledPasses: disabled, verify, trace } = this.options;
    const cold = this.module.funcs[ir.index]?.cold === true;
    lower(ir, this.optimisation);
    this.calledNow = [];
    const selected = select(ir, this.target);
    trace?.mir?.(selected.func, 'select');
    const tracked = trackedValues(ir, selected);
    const wanted = new Set(tracked.flatMap(({ vreg }) => vreg ?? []));
    const before = verify || wanted.size > 0 ? copyForComparison(selected.func) : undefined;
    allocate(selected.func, this.registers);
    if (verify) checkAllocation(before!, selected.func);
    trace?.mir?.(selected.func, 'regalloc');
    if (!disabled?.has(SLOT_PASS.name)) SLOT_PASS.run(selected.func);
    const places: PlacesOfValues = before ? placesOfValues(before, selected.func, wanted) : new Map();
    arrange(selected.func, disabled, cold);
    trace?.mir?.(selected.func, 'layout');
    const code = emit(selected, {
      model: this.options.memory,
      cold,
      popped: assign(ir.sig).stackBytes,
      constant: this.target.constant,
      tableSymbol: (n) => `${key}.table${n}`,
      trace: trace?.code !== undefined,
      debug: this.debug,
    });
    trace?.code?.(key, code.insts!);
    this.program.add(key, code, func?.index, func?.body?.start);
    if (!func) return;
    const { steps, slots } = code;
    const size = code.code.length;
    const input = { func: func.index, bodyStart: func.body!.start, tracked, places, steps, slots, size };
    const values = tracked.length > 0 ? locateValues(input, this.functions.locations) : [];
    this.variables.set(func.index, values);
    this.options.kept?.keep(func, { code, called: this.calledNow, values });
  }

  /** Functions of the module by their key; imported ones by symbol in the fixed model, else by descriptor. */
  private callSymbol(index: number): string | undefined {
    this.called.add(index);
    this.calledNow.push(index);
    const { import: from } = this.module.funcs[index];
    if (!from) return functionKey(index);
    return this.options.memory === 'fixed' ? `${from.module}.${from.name}` : undefined;
  }

  /** Throws WasmError for what does not hold. */
  proofs(): string | undefined {
    const { proofs } = this.options;
    return proofs && prove(proofs, this.module, this.program, this.places);
  }

  /** Behind finish(). */
  listing(origins: Origins): string {
    return listing(this.program, origins, this.places);
  }

  /** Behind finish(). */
  page(origins: Origins, options: PageOptions): PageData {
    const { module, program, places } = this;
    return pageData({ module, program, places, origins, ...options });
  }

  private get debug(): boolean {
    const { sourceMap, debug = true } = this.options;
    return sourceMap !== undefined && debug;
  }

  finish(): Uint8Array {
    const elf = new ElfObject();
    const text = this.program.writeTo(elf);
    const symbols = this.addSymbols(elf, text);
    if (this.debug) this.addDebugInfo(elf, text);
    if (this.options.memory === 'fixed') {
      writeFixedContext(elf, this.module, this.layout, (index) => this.callSymbol(index)!);
    } else {
      writeDescriptor(elf, text, this.program, this.module, this.layout, {
        name: this.options.name ?? 'yaos_module',
        init: INIT_KEY,
        symbols,
        typeIds: this.env.typeIds!,
      });
    }
    return elf.toBytes();
  }

  private addDebugInfo(elf: ElfObject, text: ElfSection): void {
    const { module, program, places } = this;
    const { locations } = this.functions;
    addDebugInfo(elf, text, {
      name: `${this.options.name ?? 'module'}.wasm`,
      module,
      program,
      places,
      locations,
      globals: this.options.memory === 'fixed' ? { layout: this.layout, context: CONTEXT_SYMBOL } : undefined,
      values: this.variables,
    });
  }

  /** Returns those that the runtime needs, by name. Several modules may be linked into one hosted program. */
  private addSymbols(elf: ElfObject, text: ElfSection): Map<string, ElfSymbol> {
    const binding = this.options.memory === 'fixed' ? 'global' : 'local';
    const symbols = this.addTables(elf, binding);
    for (const [name, value] of [
      ['yaos_text', 0],
      ['yaos_text_end', this.program.textSize],
    ] as const) {
      symbols.set(name, elf.symbol({ name, binding, section: text, value }));
    }
    this.addFunctionSymbols(elf, text);
    return symbols;
  }

  private addFunctionSymbols(elf: ElfObject, text: ElfSection): void {
    const byKey = new Map(this.program.functions.map((f) => [f.key, f]));
    for (const f of this.program.functions) {
      const exported = f.key === INIT_KEY && this.options.memory === 'fixed';
      const binding = exported ? 'global' : 'local';
      elf.symbol({ name: f.name, binding, type: 'func', section: text, value: f.start, size: f.size });
    }
    if (this.options.memory !== 'fixed') return;
    for (const e of this.module.exports) {
      const f = e.kind === 'func' ? byKey.get(functionKey(e.index)) : undefined;
      if (!f) continue;
      elf.symbol({
        name: e.name,
        binding: 'global',
        type: 'func',
        section: text,
        value: f.start,
        size: f.size,
      });
    }
    const usesFloat = this.program.usesFloat ? 1 : 0;
    elf.symbol({ name: 'yaos_uses_float', binding: 'global', section: 'absolute', value: usesFloat });
  }

  private addTables(elf: ElfObject, binding: 'global' | 'local'): Map<string, ElfSymbol> {
    const { functions, traps } = this.program;
    const lines = this.program.lines
      .filter(({ stops }) => stops.length > 0)
      .map(({ offset, stops, loc, bodyStart }) => {
        const [first, last] = [stops[0], stops.at(-1)!];
        return { offset, first, last, ...this.places.placeOf(this.places.inSource(loc), bodyStart) };
      });
    if (this.options.packTables) return writePackedTables(elf, { functions, traps, lines });
    return writeTables(elf, { functions, traps, lines }, binding);
  }
}

/** There is one instance and nobody to hand it anything but functions, which are symbols or machine instructions. */
function checkFixedImports(module: WasmModule): void {
  for (const i of module.imports) {
    const symbol = `${i.module}.${i.name}`;
    const what = quoted(symbol);
    if (symbol.includes('\0')) throw new WasmError(`import ${what}: a symbol cannot hold a NUL`);
    if (i.kind !== 'func') {
      throw new WasmError(`imported ${i.kind} ${what}: the fixed memory model imports functions only`);
    }
    if (!isIntrinsic(i.module, i.name)) continue;
    const { signature } = INTRINSICS[i.name];
    const { params, results } = module.funcs[i.index].type;
    if (String(params) !== String(signature.params) || String(results) !== String(signature.results)) {
      const right = `(${signature.params}) -> (${signature.results})`;
      throw new WasmError(`imported func ${what}: the machine intrinsic has the type ${right}`);
    }
    if (module.referencedFuncs.has(i.index)) {
      throw new WasmError(
        `imported func ${what}: a machine intrinsic has no address to refer to or to export`,
      );
    }
  }
}

/** Exports become global symbols, beside those that docs/abi.md §3 and §4 define. */
function checkFixedExports(module: WasmModule): void {
  for (const { name } of module.exports) {
    if (name.startsWith('yaos_')) {
      throw new WasmError(
        `export ${quoted(name)}: symbols yaos_… are the translator's own; rename the export`,
      );
    }
    if (name.includes('\0')) throw new WasmError(`export ${quoted(name)}: a symbol cannot hold a NUL`);
  }
}

/** A name of the module's in one line, and not the whole of a long one. */
function quoted(name: string): string {
  const text = JSON.stringify(name).replaceAll(/\p{Cc}/gu, '_');
  return text.length > NAME_SHOWN_MAX ? `${text.slice(0, NAME_SHOWN_MAX)}…` : text;
}
