// What single passes make of a few lines of IR. That the result computes the same is passes.test.ts's business.

import { describe, expect, it } from 'vitest';
import { simplifyBits } from '../../build/opt/bits.ts';
import { simplifyCfg } from '../../build/opt/cfg.ts';
import { decideConditions } from '../../build/opt/conditions.ts';
import { removeDeadCode } from '../../build/opt/dce.ts';
import { expandDivisions } from '../../build/opt/divide.ts';
import { fold } from '../../build/opt/fold.ts';
import { numberValues } from '../../build/opt/gvn.ts';
import { after } from './after.ts';

/** v0 and v1 are i32, v2 is i64, v3 is f64; `code` ends with the value to return, an i32. */
function folded(...code: string[]): string[] {
  const head =
    'func "f" index=0 (i32, i32, i64, f64) -> (i32)\nb0 depth=0 (v0: i32, v1: i32, v2: i64, v3: f64):';
  return after([head, ...code].join('\n'), fold, removeDeadCode).slice(1);
}

describe('fold', () => {
  it('joins additions of constants', () => {
    expect(
      folded(
        'v4 = const.i32 5',
        'v5 = add.i32 v4 v0',
        'v6 = const.i32 -2',
        'v7 = sub.i32 v5 v6',
        'return v7',
      ),
    ).toEqual(['v10 = const.i32 7', 'v7 = add.i32 v0 v10', 'return v7']);
  });

  it('keeps a division that traps, and one whose divisor it does not know', () => {
    const code = ['v4 = const.i32 0', 'v5 = divu.i32 v0 v4', 'v6 = remu.i32 v0 v1', 'return v0'];
    expect(folded(...code)).toEqual(code);
  });

  it('turns unsigned division by a power of two into a shift', () => {
    expect(folded('v4 = const.i32 -2147483648', 'v5 = divu.i32 v0 v4', 'return v5')).toEqual([
      'v7 = const.i32 31',
      'v5 = shru.i32 v0 v7',
      'return v5',
    ]);
  });

  it('inverts comparisons of integers but not of floats', () => {
    expect(folded('v4 = lts.i32 v0 v1', 'v5 = eqz.i32 v4', 'return v5')).toEqual([
      'v5 = ges.i32 v0 v1',
      'return v5',
    ]);
    const float = ['v4 = flt.i32 v3 v3', 'v5 = eqz.i32 v4', 'return v5'];
    expect(folded(...float)).toEqual(float);
  });

  it('does not take an i64 for a condition', () => {
    const code = [
      'v4 = const.i64 1',
      'v5 = and.i64 v2 v4',
      'v6 = const.i64 0',
      'v7 = ne.i32 v5 v6',
      'return v7',
    ];
    expect(folded(...code)).toEqual(code);
  });

  it('never makes a NaN of its own, and moves bits exactly', () => {
    const code = ['v4 = const.f64 0x0', 'v5 = fdiv.f64 v4 v4', 'v6 = feq.i32 v5 v5', 'return v6'];
    expect(folded(...code)).toEqual(code);
    expect(
      folded('v4 = const.f32 0x7fa00001', 'v5 = fneg.f32 v4', 'v6 = bitcast.i32 v5', 'return v6'),
    ).toEqual([`v6 = const.i32 ${0xffa00001 | 0}`, 'return v6']);
  });

  it('drops a mask that a narrow load makes needless, and extends where shifts did', () => {
    expect(
      folded('v4 = load.i32 v0 width=1', 'v5 = const.i32 255', 'v6 = and.i32 v4 v5', 'return v6'),
    ).toEqual(['v4 = load.i32 v0 width=1', 'return v4']);
    expect(folded('v4 = const.i32 24', 'v5 = shl.i32 v0 v4', 'v6 = shrs.i32 v5 v4', 'return v6')).toEqual([
      'v6 = extend8s.i32 v0',
      'return v6',
    ]);
  });
});

