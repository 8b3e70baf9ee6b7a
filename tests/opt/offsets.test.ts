// Which sums become part of an access's offset, told by how large what is added to can be. A sum that might wrap at
// 2^32 must stay: the offset would not wrap (WebAssembly core 4.4.7).

import { describe, expect, it } from 'vitest';
import { foldOffsets } from '../../build/opt/offsets.ts';
import { after } from './after.ts';

/** The accesses that are left, of a function of two i32 with these blocks. */
function accesses(text: string): string[] {
  const head = 'func "f" index=0 (i32, i32) -> (i32)\n';
  return after(head + text, foldOffsets).filter((line) => / load|^store/.test(line));
}

const straight = (...lines: string[]): string[] =>
  accesses(['b0 depth=0 (v0: i32, v1: i32):', ...lines, 'return v0'].join('\n'));

describe('the offset of an access', () => {
  it('takes up what is added to an index with a bound', () => {
    const mask = ['v2 = const.i32 4095', 'v3 = and.i32 v0 v2', 'v4 = const.i32 1024', 'v5 = add.i32 v3 v4'];
    expect(straight(...mask, 'v6 = load.i32 v5 width=4 offset=8', 'store v5 v6 width=4')).toEqual([
      'v6 = load.i32 v3 offset=1032 width=4',
      'store v3 v6 offset=1024 width=4',
    ]);
  });

  it('does not where the sum may wrap, nor where something else needs it', () => {
    const load = 'v6 = load.i32 v5 width=4';
    expect(straight('v4 = const.i32 1024', 'v5 = add.i32 v0 v4', load)).toEqual([load]);
    const short = ['v2 = load.i32 v0 width=2', 'v4 = const.i32 1024', 'v5 = add.i32 v2 v4'];
    expect(straight(...short, load)[1]).toContain('offset=1024');
    expect(straight(...short, load, 'store v0 v5 width=4')[1]).toBe(load);
    const high = ['v2 = load.i32 v0 width=2', 'v4 = const.i32 -1024', 'v5 = add.i32 v2 v4'];
    expect(straight(...high, load)[1]).toBe(load);
  });
});

describe('of an access in a loop', () => {
  interface Shape {
    start?: string | number;
    step?: number;
    /** Of v3, the variable; v6, after the step; and v1. */
    compare: string;
    end?: number;
    add?: number;
  }

  /** Goes on while the comparison v8 holds. */
  function offsetOf({ start = 0, step = 4, compare, end = 4096, add = 1024 }: Shape): string[] {
    const first = typeof start === 'number' ? 'v10' : start;
    return accesses(`b0 depth=0 (v0: i32, v1: i32):
      v2 = const.i32 ${end}
      v4 = const.i32 ${step}
      v5 = const.i32 ${add}
      v10 = const.i32 ${typeof start === 'number' ? start : 0}
      jump b1(${first}, v1)
    b1 depth=1 (v3: i32, v11: i32):
      v7 = add.i32 v3 v5
      v9 = load.i32 v7 width=4
      v6 = add.i32 v3 v4
      v12 = const.i32 8
      v13 = add.i32 v11 v12
      v8 = ${compare}
      br v8 b1(v6, v13) b2()
    b2 depth=0 ():
      return v9`);
  }

  const folded = ['v9 = load.i32 v3 offset=1024 width=4'];
  const left = ['v9 = load.i32 v7 width=4'];

  it.each<[string, Shape]>([
    ['counts up to what it meets', { compare: 'ne.i32 v6 v2' }],
    ['counts up to a constant', { compare: 'ltu.i32 v6 v2', end: 4095 }],
    ['counts up, signed, from 0', { compare: 'lts.i32 v3 v2' }],
    ['counts up to a constant that is not more', { compare: 'leu.i32 v6 v2' }],
    ['counts down to 0', { start: 4096, step: -4, compare: 'ne.i32 v6 v2', end: 0 }],
  ])('takes up what is added to a variable that %s', (_, shape) => {
    expect(offsetOf(shape)).toEqual(folded);
  });

  it.each<[string, Shape]>([
    ['steps over its end', { step: 3, compare: 'ne.i32 v6 v2' }],
    ['begins at its end', { start: 4096, compare: 'ne.i32 v6 v2' }],
    ['begins anywhere', { start: 'v0', compare: 'ne.i32 v6 v2' }],
    ['ends anywhere', { compare: 'ne.i32 v6 v1' }],
    ['may wrap at its end', { compare: 'ltu.i32 v6 v2', end: -2 }],
    ['may begin below 0, signed', { start: 'v0', compare: 'lts.i32 v6 v2' }],
    ['goes on while it is larger', { compare: 'gtu.i32 v6 v2' }],
    ['is not the one that is compared with a bound', { compare: 'ne.i32 v13 v2' }],
    ['wraps on the way', { start: -4096, compare: 'ne.i32 v6 v2' }],
    ['is too large for the sum', { compare: 'ne.i32 v6 v2', add: -2048 }],
    ['counts down below 0', { start: 4096, step: -4, compare: 'ne.i32 v6 v2', end: -8 }],
  ])('is left alone if a variable %s', (_, shape) => {
    expect(offsetOf(shape)).toEqual(left);
  });
});
