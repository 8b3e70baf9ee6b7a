// What is done to blocks after register allocation. The order: loops tested at their bottom, likely ways straight on, cold blocks behind everything. The
// expected orders were written by hand.

import { describe, expect, it } from 'vitest';
import { parseFunc } from '../../build/ir/parse.ts';
import { arrange } from '../../build/x64/arrange.ts';
import { emit } from '../../build/x64/emit.ts';
import { CALLEE_SAVED, type MFunc, type MInst, RSP } from '../../build/x64/mir.ts';
import { allocate } from '../../build/x64/regalloc/index.ts';
import { type Selected, select } from '../../build/x64/select.ts';

const layout = { size: 32, globals: [], tables: [], descriptors: new Map(), elems: [], datas: [] };

const constant = (bits: bigint): string => `c${bits}`;

function selectedAndArranged(text: string, ...disabled: string[]): Selected {
  const selected = select(parseFunc(text), {
    model: 'fixed',
    layout,
    ownsMemory: true,
    callSymbol: (index) => `f${index}`,
    constant,
  });
  allocate(selected.func, { allocatable: ~((1 << RSP) | (1 << 31)) >>> 0, calleeSaved: CALLEE_SAVED });
  arrange(selected.func, new Set(disabled));
  return selected;
}

const arranged = (text: string, ...disabled: string[]): MFunc => selectedAndArranged(text, ...disabled).func;

const order = (func: MFunc): string => func.blocks.map((b) => b.id).join(' ');

const WHILE = `func "f" index=0 (i32) -> (i32)
  b0 depth=0 (v0: i32):
    v1 = const.i32 0
    jump b1(v0, v1)
  b1 depth=1 (v2: i32, v3: i32):
    br v2 b2() b3()
  b2 depth=1 ():
    v4 = load.i32 v2 width=4
    v5 = add.i32 v3 v4
    v6 = load.i32 v2 width=4 offset=4
    jump b1(v6, v5)
  b3 depth=0 ():
    return v3`;

describe('the layout', () => {
  it('puts the test of a loop behind its body', () => {
    expect(order(arranged(WHILE))).toBe('0 2 1 3');
  });

  it('can be left out', () => {
    expect(order(arranged(WHILE, 'layout'))).toBe('0 1 2 3');
  });

  it('puts a way that ends in a trap last', () => {
    const text = `func "f" index=0 (i32, i32) -> (i32)
      b0 depth=0 (v0: i32, v1: i32):
        br v0 b1() b2()
      b1 depth=0 ():
        store v0 v1 width=4
        trap trap=unreachable
      b2 depth=0 ():
        store v1 v0 width=4
        return v1`;
    expect(order(arranged(text))).toBe('0 2 1');
  });

  it('keeps the order of two ways as likely as each other', () => {
    const text = `func "f" index=0 (i32, i32) -> (i32)
      b0 depth=0 (v0: i32, v1: i32):
        br v0 b2() b1()
      b1 depth=0 ():
        store v0 v1 width=4
        jump b3()
      b2 depth=0 ():
        store v1 v0 width=4
        jump b3()
      b3 depth=0 ():
        return v1`;
    expect(order(arranged(text))).toBe('0 1 2 3');
  });

  it('keeps an endless loop of nothing', () => {
    const text = `func "f" index=0 () -> ()
      b0 depth=0 ():
        jump b1()
      b1 depth=1 ():
        jump b1()`;
    expect(order(arranged(text))).toBe('0 1');
  });
});

describe('a branch of which neither way falls through', () => {
  it('goes where it goes more often, here back to the start of its loop, without a jump', () => {
    const text = `func "f" index=0 (i32) -> (i32)
      b0 depth=0 (v0: i32):
        v1 = const.i32 0
        v9 = const.i32 4
        jump b1(v1)
      b1 depth=1 (v2: i32):
        v3 = geu.i32 v2 v0
        br v3 b3(v2) b2()
      b2 depth=1 ():
        v4 = load.i32 v2 width=4
        jump b1(v4)
      b3 depth=1 (v5: i32):
        br v5 b4() b5()
      b4 depth=1 ():
        v6 = load.i32 v5 width=4
        jump b3(v6)
      b5 depth=0 ():
        return v5`;
    const selected = selectedAndArranged(text);
    expect(order(selected.func)).toBe('0 2 1 4 3 5');
    const options = { model: 'fixed', popped: 0, constant, tableSymbol: String } as const;
    const hex = Buffer.from(emit(selected, options).code).toString('hex');
    // A short branch and a short jump, one behind the other; a displacement of 0x80 and more leads back.
    const [, branch, jump] = /7[0-9a-f]([0-9a-f]{2})eb([0-9a-f]{2})/.exec(hex)!.map((b) => parseInt(b, 16));
    expect(branch).toBeGreaterThanOrEqual(0x80);
    expect(jump).toBeLessThan(0x80);
  });
});

