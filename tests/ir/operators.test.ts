// Every numeric operator over edge-case operands: what `evaluate` computes, what the passes fold constants to, and what
// legalisation makes of it, against Node. Operands come as arguments, so that Node computes and does not fold.

import { describe, expect, it } from 'vitest';
import { buildFunction } from '../../build/ir/build.ts';
import type { Func } from '../../build/ir/ir.ts';
import { layOutContext } from '../../build/object/layout.ts';
import { optimise } from '../../build/opt/passes.ts';
import type { ValType } from '../../build/wasm/module.ts';
import { readModule } from '../../build/wasm/validate.ts';
import { body, file, leb, section, vec } from '../wasm/encode.ts';
import { Interpreter, Trap } from './interp.ts';

declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: Record<string, unknown> };
};

const CODE: Record<string, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };
/** An integer type of the same width: values cross the JavaScript boundary as bits. */
const BITS: Record<string, 'i32' | 'i64'> = { i32: 'i32', f32: 'i32', i64: 'i64', f64: 'i64' };
const TO_FLOAT: Record<string, number[]> = { i32: [], i64: [], f32: [0xbe], f64: [0xbf] };
const TO_BITS: Record<string, number[]> = { i32: [], i64: [], f32: [0xbc], f64: [0xbd] };

type Signature = [opcodes: number[][], params: ValType[], result: ValType];

function codes(from: number, to: number): number[][] {
  return Array.from({ length: to - from + 1 }, (_, i) => [from + i]);
}

const SIGNATURES: Signature[] = [
  [codes(0x45, 0x45), ['i32'], 'i32'],
  [codes(0x46, 0x4f), ['i32', 'i32'], 'i32'],
  [codes(0x50, 0x50), ['i64'], 'i32'],
  [codes(0x51, 0x5a), ['i64', 'i64'], 'i32'],
  [codes(0x5b, 0x60), ['f32', 'f32'], 'i32'],
  [codes(0x61, 0x66), ['f64', 'f64'], 'i32'],
  [codes(0x67, 0x69), ['i32'], 'i32'],
  [codes(0x6a, 0x78), ['i32', 'i32'], 'i32'],
  [codes(0x79, 0x7b), ['i64'], 'i64'],
  [codes(0x7c, 0x8a), ['i64', 'i64'], 'i64'],
  [codes(0x8b, 0x91), ['f32'], 'f32'],
  [codes(0x92, 0x98), ['f32', 'f32'], 'f32'],
  [codes(0x99, 0x9f), ['f64'], 'f64'],
  [codes(0xa0, 0xa6), ['f64', 'f64'], 'f64'],
  [[[0xa7]], ['i64'], 'i32'],
  [[[0xa8], [0xa9], [0xfc, 0], [0xfc, 1], [0xbc]], ['f32'], 'i32'],
  [[[0xaa], [0xab], [0xfc, 2], [0xfc, 3]], ['f64'], 'i32'],
  [[[0xac], [0xad]], ['i32'], 'i64'],
  [[[0xae], [0xaf], [0xfc, 4], [0xfc, 5]], ['f32'], 'i64'],
  [[[0xb0], [0xb1], [0xfc, 6], [0xfc, 7], [0xbd]], ['f64'], 'i64'],
  [[[0xb2], [0xb3], [0xbe]], ['i32'], 'f32'],
  [[[0xb4], [0xb5]], ['i64'], 'f32'],
  [[[0xb6]], ['f64'], 'f32'],
  [[[0xb7], [0xb8]], ['i32'], 'f64'],
  [[[0xb9], [0xba], [0xbf]], ['i64'], 'f64'],
  [[[0xbb]], ['f32'], 'f64'],
  [[[0xc0], [0xc1]], ['i32'], 'i32'],
  [[[0xc2], [0xc3], [0xc4]], ['i64'], 'i64'],
];

