// Instruction selection on small functions in the IR's text form: what is folded, what must not be, and what costs
// nothing. That the code computes the right thing is tested by running it (tests/translator).

import { describe, expect, it } from 'vitest';
import { parseFunc } from '../../build/ir/parse.ts';
import type { MFunc, MInst } from '../../build/x64/mir.ts';
import { select } from '../../build/x64/select.ts';
import type { Target } from '../../build/x64/selector.ts';

const layout = { size: 32, globals: [], tables: [], descriptors: new Map(), elems: [], datas: [] };

function selected(text: string, target: Partial<Target> = {}): MFunc {
  const full: Target = {
    model: 'fixed',
    layout,
    ownsMemory: true,
    callSymbol: (index) => `f${index}`,
    constant: (bits) => `c${bits}`,
    ...target,
  };
  return select(parseFunc(text), full).func;
}

function insts(func: MFunc): MInst[] {
  return func.blocks.flatMap((b) => b.insts).filter((m) => m.op !== 'entry');
}

/** The operations of a function, in layout order. */
function ops(text: string, target: Partial<Target> = {}): string[] {
  return insts(selected(text, target)).map((m) => m.op);
}

function find(func: MFunc, op: string): MInst {
  const found = insts(func).filter((m) => m.op === op);
  expect(found, op).toHaveLength(1);
  return found[0];
}

/** A function of two i32 parameters with one block. */
function i32Body(...lines: string[]): string {
  return `func "f" index=0 (i32, i32) -> (i32)\nb0 depth=0 (v0: i32, v1: i32):\n${lines.join('\n')}`;
}

describe('comparisons', () => {
  const branch = (...compare: string[]): string =>
    `func "f" index=0 (i32, i32) -> (i32)
     b0 depth=0 (v0: i32, v1: i32):
       ${compare.join('\n')}
       br v9 b1() b2()
     b1 depth=0 ():
       return v0
     b2 depth=0 ():
       return v1`;

  it('become the flags of the branch', () => {
    const func = selected(branch('v9 = ltu.i32 v0 v1'));
    expect(insts(func).map((m) => m.op)).toEqual(['br', 'ret', 'ret']);
    expect(find(func, 'br').data.cond).toBe('b');
  });

  it('lose an eqz by inverting the condition', () => {
    const func = selected(branch('v8 = lts.i32 v0 v1', 'v9 = eqz.i32 v8'));
    expect(find(func, 'br').data.cond).toBe('ge');
  });

  it('of a bit test become test', () => {
    const func = selected(branch('v7 = const.i32 4', 'v9 = and.i32 v0 v7'));
    expect(find(func, 'br').data.flags).toMatchObject({ kind: 'test', imm: 4 });
  });

  it('with a constant on the left are turned round', () => {
    const func = selected(branch('v7 = const.i32 5', 'v9 = ltu.i32 v7 v0'));
    expect(find(func, 'br').data).toMatchObject({ cond: 'a', flags: { imm: 5 } });
  });

  it('of floats never take "below", which is true for NaN', () => {
    const text = `func "f" index=0 (f64, f64) -> (i32)
      b0 depth=0 (v0: f64, v1: f64):
        v2 = flt.i32 v0 v1
        return v2`;
    const setcc = find(selected(text), 'setcc');
    expect(setcc.data.cond).toBe('a');
    const [, left, right] = setcc.ops.map((o) => o.vreg);
    const [first, second] = selected(text).blocks[0].insts[0].ops.map((o) => o.vreg);
    expect([left, right]).toEqual([second, first]);
  });
});