describe('cfg', () => {
  it('leads a known decision past the join that makes it', () => {
    // if (v0 && v1) as AssemblyScript compiles it: the join's parameter is 0 on one edge.
    const lines = after(
      `func "f" index=0 (i32, i32) -> (i32)
      b0 depth=0 (v0: i32, v1: i32):
        v2 = const.i32 0
        v3 = const.i32 7
        br v0 b1() b2(v2)
      b1 depth=0 ():
        v4 = clz.i32 v1
        jump b2(v4)
      b2 depth=0 (v5: i32):
        br v5 b3() b4()
      b3 depth=0 ():
        return v3
      b4 depth=0 ():
        return v2`,
      simplifyCfg,
      removeDeadCode,
    );
    expect(lines.filter((l) => /^(br|jump)/.test(l))).toEqual(['br v0 b1() b4()', 'br v4 b3() b4()']);
  });

  it('cuts a block at a trap that is certain', () => {
    const lines = after(
      `func "f" index=0 (i32) -> (i32)
      b0 depth=0 (v0: i32):
        v1 = const.i32 1
        trapif v1 trap=memory
        jump b1()
      b1 depth=0 ():
        return v0`,
      simplifyCfg,
    );
    expect(lines).toEqual(['b0 depth=0 (v0: i32):', 'v1 = const.i32 1', 'trap trap=memory']);
  });

  it('keeps an endless loop', () => {
    const text = `func "f" index=0 () -> ()
      b0 depth=0 ():
        jump b1()
      b1 depth=1 ():
        jump b1()`;
    expect(after(text, simplifyCfg)).toEqual(
      text
        .split('\n')
        .slice(1)
        .map((l) => l.trim()),
    );
  });

  it('does not jump past a loop header', () => {
    const lines = after(
      `func "f" index=0 (i32) -> (i32)
      b0 depth=0 (v0: i32):
        v1 = const.i32 1
        jump b1(v1)
      b1 depth=1 (v2: i32):
        br v2 b2() b3()
      b2 depth=1 ():
        v3 = call.i32 v0 index=1 sig=(i32)->(i32)
        jump b1(v3)
      b3 depth=0 ():
        return v0`,
      simplifyCfg,
    );
    expect(lines).toContain('jump b1(v1)');
  });
});

