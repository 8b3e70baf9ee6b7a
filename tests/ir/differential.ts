// Runs a module in Node's WebAssembly and in the IR interpreter and compares everything that can be seen: results, traps,
// calls of imports, globals and memory.

import { fromFloat, type Value } from '../../build/ir/evaluate.ts';
import type { Func, Type } from '../../build/ir/ir.ts';
import type { ExternKind, FuncType, ValType, WasmModule } from '../../build/wasm/module.ts';
import { readModule } from '../../build/wasm/validate.ts';
import { fromJs, GaveUp, Interpreter, importedGlobal, Trap, toJs } from './interp.ts';

type Js = number | bigint | null;

/** A function, a global or a memory. */
type Exports = Record<string, ((...args: Js[]) => Js | Js[]) & { value: Js; buffer: ArrayBuffer }>;

declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: Exports };
  Table: new (descriptor: object) => object;
  Memory: new (descriptor: object) => { buffer: ArrayBuffer };
  Global: new (descriptor: object, value: Js) => object;
};

/** V8's messages, and the kinds of trap that each can stand for. */
const MESSAGES: [RegExp, string[]][] = [
  [/^unreachable/, ['unreachable']],
  [/^divide by zero|^remainder by zero/, ['division']],
  [/^divide result unrepresentable/, ['integerOverflow']],
  [/^float unrepresentable/, ['integerOverflow', 'invalidConversion']],
  // V8 before 12 looks at the bounds of an unaligned atomic access first.
  [/memory access out of bounds|data segment.* out of bounds/, ['memory', 'unaligned']],
  [/^table index is out of bounds/, ['undefinedElement', 'table']],
  [/table (access|initializer|index).* out of bounds|segment .*out of bounds/, ['table', 'memory']],
  [/^(null function or )?function signature mismatch/, ['signature', 'uninitializedElement']],
  [/unaligned/, ['unaligned']],
  [/^Atomics.wait cannot/, ['unshared']],
];

function matches(kind: string, message: string): boolean {
  return MESSAGES.some(([pattern, kinds]) => pattern.test(message) && kinds.includes(kind));
}

export interface Options {
  transform?: (f: Func) => void;
  /** Arguments for a parameter of this type. */
  argument: (type: ValType) => Js;
  stepsMax?: number;
  /** The builder's: 0 puts locals into the frame. */
  edgeArgumentsMax?: number;
}

/** What happened: lines to compare. A trap is the kind or V8's message. */
class Run {
  readonly log: string[] = [];
  trap: string | undefined;
}

/** Returns the number of calls that were compared; throws with the first difference. */
export function compare(bytes: Uint8Array, options: Options): number {
  const module = readModule(bytes);
  const calls = plan(module, options);
  const native = new NodeSide(module, bytes);
  const ours = new OurSide(module, options);
  let compared = 0;
  for (const call of calls) {
    const a = attempt(() => native.step(call));
    const b = attempt(() => ours.step(call));
    if (!a || !b) return compared;
    check(call.name, a, b);
    compared++;
    if (call.func < 0 && a.trap !== undefined) return compared;
  }
  const a = native.state();
  const b = ours.state();
  if (a !== b) throw new Error(`state differs:\nnode ${a}\nours ${b}`);
  return compared;
}

interface Call {
  name: string;
  /** -1: instantiation. */
  func: number;
  type: FuncType;
  args: Js[];
}

function plan(module: WasmModule, options: Options): Call[] {
  const calls: Call[] = [{ name: 'instantiation', func: -1, type: { params: [], results: [] }, args: [] }];
  for (const e of module.exports) {
    if (e.kind !== 'func') continue;
    const { type } = module.funcs[e.index];
    calls.push({ name: e.name, func: e.index, type, args: type.params.map(options.argument) });
  }
  return calls;
}

function attempt(f: () => Run): Run | undefined {
  try {
    return f();
  } catch (e) {
    if (e instanceof GaveUp || e instanceof RangeError) return undefined;
    throw e;
  }
}

function check(name: string, a: Run, b: Run): void {
  const same = a.trap === undefined ? b.trap === undefined : b.trap !== undefined && matches(b.trap, a.trap);
  if (same && a.log.join('\n') === b.log.join('\n')) return;
  const show = (r: Run) =>
    `${r.log.slice(-6).join('\n  ')}\n  ${r.trap === undefined ? 'returned' : `trap: ${r.trap}`}`;
  throw new Error(`${name} differs\nnode:\n  ${show(a)}\nours:\n  ${show(b)}`);
}

function isRef(type: ValType): boolean {
  return type === 'funcref' || type === 'externref';
}

/** Floats as bits, NaNs all alike; references only as null or not. */
function show(type: ValType, value: Js): string {
  if (isRef(type)) return value === null ? 'null' : 'ref';
  if (type === 'f32' || type === 'f64') return `${type}:${fromFloat(type, value as number).toString(16)}`;
  return `${type}:${value}`;
}

