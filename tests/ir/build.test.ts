// The builder: programs that exercise each family of operators, run by the interpreter and by Node.

import { describe, expect, it } from 'vitest';
import { buildFunction } from '../../build/ir/build.ts';
import { parseFunc } from '../../build/ir/parse.ts';
import { printFunc } from '../../build/ir/print.ts';
import { verify } from '../../build/ir/verify.ts';
import { layOutContext } from '../../build/object/layout.ts';
import { readModule } from '../../build/wasm/validate.ts';
import { leb, oneFunction } from '../wasm/encode.ts';
import { wat } from '../wasm/wat.ts';
import { compare } from './differential.ts';
import { PROGRAMS } from './programs.ts';

describe.each([
  { where: 'as values', edgeArgumentsMax: undefined },
  { where: 'in the frame', edgeArgumentsMax: 0 },
])('builder against Node, locals $where', ({ edgeArgumentsMax }) => {
  for (const [name, source] of Object.entries(PROGRAMS)) {
    it(name, () => {
      const bytes = wat(source);
      const exports = readModule(bytes).exports.filter((e) => e.kind === 'func').length;
      // The arguments of successive runs: 0, 1, 2, … for every parameter, and some large ones.
      for (const n of [0, 1, 2, 3, 5, 8, 100, 65535, -1]) {
        const compared = compare(bytes, {
          argument: (type) => (type === 'i64' ? BigInt(n) : type.endsWith('ref') ? null : n),
          edgeArgumentsMax,
          transform: (f) => {
            verify(f, 'after build');
            expect(printFunc(parseFunc(printFunc(f)))).toBe(printFunc(f));
          },
        });
        expect(compared).toBe(exports + 1);
      }
    });
  }
});

function build(source: string, index = 0) {
  const module = readModule(wat(source));
  const env = {
    module,
    layout: layOutContext(module),
    model: 'fixed' as const,
    isIntrinsic: (m: string) => m === 'x86',
  };
  return buildFunction(env, index);
}

describe('what the builder makes', () => {
  it('makes parameters only for locals that a loop changes', () => {
    const f = build(`(module (func (param $n i32) (param $k i32) (result i32) (local $i i32)
      (loop $l
        (local.set $i (i32.add (local.get $i) (local.get $k)))
        (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
      (local.get $i)))`);
    const params = f.blocks.flatMap((b) => b.params).map((p) => f.valueNames.get(p));
    expect(params).toEqual(['n', 'k', 'i']);
    expect(f.blocks.map((b) => b.loopDepth)).toEqual([0, 1, 0]);
  });

  it('puts what only leaves a loop behind it', () => {
    const f = build(`(module (func (param i32) (result i32)
      (loop $l (result i32)
        (if (i32.eq (local.get 0) (i32.const 7)) (then (return (i32.const 1))))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $l (local.get 0))
        (i32.const 2))))`);
    const depths = f.blocks.map((b) => b.loopDepth);
    expect(depths).toEqual([0, 1, 1, 0, 0]);
  });

  it('turns imports of x86 into instructions', () => {
    const f = build(
      `(module (import "x86" "in8" (func (param i32) (result i32))) (import "x86" "hlt" (func))
        (func (result i32) (call 1) (call 0 (i32.const 3))))`,
      2,
    );
    expect(f.blocks[0].insts.map((i) => i.intrinsic).filter((name) => name !== '')).toEqual(['hlt', 'in8']);
  });

  // Sizes at which anything quadratic would run into the test's time limit.
  it('takes large functions in its stride', () => {
    const get = (i: number) => [0x20, ...leb(i)];
    const set = (i: number) => [0x21, ...leb(i)];
    const times = (n: number, f: (i: number) => number[]) => [...Array(n).keys()].flatMap(f);
    const targets = times(10_000, (i) => leb(i % 400));
    const table = [
      ...times(400, () => [0x02, 0x40]),
      ...get(0),
      0x0e,
      ...leb(9999),
      ...targets,
      ...times(400, () => [0x0b]),
    ];
    const ifs = times(10_000, (i) => [...get(0), 0x04, 0x40, 0x41, 5, ...set(i + 1), 0x0b]);
    const loops = [
      ...times(300, () => [0x03, 0x40, ...get(1), ...get(2), 0x6a, ...set(1)]),
      ...times(300, () => [...get(1), 0x0d, 0, 0x0b]),
    ];
    const uses = times(10_000, (i) => [...get(i + 1), 0x24, 0]);
    const bytes = oneFunction([[10_000, 0x7f]], [...table, ...ifs, ...loops, ...uses, ...ifs, ...uses]);
    const module = readModule(bytes);
    const env = { module, layout: layOutContext(module), model: 'fixed' as const, isIntrinsic: () => false };
    const f = buildFunction(env, 0);
    verify(f, 'after build');
  });
});