describe('bits', () => {
  const simplified = (...code: string[]) =>
    after(
      ['func "f" index=0 (i32, i64) -> (i32)\nb0 depth=0 (v0: i32, v1: i64):', ...code].join('\n'),
      simplifyBits,
      removeDeadCode,
    ).slice(1);

  it('drops a mask that a loop keeps by itself, and the bits that nobody looks at', () => {
    // A round of CRC-16 as LLVM writes it: the constant is sign-extended, so that each round masks its bits off again.
    expect(
      simplified(
        'v2 = const.i32 65535',
        'v3 = and.i32 v0 v2',
        'jump b1(v3)',
        'b1 depth=1 (v4: i32):',
        'v5 = const.i32 1',
        'v6 = shru.i32 v4 v5',
        'v7 = const.i32 32767',
        'v8 = and.i32 v6 v7',
        'v9 = const.i32 -24575',
        'v10 = xor.i32 v8 v9',
        'v11 = and.i32 v10 v2',
        'br v0 b1(v11) b2()',
        'b2 depth=0 ():',
        'return v11',
      ).filter((line) => !line.includes('const')),
    ).toEqual([
      'v3 = and.i32 v0 v2',
      'jump b1(v3)',
      'b1 depth=1 (v4: i32):',
      'v6 = shru.i32 v4 v5',
      expect.stringMatching(/^v10 = xor.i32 v6 v\d+$/),
      'br v0 b1(v10) b2()',
      'b2 depth=0 ():',
      'return v10',
    ]);
  });

  it('drops one of two masks, not both', () => {
    const code = ['v2 = const.i32 255', 'v3 = and.i32 v0 v2', 'v4 = const.i32 511', 'v5 = and.i32 v3 v4'];
    expect(simplified(...code, 'return v5')).toEqual([...code.slice(0, 2), 'return v3']);
  });

  it('makes what is never negative unsigned, and divides short values short', () => {
    const code = ['v2 = const.i64 65535', 'v3 = and.i64 v1 v2', 'v4 = zext.i64 v0', 'v5 = divs.i64 v4 v3'];
    expect(simplified(...code, 'v6 = wrap.i32 v5', 'return v6')).toEqual([
      ...code.slice(0, 3),
      expect.stringMatching(/^v\d+ = wrap.i32 v4$/),
      expect.stringMatching(/^v\d+ = wrap.i32 v3$/),
      expect.stringMatching(/^v\d+ = divu.i32 /),
      expect.stringMatching(/^v\d+ = zext.i64 /),
      expect.stringMatching(/^v6 = wrap.i32 /),
      'return v6',
    ]);
  });

  it('decides comparisons out of reach', () => {
    const code = ['v2 = load.i32 v0 width=1', 'v3 = const.i32 256', 'v4 = lts.i32 v2 v3', 'return v4'];
    expect(simplified(...code).at(-2)).toMatch(/= const.i32 1$/);
    const open = ['v2 = load.i32 v0 width=1', 'v3 = const.i32 255', 'v4 = ltu.i32 v2 v3', 'return v4'];
    expect(simplified(...open)).toEqual(open);
  });

  it('keeps the sign of a loop that shifts it down', () => {
    const code = [
      'jump b1(v0)',
      'b1 depth=1 (v2: i32):',
      'v3 = const.i32 1',
      'v4 = shrs.i32 v2 v3',
      'br v4 b1(v4) b2()',
      'b2 depth=0 ():',
      'return v4',
    ];
    expect(simplified(...code)).toEqual(code);
  });
});

describe('divide', () => {
  const divided = (...code: string[]) =>
    after(
      ['func "f" index=0 (i32, i32) -> (i32)\nb0 depth=0 (v0: i32, v1: i32):', ...code].join('\n'),
      expandDivisions,
      removeDeadCode,
    ).slice(1);

  it('multiplies by the reciprocal of a constant', () => {
    expect(divided('v2 = const.i32 10', 'v3 = divu.i32 v0 v2', 'return v3')).toEqual([
      'v5 = zext.i64 v0',
      'v6 = const.i64 3435973837',
      'v7 = mul.i64 v5 v6',
      'v8 = const.i64 35',
      'v9 = shru.i64 v7 v8',
      'v10 = wrap.i32 v9',
      'return v10',
    ]);
  });

  it('keeps a quotient that traps', () => {
    const code = ['v2 = const.i32 -1', 'v3 = divs.i32 v0 v2', 'return v3'];
    expect(divided(...code)).toEqual(code);
    expect(divided('v2 = const.i32 -1', 'v3 = rems.i32 v0 v2', 'return v3').at(-2)).toMatch(/= const.i32 0$/);
  });

  it('takes a remainder from the quotient, which may come later if no sign can make it trap', () => {
    expect(divided('v2 = remu.i32 v0 v1', 'v3 = divu.i32 v0 v1', 'v4 = add.i32 v2 v3', 'return v4')).toEqual([
      'v6 = divu.i32 v0 v1',
      'v7 = mul.i32 v6 v1',
      'v8 = sub.i32 v0 v7',
      'v4 = add.i32 v8 v6',
      'return v4',
    ]);
    const signed = ['v2 = rems.i32 v0 v1', 'v3 = divs.i32 v0 v1', 'v4 = add.i32 v2 v3', 'return v4'];
    expect(divided(...signed)).toEqual(signed);
  });
});

