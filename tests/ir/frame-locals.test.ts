// Locals in the frame: which ones, and what the builder makes of them.

import { describe, expect, it } from 'vitest';
import { buildFunction } from '../../build/ir/build.ts';
import { frameLocals } from '../../build/ir/frame-locals.ts';
import { printFunc } from '../../build/ir/print.ts';
import { verify } from '../../build/ir/verify.ts';
import { layOutContext } from '../../build/object/layout.ts';
import { Reader } from '../../build/wasm/reader.ts';
import { readModule } from '../../build/wasm/validate.ts';
import { leb, oneFunction } from '../wasm/encode.ts';
import { wat } from '../wasm/wat.ts';

function moduleOf(bytes: Uint8Array) {
  const module = readModule(bytes);
  const env = { module, layout: layOutContext(module), model: 'fixed' as const, isIntrinsic: () => false };
  return { env, body: module.funcs[0].body! };
}

/** The locals in the frame of a function with the parameter $p and the locals $a (1), $b (2), $c (3). */
function inFrame(code: string, edgeArgumentsMax: number): number[] {
  const bytes = wat(`(module (func (param $p i32) (local $a i32) (local $b i32) (local $c i32) ${code}))`);
  const { body } = moduleOf(bytes);
  return frameLocals(new Reader(bytes, body.start, body.end), edgeArgumentsMax);
}

const assign = (local: string) => `(local.set ${local} (local.get $p))`;

describe('which locals', () => {
  // A block's join has an edge from its end and one from each branch to it.
  const nest = `(block ${assign('$a')} (br_if 0 (local.get $p))
    (block ${assign('$b')} (br_if 0 (local.get $p)) (br_if 0 (local.get $p)))) ${assign('$c')}`;

  it('counts edges of the constructs around each assignment', () => {
    // $a: 2; $b: 2 + 3; $c: none, as it is assigned on one way only.
    expect(inFrame(nest, 0)).toEqual([1, 2]);
    expect(inFrame(nest, 2)).toEqual([2]);
    expect(inFrame(nest, 6)).toEqual([2]);
    expect(inFrame(nest, 7)).toEqual([]);
  });

  it('counts a construct once for a local', () => {
    const twice = `(block (block ${assign('$a')} (br_if 0 (local.get $p))) (block ${assign('$a')} (br_if 1 (local.get $p))))`;
    // The outer block's join has two edges, the first inner one's two and the second one's one.
    expect(inFrame(twice, 4)).toEqual([1]);
    expect(inFrame(twice, 5)).toEqual([]);
  });

  it('counts what a branch skips, and each entry of a table', () => {
    expect(inFrame(`(if (local.get $p) (then ${assign('$a')}))`, 1)).toEqual([1]);
    expect(inFrame(`(if (local.get $p) (then ${assign('$a')}))`, 2)).toEqual([]);
    const table = `(loop (block ${assign('$a')} (br_table 0 0 0 1 (local.get $p))))`;
    expect(inFrame(table, 5)).toEqual([1]); // 1 + 3 at the block, 1 + 1 at the loop
    expect(inFrame(table, 6)).toEqual([]);
  });
});

describe('what becomes of them', () => {
  it('loads once in a block and stores each value', () => {
    const { env } = moduleOf(
      wat(`(module (func (param $n i32) (result i64) (local $sum i64)
        (loop $l
          (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $n))))
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i64.add (local.get $sum) (local.get $sum))))`),
    );
    const func = buildFunction(env, 0, 0);
    verify(func, 'after build');
    expect(
      printFunc(func).replaceAll(/ @\d+/g, ''),
    ).toBe(`func "func[0]" index=0 (i32) -> (i64) slots=(i32, i64)
b0 depth=0 (v0 "n": i32):
  v2 = const.i64 0
  slotstore v0 width=4
  slotstore v2 width=8 index=1
  jump b1()
b1 depth=1 ():
  v5 "sum" = slotload.i64 width=8 index=1
  v6 "n" = slotload.i32 width=4
  v7 = zext.i64 v6
  v8 "sum" = add.i64 v5 v7
  slotstore v8 width=8 index=1
  v10 = const.i32 1
  v11 "n" = sub.i32 v6 v10
  slotstore v11 width=4
  br v11 b1() b2()
b2 depth=0 ():
  v14 "sum" = slotload.i64 width=8 index=1
  v15 = add.i64 v14 v14
  return v15
`);
  });

  it('keeps within the limit where all locals change on all ways', () => {
    const get = (i: number) => [0x20, ...leb(i)];
    const times = (n: number, f: (i: number) => number[]) => [...Array(n).keys()].flatMap(f);
    const exits = times(1000, (i) => [...get(0), 0x21, ...leb(i + 1), ...get(0), 0x0d, 0]);
    const uses = times(1000, (i) => [...get(i + 1), 0x24, 0]);
    const { env } = moduleOf(oneFunction([[1000, 0x7f]], [0x02, 0x40, ...exits, 0x0b, ...uses]));
    const func = buildFunction(env, 0, 10_000);
    verify(func, 'after build');
    const edges = func.blocks.flatMap((b) => b.terminator.targets);
    const args = edges.reduce((n, e) => n + e.args.length, 0);
    expect(args).toBeGreaterThan(3000);
    expect(args).toBeLessThanOrEqual(5000);
  });
});