class NodeSide {
  private readonly module: WasmModule;
  private readonly bytes: Uint8Array;
  private exports: Exports = {};
  private run = new Run();

  constructor(module: WasmModule, bytes: Uint8Array) {
    this.module = module;
    this.bytes = bytes;
  }

  step(call: Call): Run {
    this.run = new Run();
    try {
      if (call.func < 0) this.instantiate();
      else {
        const r = this.exports[call.name](...call.args);
        const results = Array.isArray(r) ? r : [r];
        this.run.log.push(`= ${call.type.results.map((t, i) => show(t, results[i])).join(' ')}`);
      }
    } catch (e) {
      if (e instanceof RangeError && /call stack/.test(e.message)) throw e;
      this.run.trap = (e as Error).message.replace(/^WebAssembly.Instance\(\): /, '');
    }
    return this.run;
  }

  private instantiate(): void {
    const imports: Record<string, Record<string, unknown>> = {};
    for (const i of this.module.imports) {
      imports[i.module] ??= {};
      imports[i.module][i.name] = this.makeImport(i.kind, i.index, i.name);
    }
    this.exports = new WebAssembly.Instance(new WebAssembly.Module(this.bytes), imports).exports;
  }

  private makeImport(kind: ExternKind, index: number, name: string): unknown {
    const { globals, tables, memories } = this.module;
    if (kind === 'func') return this.makeFunction(name, this.module.funcs[index].type);
    if (kind === 'memory') {
      const { min: initial, max: maximum, shared } = memories[index];
      return new WebAssembly.Memory({ initial, maximum, shared });
    }
    if (kind === 'table') {
      const { min: initial, max: maximum, element } = tables[index];
      return new WebAssembly.Table({
        initial,
        maximum,
        element: element === 'funcref' ? 'anyfunc' : element,
      });
    }
    const { type, mutable } = globals[index];
    const value = isRef(type) ? null : toJs(type as Type, importedGlobal(type));
    return new WebAssembly.Global({ value: type === 'funcref' ? 'anyfunc' : type, mutable }, value);
  }

  private makeFunction(name: string, type: FuncType) {
    return (...args: Js[]) => {
      this.run.log.push(`${name} ${type.params.map((t, k) => show(t, args[k])).join(' ')}`);
      const zeros = type.results.map((t) => (isRef(t) ? null : t === 'i64' ? 0n : 0));
      return zeros.length > 1 ? zeros : zeros[0];
    };
  }

  state(): string {
    const lines: string[] = [];
    for (const e of this.module.exports) {
      if (e.kind === 'global')
        lines.push(show(this.module.globals[e.index].type, this.exports[e.name].value));
      if (e.kind === 'memory') lines.push(digest(new Uint8Array(this.exports[e.name].buffer)));
    }
    return lines.join(' ');
  }
}

class OurSide {
  private readonly module: WasmModule;
  private readonly interpreter: Interpreter;
  private run = new Run();

  constructor(module: WasmModule, options: Options) {
    this.module = module;
    const imports = module.funcs
      .filter((f) => f.import)
      .map(({ type, import: name }) => (...args: Value[]): Value[] => {
        this.run.log.push(
          `${name!.name} ${type.params.map((t, k) => show(t, this.js(t, args[k]))).join(' ')}`,
        );
        return type.results.map((t) => (t === 'i32' || t === 'f32' ? 0 : 0n));
      });
    const { stepsMax = 2_000_000, transform, edgeArgumentsMax } = options;
    this.interpreter = new Interpreter(module, imports, stepsMax, transform, edgeArgumentsMax);
  }

  private js(type: ValType, v: Value): Js {
    return isRef(type) ? (v === 0n ? null : 1) : toJs(type as Type, v);
  }

  step(call: Call): Run {
    this.run = new Run();
    try {
      if (call.func < 0) this.interpreter.instantiate();
      else {
        const args = call.args.map((a, i) => (a === null ? 0n : fromJs(call.type.params[i] as Type, a)));
        const results = this.interpreter.call(call.func, args);
        this.run.log.push(`= ${call.type.results.map((t, i) => show(t, this.js(t, results[i]))).join(' ')}`);
      }
    } catch (e) {
      if (!(e instanceof Trap)) throw e;
      this.run.trap = e.kind;
    }
    return this.run;
  }

  state(): string {
    const lines: string[] = [];
    for (const e of this.module.exports) {
      if (e.kind === 'global') {
        const { type } = this.module.globals[e.index];
        lines.push(show(type, this.js(type, this.interpreter.global(e.index))));
      }
      if (e.kind === 'memory') lines.push(digest(new Uint8Array(this.interpreter.memory.buffer)));
    }
    return lines.join(' ');
  }
}

/** Length and FNV-1a of the bytes. */
function digest(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return `${bytes.length}:${(hash >>> 0).toString(16)}`;
}