describe('comparisons of narrow loads', () => {
  const flags = (load: string, compare: string, constant: number) =>
    find(
      selected(i32Body(`v2 = load.i32 v0 ${load}`, `v3 = const.i32 ${constant}`, compare, 'return v4')),
      'setcc',
    ).data;

  it('compare in memory where the constant fits', () => {
    expect(flags('width=1', 'v4 = eq.i32 v2 v3', 200)).toMatchObject({
      cond: 'e',
      flags: { size: 1, imm: 200 },
    });
    expect(flags('width=1', 'v4 = eqz.i32 v2', 0)).toMatchObject({ cond: 'e', flags: { size: 1, imm: 0 } });
    expect(flags('width=2', 'v4 = ltu.i32 v2 v3', 100)).toMatchObject({ cond: 'b', flags: { size: 2 } });
    expect(flags('width=1 signed', 'v4 = gts.i32 v2 v3', -100)).toMatchObject({
      cond: 'g',
      flags: { size: 1 },
    });
  });

  it('of a byte without sign take the unsigned condition', () => {
    expect(flags('width=1', 'v4 = lts.i32 v2 v3', 200)).toMatchObject({ cond: 'b', flags: { size: 1 } });
  });

  it('load where extending it would change the outcome', () => {
    expect(flags('width=1', 'v4 = eq.i32 v2 v3', -1).flags).toMatchObject({ size: 4 });
    expect(flags('width=1 signed', 'v4 = ltu.i32 v2 v3', 5).flags).toMatchObject({ size: 4 });
    expect(flags('width=1 signed', 'v4 = lts.i32 v2 v3', 128).flags).toMatchObject({ size: 4 });
  });
});

describe('addresses', () => {
  const address = (...lines: string[]) =>
    find(selected(i32Body(...lines, 'v9 = load.i32 v8 width=4 offset=8', 'return v9')), 'load').data.mem;

  it('scale an index and add a constant where neither can wrap', () => {
    const lines = ['v2 = const.i32 255', 'v3 = and.i32 v0 v2', 'v4 = const.i32 2', 'v5 = shl.i32 v3 v4'];
    const mem = address(...lines, 'v6 = const.i32 4096', 'v8 = add.i32 v5 v6');
    expect(mem).toMatchObject({ scale: 4, disp: 4104, linear: true });
  });

  it('scale an index that several accesses share, and make it nowhere else', () => {
    const text = i32Body(
      'v2 = const.i32 255',
      'v3 = and.i32 v0 v2',
      'v4 = const.i32 2',
      'v5 = shl.i32 v3 v4',
      'v6 = load.i32 v5 width=4',
      'store v5 v1 width=4 offset=4',
      'return v6',
    );
    expect(ops(text)).toEqual(['movzx', 'load', 'store', 'ret']);
  });

  it.each([
    [4080, 4088],
    [-4096, -4088],
  ])('add the constant %i where both sums are never mapped if they differ', (constant, disp) => {
    const mem = address(`v6 = const.i32 ${constant}`, 'v8 = add.i32 v0 v6');
    expect(mem).toMatchObject({ scale: 1, disp, linear: true });
  });

  it('leave the 32-bit sum where it may wrap', () => {
    for (const constant of [4081, -4097]) {
      const mem = address(`v6 = const.i32 ${constant}`, 'v8 = add.i32 v0 v6');
      expect(mem).toMatchObject({ scale: 1, disp: 8 });
    }
    const far = selected(
      i32Body('v6 = const.i32 -8', 'v8 = add.i32 v0 v6', 'v9 = load.i32 v8 width=4 offset=4089', 'return v9'),
    );
    expect(find(far, 'load').data.mem).toMatchObject({ disp: 4089 });
    const hosted = selected(
      i32Body('v6 = const.i32 8', 'v8 = add.i32 v0 v6', 'v9 = load.i32 v8 width=4', 'return v9'),
      { model: 'register' },
    );
    expect(find(hosted, 'load').data.mem).toMatchObject({ disp: 0 });
    const shifted = address('v4 = const.i32 2', 'v8 = shl.i32 v0 v4');
    expect(shifted).toMatchObject({ scale: 1, disp: 8 });
  });
});

describe('volatile accesses', () => {
  const body = (...lines: string[]) => selected(i32Body('v2 = const.i32 4', 'v3 = add.i32 v0 v2', ...lines));

  it('have addresses like others', () => {
    const load = body('v4 = x86.i32 v3 intrinsic=load16', 'return v4');
    expect(find(load, 'load').data).toMatchObject({ width: 2, size: 4, mem: { disp: 4, linear: true } });
    const store = body(
      'v5 = const.i32 65535',
      'v6 = and.i32 v1 v5',
      'x86 v3 v6 intrinsic=store16',
      'return v1',
    );
    expect(insts(store).map((m) => m.op)).toEqual(['store', 'ret']);
    expect(find(store, 'store').data).toMatchObject({ width: 2, mem: { disp: 4, linear: true } });
    const constant = body('x86 v3 v2 intrinsic=store32', 'return v1');
    expect(find(constant, 'storeimm').data).toMatchObject({ width: 4, imm: 4, mem: { disp: 4 } });
  });

  it('are not folded, merged or dropped', () => {
    const read = 'v4 = x86.i32 v0 intrinsic=load32';
    expect(insts(body(read, 'v5 = add.i32 v1 v4', 'return v5')).map((m) => m.op)).toEqual([
      'load',
      'lea',
      'ret',
    ]);
    const twice = body(read, 'v5 = x86.i32 v0 intrinsic=load32', 'return v1');
    expect(insts(twice).map((m) => m.op)).toEqual(['load', 'load', 'ret']);
    const changed = body(read, 'v5 = add.i32 v4 v1', 'x86 v0 v5 intrinsic=store32', 'return v1');
    expect(insts(changed).map((m) => m.op)).toEqual(['load', 'lea', 'store', 'ret']);
  });
});

