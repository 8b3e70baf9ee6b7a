// What the passes that know about memory and loops make of a few lines of IR: which loads, stores and invariants go.

import { describe, expect, it } from 'vitest';
import { hoistInvariants } from '../../build/opt/licm.ts';
import { eliminateLoads } from '../../build/opt/loads.ts';
import { after } from './after.ts';

describe('loads', () => {
  /** v0 and v1 are addresses. */
  function lines(...code: string[]): string[] {
    const head = 'func "f" index=0 (i32, i32) -> (i32)\nb0 depth=0 (v0: i32, v1: i32):';
    return after([head, ...code].join('\n'), eliminateLoads).slice(1);
  }

  it('reads once what nothing writes in between', () => {
    expect(
      lines(
        'v2 = load.i32 v0 offset=4 width=4',
        'store v0 v1 offset=8 width=4',
        'v3 = load.i32 v0 offset=4 width=4',
        'v4 = sub.i32 v3 v2',
        'return v4',
      ),
    ).toEqual([
      'v2 = load.i32 v0 offset=4 width=4',
      'store v0 v1 offset=8 width=4',
      'v4 = sub.i32 v2 v2',
      'return v4',
    ]);
  });

  it('reads once past a store to a slot', () => {
    const text = `func "f" index=0 (i32) -> (i32) slots=(i32)
      b0 depth=0 (v0: i32):
        v1 = load.i32 v0 width=4
        slotstore v1 width=4
        v2 = load.i32 v0 width=4
        v3 = slotload.i32 width=4
        v4 = sub.i32 v2 v3
        return v4`;
    expect(after(text, eliminateLoads).slice(2)).toEqual([
      'slotstore v1 width=4',
      'v3 = slotload.i32 width=4',
      'v4 = sub.i32 v1 v3',
      'return v4',
    ]);
  });

  it.each([
    ['a store at an index that is not known to differ', 'store v1 v1 width=4'],
    ['a store that overlaps', 'store v0 v1 offset=7 width=2'],
    ['a call', 'call index=1 sig=()->()'],
    ['a fence', 'fence'],
    ['a machine intrinsic', 'x86 intrinsic=pause'],
  ])('reads again after %s', (_, between) => {
    const code = [
      'v2 = load.i32 v0 offset=4 width=4',
      between.startsWith('call') ? `v9 = ${between}` : between,
      'v3 = load.i32 v0 offset=4 width=4',
      'v4 = sub.i32 v3 v2',
      'return v4',
    ];
    expect(lines(...code)).toEqual(code);
  });

  it('takes sums with constants for what they are modulo 2^32', () => {
    const code = (distance: number) => [
      'v2 = load.i32 v0 width=4',
      `v3 = const.i32 ${distance}`,
      'v4 = add.i32 v0 v3',
      'store v4 v1 width=4',
      'v5 = load.i32 v0 width=4',
      'return v5',
    ];
    expect(lines(...code(4))).not.toContain('v5 = load.i32 v0 width=4');
    expect(lines(...code(-4))).not.toContain('v5 = load.i32 v0 width=4');
    expect(lines(...code(3))).toContain('v5 = load.i32 v0 width=4');
    expect(lines(...code(-3))).toContain('v5 = load.i32 v0 width=4');
  });

  it('does not take an offset for a sum that wraps', () => {
    const code = [
      'v2 = const.i32 8',
      'v3 = add.i32 v0 v2',
      'v4 = load.i32 v3 width=4',
      'v5 = load.i32 v0 offset=8 width=4',
      'return v5',
    ];
    expect(lines(...code)).toEqual(code);
  });

  it('knows what was stored, as wide as it was', () => {
    expect(
      lines(
        'store v0 v1 width=2',
        'v2 = load.i32 v0 width=2',
        'v3 = load.i32 v0 width=2 signed',
        'v4 = load.i32 v0 width=4',
        'v5 = add.i32 v2 v3',
        'return v5',
      ),
    ).toEqual([
      'store v0 v1 width=2',
      'v8 = const.i32 65535',
      'v9 = and.i32 v1 v8',
      'v10 = extend16s.i32 v1',
      'v4 = load.i32 v0 width=4',
      'v5 = add.i32 v9 v10',
      'return v5',
    ]);
  });

  it('does not store again what a store has left', () => {
    const twice = (between: string, second: string) =>
      lines('store v0 v1 width=4', between, second, 'return v1').filter((l) => l.startsWith('store v0'));
    expect(twice('ctxstore v0 offset=-8 width=4', 'store v0 v1 width=4')).toHaveLength(1);
    expect(twice('ctxstore v0 offset=-8 width=4', 'store v0 v0 width=4')).toHaveLength(2);
    expect(twice('store v1 v0 width=4', 'store v0 v1 width=4')).toHaveLength(2);
    const afterLoad = ['v2 = load.i32 v0 width=4', 'store v0 v2 width=4', 'return v2'];
    expect(lines(...afterLoad)).toEqual(afterLoad);
  });

  it('tells the context from linear memory', () => {
    expect(
      lines(
        'v2 = ctxload.i32 offset=-8 width=4',
        'store v0 v2 width=4',
        'v3 = ctxload.i32 offset=-8 width=4',
        'return v3',
      ),
    ).toEqual(['v2 = ctxload.i32 offset=-8 width=4', 'store v0 v2 width=4', 'return v2']);
  });

  const loop = (store: string) => [
    'v2 = load.i32 v0 width=4',
    'jump b1()',
    'b1 depth=1 ():',
    'v3 = load.i32 v0 width=4',
    store,
    'br v3 b1() b2()',
    'b2 depth=0 ():',
    'return v3',
  ];

  it('enters a loop with what nothing in it writes', () => {
    expect(lines(...loop('store v0 v1 offset=4 width=4'))).toContain('br v2 b1() b2()');
    expect(lines(...loop('store v1 v0 width=4'))).toContain('br v3 b1() b2()');
  });

  it('keeps at a join what all ways there know', () => {
    const join = (left: string) => [
      'v2 = load.i32 v0 width=4',
      'br v1 b1() b2()',
      'b1 depth=0 ():',
      left,
      'jump b3()',
      'b2 depth=0 ():',
      'jump b3()',
      'b3 depth=0 ():',
      'v3 = load.i32 v0 width=4',
      'return v3',
    ];
    expect(lines(...join('fence'))).toContain('return v3');
    expect(lines(...join('store v0 v1 offset=4 width=4'))).toContain('return v2');
  });
});

