// Inlining: which calls, and what becomes of the caller. Values that the program computes are compared in
// tests/translator.

import { describe, expect, it } from 'vitest';
import type { Func } from '../../build/ir/ir.ts';
import { parseFunc } from '../../build/ir/parse.ts';
import { printFunc } from '../../build/ir/print.ts';
import { verify } from '../../build/ir/verify.ts';
import { inlineCalls } from '../../build/opt/inline.ts';

/** The lines of the caller, function 0, when function 1 has the code `callee`: (i32) -> (i32) both. */
function inlined(caller: string[], callee: string[] | undefined, recursion = false): string[] {
  const parse = (index: number, code: string[]): Func => {
    const head = `func "f${index}" index=${index} (i32) -> (i32)\nb0 depth=0 (v0: i32):`;
    return parseFunc([head, ...code].join('\n'));
  };
  const func = parse(0, caller);
  inlineCalls(func, { recursion, callee: () => callee && parse(1, callee) });
  verify(func, 'after inlining');
  return printFunc(func)
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => line.trim());
}

const CALL = 'v1 = call.i32 v0 index=1 sig=(i32)->(i32) @7';
const CALLER = [CALL, 'v2 = add.i32 v1 v0', 'return v2'];

describe('leaves', () => {
  it('take the place of the call, and its place in the Wasm file', () => {
    expect(inlined(CALLER, ['v1 = xor.i32 v0 v0 @90', 'return v1'])).toEqual([
      'v5 = xor.i32 v0 v0 @7',
      'jump b1() @7',
      'b1 depth=0 ():',
      'v2 = add.i32 v5 v0',
      'return v2',
    ]);
  });

  it('may branch', () => {
    const callee = [
      'br v0 b1() b2()',
      'b1 depth=0 ():',
      'return v0',
      'b2 depth=0 ():',
      'v1 = clz.i32 v0',
      'return v1',
    ];
    const lines = inlined(CALLER, callee);
    expect(lines.filter((l) => l.startsWith('b'))).toHaveLength(4);
    expect(lines.join()).not.toContain('call');
  });

  it.each([
    ['may trap', ['v1 = load.i32 v0 width=4', 'return v1']],
    ['call', ['v1 = call.i32 v0 index=2 sig=(i32)->(i32)', 'return v1']],
    ['loop', ['jump b1()', 'b1 depth=1 ():', 'br v0 b1() b2()', 'b2 depth=0 ():', 'return v0']],
    ['do a lot', [...Array.from({ length: 13 }, (_, i) => `v${i + 1} = clz.i32 v${i}`), 'return v13']],
  ])('stay calls if they %s', (_, callee) => {
    expect(inlined(CALLER, callee)).toEqual(CALLER);
  });

  it('stay calls if they are not known', () => {
    expect(inlined(CALLER, undefined)).toEqual(CALLER);
  });
});

describe('recursion', () => {
  const self = (calls: number) => [
    'br v0 b1() b2()',
    'b1 depth=0 ():',
    ...Array.from({ length: calls }, (_, i) => `v${i + 1} = call.i32 v${i} sig=(i32)->(i32) @${i + 1}`),
    `return v${calls}`,
    'b2 depth=0 ():',
    'return v0',
  ];
  const calls = (lines: string[]) => lines.filter((l) => l.includes('call.i32')).length;

  it('is unrolled within a bound', () => {
    expect(calls(inlined(self(1), undefined, true))).toBe(1);
    expect(calls(inlined(self(2), undefined, true))).toBe(64);
    expect(calls(inlined(self(4), undefined, true))).toBe(64);
    const places = inlined(self(2), undefined, true).filter((l) => l.includes('call'));
    expect(new Set(places.map((l) => l.split('@')[1]))).toEqual(new Set(['1', '2']));
  });

  it('is left alone where frames are to be seen', () => {
    expect(inlined(self(2), undefined, false)).toEqual(self(2));
  });

  it('is left alone if it makes tail calls', () => {
    const code = ['v1 = call.i32 v0 sig=(i32)->(i32)', 'tailcall v1 sig=(i32)->(i32)'];
    expect(inlined(code, undefined, true)).toEqual(code);
  });
});