describe('gvn', () => {
  it('shares what dominates, and nothing across branches', () => {
    const lines = after(
      `func "f" index=0 (i32, i32) -> (i32)
      b0 depth=0 (v0: i32, v1: i32):
        v2 = divs.i32 v0 v1
        br v0 b1() b2()
      b1 depth=0 ():
        v3 = divs.i32 v0 v1
        v4 = mul.i32 v3 v3
        return v4
      b2 depth=0 ():
        v5 = mul.i32 v2 v2
        return v5`,
      numberValues,
    );
    expect(lines).toEqual([
      'b0 depth=0 (v0: i32, v1: i32):',
      'v2 = divs.i32 v0 v1',
      'br v0 b1() b2()',
      'b1 depth=0 ():',
      'v4 = mul.i32 v2 v2',
      'return v4',
      'b2 depth=0 ():',
      'v5 = mul.i32 v2 v2',
      'return v5',
    ]);
  });

  it('leaves loads, calls and mutable fields alone', () => {
    const text = `func "f" index=0 (i32) -> (i32)
      b0 depth=0 (v0: i32):
        v1 = load.i32 v0 width=4
        v2 = load.i32 v0 width=4
        v3 = ctxload.i32 offset=-40 width=4
        v4 = ctxload.i32 offset=-40 width=4
        v5 = ctxload.i32 offset=-48 width=4 immutable
        v6 = ctxload.i32 offset=-48 width=4 immutable
        v7 = add.i32 v5 v6
        return v7`;
    expect(after(text, numberValues)).toEqual([
      'b0 depth=0 (v0: i32):',
      'v1 = load.i32 v0 width=4',
      'v2 = load.i32 v0 width=4',
      'v3 = ctxload.i32 offset=-40 width=4',
      'v4 = ctxload.i32 offset=-40 width=4',
      'v5 = ctxload.i32 offset=-48 width=4 immutable',
      'v7 = add.i32 v5 v5',
      'return v7',
    ]);
  });
});

describe('dce', () => {
  it('removes parameters that only feed themselves, and keeps what may trap', () => {
    const lines = after(
      `func "f" index=0 (i32) -> (i32)
      b0 depth=0 (v0: i32):
        v1 = const.i32 0
        v9 = load.i32 v0 width=4
        jump b1(v1, v0)
      b1 depth=1 (v2: i32, v3: i32):
        v4 = const.i32 1
        v5 = add.i32 v2 v4
        v6 = sub.i32 v3 v4
        br v6 b1(v5, v6) b2()
      b2 depth=0 ():
        return v3`,
      removeDeadCode,
    );
    expect(lines).toEqual([
      'b0 depth=0 (v0: i32):',
      'v9 = load.i32 v0 width=4',
      'jump b1(v0)',
      'b1 depth=1 (v3: i32):',
      'v4 = const.i32 1',
      'v6 = sub.i32 v3 v4',
      'br v6 b1(v6) b2()',
      'b2 depth=0 ():',
      'return v3',
    ]);
  });
});

it('a negation that its branch has taken in is no obstacle to threading', () => {
  const lines = after(
    `func "f" index=0 (i32, i32) -> (i32)
    b0 depth=0 (v0: i32, v1: i32):
      br v0 b1() b2()
    b1 depth=0 ():
      v2 = load.i32 v1 width=4
      jump b3(v2)
    b2 depth=0 ():
      v3 = const.i32 0
      jump b3(v3)
    b3 depth=0 (v4: i32):
      v5 = eqz.i32 v4
      br v4 b4() b5()
    b4 depth=0 ():
      return v0
    b5 depth=0 ():
      return v1`,
    removeDeadCode,
    simplifyCfg,
  );
  expect(lines).toContain('br v2 b4() b5()');
});