describe('licm', () => {
  /** A loop from b1 to b2 that nothing but `head` and `body` are in; what is then before it. */
  function before(head: string[], body: string[] = []): string[] {
    const text = [
      'func "f" index=0 (i32, i32, i64) -> ()',
      'b0 depth=0 (v0: i32, v1: i32, v2: i64):',
      'jump b1()',
      'b1 depth=1 ():',
      ...head,
      'br v1 b2() b3()',
      'b2 depth=1 ():',
      ...body,
      'jump b1()',
      'b3 depth=0 ():',
      'return',
    ];
    const lines = after(text.join('\n'), hoistInvariants);
    return lines.slice(1, lines.indexOf('jump b1()'));
  }
  const LOAD = 'v3 = load.i32 v0 width=4';
  const NATIVE = 'v3 = nload.i64 v2 width=8';
  const FIELD = 'v3 = ctxload.i32 offset=-8 width=4';

  it('moves what depends on nothing in the loop', () => {
    const code = ['v3 = mul.i32 v0 v0', 'v4 = add.i32 v3 v1'];
    expect(before([], code)).toEqual(code);
    expect(before(['v3 = load.i32 v1 width=4', 'fence'], ['v4 = mul.i32 v3 v3'])).toEqual([]);
  });

  it('moves a load only from where it is the first thing to happen', () => {
    expect(before([LOAD])).toEqual([LOAD]);
    expect(before([], [LOAD])).toEqual([]);
    expect(before(['trapif v1 trap=unreachable', LOAD])).toEqual([]);
    expect(before(['trapif v1 trap=unreachable', NATIVE])).toEqual([]);
    expect(before([], [FIELD])).toEqual([FIELD]);
  });

  it('leaves what the loop may write, and what may trap', () => {
    expect(before([LOAD], ['store v1 v1 width=4'])).toEqual([]);
    expect(before([LOAD], ['store v0 v1 offset=4 width=4'])).toEqual([LOAD]);
    expect(before([FIELD], ['ctxstore v1 offset=-8 width=4'])).toEqual([]);
    expect(before([FIELD], ['x86 intrinsic=pause'])).toEqual([]);
    expect(before(['v3 = divu.i32 v0 v1'])).toEqual([]);
  });
});