describe('loads', () => {
  const sum = (between: string): string =>
    i32Body('v2 = load.i32 v0 width=4 offset=8', between, 'v3 = add.i32 v1 v2', 'return v3');

  it('with one use become a memory operand', () => {
    expect(ops(sum(''))).toEqual(['alu', 'ret']);
    expect(insts(selected(sum('')))[0].data.mem).toMatchObject({ disp: 8, linear: true });
  });

  it.each([
    ['a store', 'store v1 v1 width=4'],
    ['a trap', 'trapif v1 trap=unreachable'],
    ['a division', 'v7 = divs.i32 v1 v0'],
    ['a call', 'v7 = call index=3 sig=()->()'],
    ['a machine intrinsic', 'x86 intrinsic=cli'],
  ])('do not pass %s', (_, effect) => {
    const names = ops(sum(effect));
    expect(names[0]).toBe('load');
  });

  it('without a use stay, since they may trap', () => {
    expect(ops(i32Body('v2 = load.i32 v0 width=4', 'return v1'))).toEqual(['load', 'ret']);
  });

  it('of a narrower width are not folded', () => {
    expect(ops(i32Body('v2 = load.i32 v0 width=1', 'v3 = add.i32 v1 v2', 'return v3'))).toEqual([
      'load',
      'lea',
      'ret',
    ]);
  });

  it('and a store to the same place are one instruction', () => {
    const text = i32Body(
      'v2 = load.i32 v0 width=4 offset=4',
      'v3 = add.i32 v2 v1',
      'store v0 v3 width=4 offset=4',
      'return v1',
    );
    expect(ops(text)).toEqual(['alumem', 'ret']);
    expect(ops(text.replace('store v0 v3 width=4 offset=4', 'store v0 v3 width=4 offset=8'))).toEqual([
      'alu',
      'store',
      'ret',
    ]);
  });
});

describe('addresses', () => {
  const load = (offset: number): string => i32Body(`v2 = load.i32 v0 width=4 offset=${offset}`, 'return v2');

  it('take an offset below 2^31 as displacement', () => {
    expect(find(selected(load(0x7fffffff)), 'load').data.mem).toMatchObject({ disp: 0x7fffffff });
  });

  it('add an offset from 2^31 on in 64 bits', () => {
    const func = selected(load(0x80000000));
    expect(find(func, 'movimm').data).toMatchObject({ imm: 0x80000000n, size: 8 });
    expect(find(func, 'lea').data.size).toBe(8);
    expect(find(func, 'load').data.mem).toMatchObject({ disp: 0 });
  });

  it('do not wrap a constant index plus offset', () => {
    const func = selected(
      i32Body('v2 = const.i32 -1', 'v3 = load.i32 v2 width=4 offset=4294967295', 'return v3'),
    );
    expect(find(func, 'movimm').data.imm).toBe(0xffffffffn + 0xffffffffn);
  });

  it('are relative to the pinned register in the register model', () => {
    expect(find(selected(load(4), { model: 'register' }), 'load').data.mem).toMatchObject({ pinned: true });
  });

  it('of an imported memory have their base from the context', () => {
    const loads = insts(selected(load(4), { model: 'register', ownsMemory: false }));
    expect(loads.map((m) => m.op)).toEqual(['load', 'load', 'ret']);
    expect(loads[0].data.mem).toMatchObject({ context: true });
  });
});