const I32 = [
  0, 1, -1, 2, 3, 5, 7, 31, 32, 33, 127, 128, -128, 255, 32767, 32768, 65535, 0x12345678, -0x12345678,
  0x7fffffff, -0x80000000,
];
const I64 = [
  ...I32.map(BigInt),
  63n,
  64n,
  65n,
  0xffffffffn,
  0x100000000n,
  0x123456789abcdef0n,
  2n ** 53n,
  2n ** 53n + 1n,
  0x7fffff4000000001n,
  0x8000008000000001n - 2n ** 64n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const F32 = [
  0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x3f000000, 0xbf000000, 0x3effffff, 0x3f000001,
  0x3f800000, 0xbf800000, 0x3fc00000, 0x40200000, 0xc0200000, 0x4affffff, 0xcafffffd, 0x4b000001, 0x4b800001,
  0x4effffff, 0x4f000000, 0xcf000000, 0xcf000001, 0x4f7fffff, 0x4f800000, 0x5effffff, 0x5f000000, 0xdf000000,
  0x5f800000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7fa00000, 0xff812345,
].map((n) => n | 0);
const F64 = [
  0n,
  0x8000000000000000n,
  1n,
  0x3fe0000000000000n,
  0xbfe0000000000000n,
  0x3fdfffffffffffffn,
  0x3fe0000000000001n,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x3ff8000000000000n,
  0x4004000000000000n,
  0xc004000000000000n,
  0x4320000000000001n,
  0xc32fffffffffffffn,
  0x4330000000000001n,
  0x41dfffffffc00000n,
  0x41e0000000000000n,
  0xc1e0000000000000n,
  0xc1e0000000200000n,
  0x41efffffffe00000n,
  0x41f0000000000000n,
  0x43dfffffffffffffn,
  0x43e0000000000000n,
  0xc3e0000000000000n,
  0x43f0000000000000n,
  0x36a0000000000000n,
  0x3690000000000001n,
  0x47efffffe0000000n,
  0x47effffff0000000n,
  0x7fefffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff4000000000000n,
  0xfff0000000000001n,
].map((n) => BigInt.asIntN(64, n));
const OPERANDS: Record<string, (number | bigint)[]> = { i32: I32, i64: I64, f32: F32, f64: F64 };

/** Functions f0, f1, … on bits, one for each operator. */
function moduleOf([opcodes, params, result]: Signature): Uint8Array {
  const type = [0x60, ...vec(params.map((p) => [CODE[BITS[p]]])), 1, CODE[BITS[result]]];
  const operands = params.flatMap((p, i) => [0x20, i, ...TO_FLOAT[p]]);
  return file(
    section(1, [1, ...type]),
    section(3, vec(opcodes.map(() => [0]))),
    section(7, vec(opcodes.map((_, i) => [...text(`f${i}`), 0, ...leb(i)]))),
    section(10, vec(opcodes.map((code) => body([], [...operands, ...code, ...TO_BITS[result]])))),
  );
}

function text(s: string): number[] {
  return [s.length, ...Buffer.from(s)];
}

function tuples(params: ValType[]): (number | bigint)[][] {
  const [first, ...rest] = params.map((p) => OPERANDS[p]);
  return rest.length === 0 ? first.map((x) => [x]) : first.flatMap((x) => rest[0].map((y) => [x, y]));
}

function attempt(f: () => number | bigint): string {
  try {
    return String(f());
  } catch (e) {
    return e instanceof Trap || /zero|unrepresentable/.test((e as Error).message) ? 'trap' : String(e);
  }
}

/** WebAssembly leaves a NaN's sign and payload open, but not that it is quiet. */
function canonical(type: ValType, bits: string): string {
  if (bits === 'trap' || (type !== 'f32' && type !== 'f64')) return bits;
  const [exponent, fraction, quiet] = type === 'f32' ? [0xffn, 23n, 22n] : [0x7ffn, 52n, 51n];
  const n = BigInt.asUintN(type === 'f32' ? 32 : 64, BigInt(bits));
  const nan = ((n >> fraction) & exponent) === exponent && (n & ((1n << fraction) - 1n)) !== 0n;
  return nan ? `NaN ${(n >> quiet) & 1n}` : bits;
}

/** Operators that only move bits: their NaNs are compared exactly. */
const EXACT = new Set([0x8b, 0x8c, 0x98, 0x99, 0x9a, 0xa6, 0xbe, 0xbf]);

const TRANSFORMS: Record<string, (f: Func) => void> = {
  'as built': () => {},
  'on the baseline processor': (f) => optimise(f, { verify: true }),
  'with popcnt and SSE4.1': (f) => optimise(f, { verify: true, features: { popcnt: true, sse41: true } }),
};

describe('numeric operators', () => {
  for (const [how, transform] of Object.entries(TRANSFORMS)) {
    it(how, () => {
      for (const signature of SIGNATURES) {
        const bytes = moduleOf(signature);
        const node = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
        const ours = new Interpreter(readModule(bytes), [], Number.MAX_SAFE_INTEGER, transform);
        const [opcodes, params, result] = signature;
        opcodes.forEach((code, i) => {
          const show = (bits: string) => (EXACT.has(code[0]) ? bits : canonical(result, bits));
          for (const args of tuples(params)) {
            const want = attempt(() => (node[`f${i}`] as (...a: unknown[]) => number | bigint)(...args));
            const have = attempt(() => ours.call(i, args)[0]);
            if (show(have) !== show(want))
              expect(`${code} ${args} ${show(have)}`).toBe(`${code} ${args} ${show(want)}`);
          }
        });
      }
    });
  }

  it('folds constants to what Node computes, and leaves traps and new NaNs alone', () => {
    let folded = 0;
    for (const signature of SIGNATURES) {
      const [opcodes, params, result] = signature;
      const bytes = moduleOf(signature);
      const node = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
      const module = readModule(bytes);
      const env = {
        module,
        layout: layOutContext(module),
        model: 'register' as const,
        isIntrinsic: () => false,
      };
      for (const args of tuples(params)) {
        opcodes.forEach((code, i) => {
          const f = buildFunction(env, i);
          makeConstant(f, args);
          optimise(f, { features: { popcnt: true, sse41: true } });
          const value = f.blocks[0].terminator.args[0];
          const want = attempt(() => (node[`f${i}`] as (...a: unknown[]) => number | bigint)(...args));
          const nan = !EXACT.has(code[0]) && canonical(result, want).startsWith('NaN');
          if (value?.op === 'const') {
            folded++;
            expect(`${code} ${args} ${value.imm}`).toBe(`${code} ${args} ${want}`);
          } else expect(want === 'trap' || nan, `${code} ${args} is not folded`).toBe(true);
        });
      }
    }
    expect(folded).toBeGreaterThan(10_000);
  });
});

/** Puts constants in the place of the parameters. */
function makeConstant(f: Func, args: (number | bigint)[]): void {
  const [block] = f.blocks;
  const constants = block.params.map((p, i) => {
    const c = f.newInst('const', p.type, []);
    c.imm = args[i];
    c.block = block;
    return c;
  });
  for (const inst of block.insts)
    inst.args = inst.args.map((a) => (a.op === 'param' ? constants[a.index] : a));
  block.insts.unshift(...constants);
}
