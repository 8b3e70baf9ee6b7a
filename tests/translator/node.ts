// The oracle: Node's own WebAssembly engine. Its results and traps are brought into the form in which a program of
// `yaos exe` prints them; where V8 has one message for several traps of the official suite, all are allowed.

import { enableFeatures } from '../../build/engine.ts';
import { type Exports, engine } from './engine.ts';
import {
  type Bits,
  f32Bits,
  f32FromBits,
  f64Bits,
  f64FromBits,
  type NumType,
  show,
  widthOf,
} from './values.ts';
import { bitsType, type Signature, type ValType } from './wasm.ts';

export interface Call {
  name: string;
  args: Bits[];
  /**
   * Where the specification leaves the payload of a NaN that the call returns open: 'canonical' if only its sign is
   * (no NaN went in, or canonical ones only), 'arithmetic' otherwise. Absent: the bits are fixed.
   */
  nan?: 'canonical' | 'arithmetic';
  /** The trap that must come, where the oracle's message does not tell. */
  trap?: string;
}

/** What must come: the results' text, or one of several traps. */
export type Outcome = { values: string } | { traps: string[] };

/** What V8's messages stand for, in the official suite's words. */
const TRAPS: [RegExp, string[]][] = [
  [/^unreachable/, ['unreachable']],
  [/^(divide|remainder) by zero/, ['integer divide by zero']],
  [/^divide result unrepresentable/, ['integer overflow']],
  [/^float unrepresentable in integer range/, ['integer overflow', 'invalid conversion to integer']],
  // For an unaligned atomic access that is out of bounds too: V8 before 12 looks at the bounds first.
  [/memory access out of bounds/, ['out of bounds memory access', 'unaligned atomic']],
  [/operation does not support unaligned accesses/, ['unaligned atomic']],
  [/Atomics\.wait cannot be called/, ['expected shared memory']],
  [/^data segment .*out of bounds/, ['out of bounds memory access']],
  [/^(element|table initializer|table) .*out of bounds/, ['out of bounds table access', 'undefined element']],
  [
    /^(null function or )?function signature mismatch/,
    ['uninitialized element', 'indirect call type mismatch'],
  ],
  [/^RuntimeError: null function/, ['uninitialized element']],
  [/Maximum call stack size exceeded/, ['call stack exhausted']],
];

export function trapsOf(error: unknown): string[] {
  if (error instanceof engine.RuntimeError || error instanceof RangeError) {
    const { message } = error;
    const text = message.replace(/^WebAssembly\.\w+\(\): /, '');
    for (const [pattern, traps] of TRAPS) if (pattern.test(text)) return traps;
  }
  throw error;
}

enableFeatures();

/** The official suite's host module. */
export function spectest(): Record<string, unknown> {
  const print = () => {};
  return {
    print,
    print_i32: print,
    print_i64: print,
    print_f32: print,
    print_f64: print,
    print_i32_f32: print,
    print_f64_f64: print,
    global_i32: new engine.Global({ value: 'i32' }, 666),
    global_i64: new engine.Global({ value: 'i64' }, 666n),
    global_f32: new engine.Global({ value: 'f32' }, 666.6),
    global_f64: new engine.Global({ value: 'f64' }, 666.6),
    table: new engine.Table({ element: 'anyfunc', initial: 10, maximum: 20 }),
    memory: new engine.Memory({ initial: 1, maximum: 2 }),
    shared_memory: new engine.Memory({ initial: 1, maximum: 2, shared: true }),
  };
}

export function instantiate(bytes: Uint8Array, imports: Record<string, object> = {}): Exports {
  const module = new engine.Module(bytes);
  return new engine.Instance(module, { spectest: spectest(), ...imports }).exports;
}

function toJs(type: ValType, bits: Bits): unknown {
  if (bits === null) return null;
  if (type === 'i32') return Number(BigInt.asIntN(32, bits));
  if (type === 'i64') return BigInt.asIntN(64, bits);
  if (type === 'f32') return f32FromBits(bits);
  if (type === 'f64') return f64FromBits(bits);
  return Number(bits);
}

function fromJs(type: ValType, value: unknown): string {
  if (value === null) return `${type}:null`;
  if (type === 'funcref') return `funcref:${(value as { name: string }).name}`;
  if (type === 'externref') return `externref:${value}`;
  if (type === 'f32') return show(type, f32Bits(value as number));
  if (type === 'f64') return show(type, f64Bits(value as number));
  return show(type, BigInt.asUintN(widthOf(type as NumType), BigInt(value as number | bigint)));
}

/**
 * Makes the calls in an instance of a module. One that was built with `bits` has integers in place of the floats of
 * `signature`; of any other, a NaN's bits are lost on the way. An exported global is called without arguments.
 */
export function callAll(
  exports: Exports,
  signature: (name: string) => Signature,
  calls: readonly Call[],
  builtWithBits = true,
): Outcome[] {
  const typeOf = builtWithBits ? bitsType : (type: ValType) => type;
  return calls.map((call) => {
    const { params, results } = signature(call.name);
    const f = exports[call.name] as ((...args: unknown[]) => unknown) | { value: unknown };
    const args = call.args.map((bits, i) => toJs(typeOf(params[i]), bits));
    let value: unknown;
    try {
      value = typeof f === 'function' ? f(...args) : f.value;
    } catch (error) {
      return { traps: trapsOf(error) };
    }
    const list = results.length === 0 ? [] : results.length === 1 ? [value] : (value as unknown[]);
    // The bits as an integer, under the name of the float's type.
    const texts = results.map((type, i) => fromJs(typeOf(type), list[i]).replace(/^\w+/, type));
    return { values: texts.join(' ') };
  });
}