describe('conditions', () => {
  const HEAD = 'func "f" index=0 (i32, i32, f64) -> (i32)';

  it('makes two branches of a condition that was a number', () => {
    const text = [
      HEAD,
      'b0 depth=0 (v0: i32, v1: i32, v2: f64):',
      'v3 = ges.i32 v0 v1',
      'br v3 b3(v3) b2()',
      'b2 depth=0 ():',
      'v4 = load.i32 v0 width=4',
      'jump b3(v4)',
      'b3 depth=0 (v5: i32):',
      'br v5 b4() b5()',
      'b4 depth=0 ():',
      'return v0',
      'b5 depth=0 ():',
      'return v1',
    ];
    const lines = after(text.join('\n'), decideConditions, simplifyCfg);
    expect(lines).toContain('br v3 b4() b2()');
    expect(lines).toContain('br v4 b4() b5()');
  });

  /** What a block returns behind one side of a branch on `first`: `second`, or what became of it. */
  function returned(first: string, second: string, side: 'then' | 'else'): string[] {
    const text = [
      HEAD,
      'b0 depth=0 (v0: i32, v1: i32, v2: f64):',
      `v3 = ${first}`,
      'br v3 b1() b2()',
      `b1 depth=0 ():`,
      ...(side === 'then' ? [`v4 = ${second}`, 'return v4'] : ['return v0']),
      'b2 depth=0 ():',
      ...(side === 'else' ? [`v4 = ${second}`, 'return v4'] : ['return v0']),
    ];
    const lines = after(text.join('\n'), decideConditions, removeDeadCode);
    return lines.filter((line) => !line.includes('v3') && line !== 'return v0' && !/^b\d/.test(line));
  }

  it('knows equal and opposite comparisons behind a branch', () => {
    const constant = (n: number) => [
      expect.stringContaining(`const.i32 ${n}`),
      expect.stringMatching(/^return v/),
    ];
    expect(returned('ltu.i32 v0 v1', 'ltu.i32 v0 v1', 'then')).toEqual(constant(1));
    expect(returned('ltu.i32 v0 v1', 'ltu.i32 v0 v1', 'else')).toEqual(constant(0));
    expect(returned('ltu.i32 v0 v1', 'geu.i32 v0 v1', 'then')).toEqual(constant(0));
    expect(returned('ltu.i32 v0 v1', 'geu.i32 v0 v1', 'else')).toEqual(constant(1));
    expect(returned('flt.i32 v2 v2', 'flt.i32 v2 v2', 'else')).toEqual(constant(0));
  });

  it('leaves what is not decided', () => {
    const left = (second: string) => [`v4 = ${second}`, 'return v4'];
    expect(returned('ltu.i32 v0 v1', 'ltu.i32 v1 v0', 'else')).toEqual(left('ltu.i32 v1 v0'));
    expect(returned('ltu.i32 v0 v1', 'lts.i32 v0 v1', 'then')).toEqual(left('lts.i32 v0 v1'));
    expect(returned('flt.i32 v2 v2', 'fge.i32 v2 v2', 'else')).toEqual(left('fge.i32 v2 v2'));
    expect(returned('add.i32 v0 v1', 'add.i32 v0 v1', 'then')).toEqual(left('add.i32 v0 v1'));
  });

  it('forgets where both ways meet, and learns from traps', () => {
    const text = [
      HEAD,
      'b0 depth=0 (v0: i32, v1: i32, v2: f64):',
      'v3 = lts.i32 v0 v1',
      'br v3 b1() b2()',
      'b1 depth=0 ():',
      'jump b3()',
      'b2 depth=0 ():',
      'jump b3()',
      'b3 depth=0 ():',
      'v4 = eq.i32 v0 v1',
      'trapif v4 trap=unreachable',
      'v5 = add.i32 v3 v4',
      'return v5',
    ];
    const lines = after(text.join('\n'), decideConditions);
    const zero = /^(v\d+) = const.i32 0$/.exec(lines[1])![1];
    expect(lines).toContain(`v5 = add.i32 v3 ${zero}`);
    expect(lines).toContain('trapif v4 trap=unreachable');
  });
});