describe('conversions between i32 and i64', () => {
  const body = (...lines: string[]): string =>
    `func "f" index=0 (i32, i64) -> (i64)\nb0 depth=0 (v0: i32, v1: i64):\n${lines.join('\n')}`;

  it('zero-extension costs nothing', () => {
    expect(ops(body('v2 = zext.i64 v0', 'return v2'))).toEqual(['ret']);
  });

  it('a wrap costs nothing where only the low half is read', () => {
    const narrow = body('v2 = wrap.i32 v1', 'v3 = add.i32 v2 v0', 'v4 = zext.i64 v3', 'return v4');
    expect(ops(narrow)).toEqual(['lea', 'ret']);
    expect(ops(body('v2 = wrap.i32 v1', 'v3 = zext.i64 v2', 'return v3'))).toEqual(['mov32', 'ret']);
    expect(ops(body('v2 = wrap.i32 v1', 'v3 = load.i64 v2 width=8', 'return v3'))).toEqual([
      'mov32',
      'load',
      'ret',
    ]);
  });
});

describe('arithmetic', () => {
  it('adds with a scale in one lea', () => {
    const func = selected(
      i32Body('v2 = const.i32 3', 'v3 = shl.i32 v1 v2', 'v4 = add.i32 v0 v3', 'return v4'),
    );
    expect(find(func, 'lea').data.mem).toMatchObject({ scale: 8 });
  });

  it('computes nothing that nobody uses', () => {
    expect(ops(i32Body('v2 = mul.i32 v0 v1', 'v3 = xor.i32 v2 v1', 'return v0'))).toEqual(['ret']);
  });

  it('keeps an unused division, which may trap', () => {
    expect(ops(i32Body('v2 = divs.i32 v0 v1', 'return v0'))).toEqual(['div', 'ret']);
  });

  it.each([
    ['unknown', 'v2 = rems.i32 v0 v1', true],
    ['-1', 'v3 = const.i32 -1\nv2 = rems.i32 v0 v3', true],
    ['7', 'v3 = const.i32 7\nv2 = rems.i32 v0 v3', false],
  ])('checks a remainder for -1 where it may be: %s', (_, line, checked) => {
    expect(find(selected(i32Body(line, 'return v2')), 'div').data.checkMinusOne).toBe(checked);
  });
});

describe('variables in the frame', () => {
  const body = (...lines: string[]): string =>
    `func "f" index=0 (i32) -> (i32) slots=(i32, i32)\nb0 depth=0 (v0: i32):\n${lines.join('\n')}`;
  const load = 'v1 = slotload.i32 width=4 index=1';

  it('are memory operands', () => {
    const func = selected(body(load, 'v2 = add.i32 v0 v1', 'return v2'));
    expect(insts(func).map((m) => m.op)).toEqual(['alu', 'ret']);
    expect(find(func, 'alu').data.mem).toMatchObject({ disp: 8, frame: true });
  });

  it('are changed in their place', () => {
    expect(ops(body(load, 'v2 = add.i32 v0 v1', 'slotstore v2 width=4 index=1', 'return v0'))).toEqual([
      'alumem',
      'ret',
    ]);
    const other = ['slotstore v2 width=4', 'return v0'];
    expect(ops(body(load, 'v2 = add.i32 v0 v1', ...other))).toEqual(['alu', 'store', 'ret']);
  });

  it('are read before they are changed', () => {
    const code = [load, 'slotstore v0 width=4 index=1', 'v2 = xor.i32 v0 v1', 'return v2'];
    expect(ops(body(...code))).toEqual(['load', 'store', 'alu', 'ret']);
  });
});

describe('control flow', () => {
  it('splits an edge from a branch to a join', () => {
    const func = selected(`func "f" index=0 (i32) -> (i32)
      b0 depth=0 (v0: i32):
        jump b1(v0)
      b1 depth=1 (v1: i32):
        v2 = const.i32 -1
        v3 = add.i32 v1 v2
        br v3 b1(v3) b2()
      b2 depth=0 ():
        return v3`);
    for (const block of func.blocks) {
      const { targets } = block.insts[block.insts.length - 1];
      if (targets.length > 1) for (const t of targets) expect(t.block.preds).toHaveLength(1);
    }
  });

  it('makes the constants of an edge before the jump', () => {
    const func = selected(`func "f" index=0 () -> (i32)
      b0 depth=0 ():
        v0 = const.i32 7
        jump b1(v0)
      b1 depth=0 (v1: i32):
        return v1`);
    expect(func.blocks[0].insts.map((m) => m.op)).toEqual(['entry', 'movimm', 'jmp']);
  });
});