describe('the dispatch of an interpreter', () => {
  const cases = Array.from({ length: 10 }, (_, i) => i + 3);
  const interpreter = `func "f" index=0 (i32) -> (i32)
    b0 depth=0 (v0: i32):
      jump b1(v0)
    b1 depth=1 (v1: i32):
      v2 = load.i32 v1 width=1
      switch v2 ${cases.map((b) => `b${b}()`).join(' ')} b2()
    b2 depth=0 ():
      return v1
    ${cases
      .map(
        (b) => `b${b} depth=1 ():
          v${b} = load.i32 v1 width=4 offset=${4 * b}
          jump b1(v${b})`,
      )
      .join('\n')}`;
  const tables = (func: MFunc): MInst[] =>
    func.blocks.flatMap((b) => b.insts).filter((m) => m.op === 'switchtable');

  it('is copied to the end of every case, and all share one table', () => {
    const copies = tables(arranged(interpreter));
    expect(copies).toHaveLength(1 + cases.length);
    expect(new Set(copies.map((m) => m.data)).size).toBe(1);
  });

  it('is copied with what comes before it in every round', () => {
    const fetch = `v2 = load.i32 v1 width=1
      br v2 b20() b2()
    b20 depth=1 ():
      switch v2`;
    const func = arranged(interpreter.replace(/v2 = load.i32 v1 width=1\s+switch v2/, fetch));
    expect(tables(func)).toHaveLength(1 + cases.length);
    const loads = func.blocks.flatMap((b) => b.insts).filter((m) => m.op === 'load' && m.data.width === 1);
    expect(loads).toHaveLength(1 + cases.length);
    expect(new Set(func.blocks.map((b) => b.id)).size).toBe(func.blocks.length);
  });

  it('is not copied to a few ways back', () => {
    const few = interpreter.replace(
      /(b[6-9]|b1\d) depth=1 \(\):[^b]*jump b1\(v\d+\)/g,
      '$1 depth=0 ():\nreturn v1',
    );
    expect(tables(arranged(few))).toHaveLength(1);
  });

  it('is left alone where that is asked for', () => {
    expect(tables(arranged(interpreter, 'tail-duplication'))).toHaveLength(1);
  });

  it('is not copied if it is large', () => {
    const large = interpreter.replace('width=1', `width=1${'\nstore v1 v2 width=4'.repeat(40)}`);
    expect(tables(arranged(large))).toHaveLength(1);
  });
});

describe('the states of a state machine', () => {
  const cases = Array.from({ length: 10 }, (_, i) => i + 10);
  /** From each state to the one whose number `next` is the text of. */
  const machine = (next: (k: number) => string[]): string => `func "f" index=0 (i32) -> (i32)
    b0 depth=0 (v0: i32):
      jump b1(v0)
    b1 depth=1 (v1: i32):
      v2 = load.i32 v0 width=1
      br v2 b2() b4()
    b2 depth=1 ():
      v3 = const.i32 5
      v4 = eq.i32 v1 v3
      br v4 b4() b3()
    b3 depth=1 ():
      switch v1 ${cases.map((b) => `b${b}()`).join(' ')} b4()
    b4 depth=0 ():
      return v1
    ${cases.map((b) => [`b${b} depth=1 ():`, `store v0 v0 width=4 offset=${b}`, ...next(b)].join('\n')).join('\n')}`;
  const known = (k: number) => [`v${k} = const.i32 ${(k * 3) % 10}`, `jump b1(v${k})`];
  const count = (func: MFunc, op: string): number =>
    func.blocks.flatMap((b) => b.insts).filter((m) => m.op === op).length;

  it('lead to each other where they are known', () => {
    const func = arranged(machine(known));
    expect(count(func, 'switchtable')).toBe(1);
    // Whether the input goes on, a test in each round; which state it is, in the first one only.
    expect(count(func, 'br')).toBe(1 + 1 + cases.length);
  });

  it('go through the jump table where they are not', () => {
    const loaded = (k: number) => [`v${k} = load.i32 v0 width=4 offset=${k}`, `jump b1(v${k})`];
    const func = arranged(machine((k) => (k < 13 ? loaded(k) : known(k))));
    expect(count(func, 'switchtable')).toBe(1 + 3);
  });

  it('are left alone where that is asked for', () => {
    const func = arranged(machine(known), 'known-branches');
    expect(count(func, 'switchtable')).toBe(1 + cases.length);
  });
});

describe('alignment', () => {
  const aligned = (text: string, ...disabled: string[]): number[] =>
    arranged(text, ...disabled)
      .blocks.filter((b) => b.aligned)
      .map((b) => b.id);

  it('is of what a short loop begins with', () => {
    expect(aligned(WHILE)).toEqual([2]);
    expect(aligned(WHILE, 'align')).toEqual([]);
  });

  it('is not of long loops, nor of those with calls', () => {
    const load = 'v4 = load.i32 v2 width=4';
    expect(aligned(WHILE.replace(load, `${load}${'\nstore v4 v4 width=4'.repeat(24)}`))).toEqual([]);
    expect(aligned(WHILE.replace(load, `${load}\nv9 = call index=1 sig=()->()`))).toEqual([]);
  });

  it('holds in the code', () => {
    const { code, align, insts } = emit(selectedAndArranged(WHILE), {
      model: 'fixed',
      popped: 0,
      constant,
      tableSymbol: (n) => `t${n}`,
      trace: true,
    });
    const load = insts!.find(({ inst }) => inst?.op === 'load' || inst?.data.mem)!;
    expect(align).toBe(32);
    expect(load.offset % 32).toBe(0);
    expect(code.length).toBeGreaterThan(load.offset);
  });
});
