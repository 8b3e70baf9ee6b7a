// Inlining: which calls, and what becomes of the caller. Values that the program computes are compared in
// tests/translator.

import { describe, expect, it } from 'vitest';
import type { Func } from '../../build/ir/ir.ts';
import { Locations } from '../../build/ir/locations.ts';
import { parseFunc } from '../../build/ir/parse.ts';
import { printFunc } from '../../build/ir/print.ts';
import { verify } from '../../build/ir/verify.ts';
import { type InlineLimits, inlineCalls } from '../../build/opt/inline.ts';
import { unrollRecursion } from '../../build/opt/recursion.ts';
import { makeTemplate } from '../../build/opt/template.ts';

const LIMITS = { cost_max: 8, cost_in_loop_max: 20, cost_in_inner_loop_max: 20 };

function parse(index: number, code: string[]): Func {
  const head = `func "f${index}" index=${index} (i32) -> (i32)\nb0 depth=0 (v0: i32):`;
  return parseFunc([head, ...code].join('\n'));
}

function lines(func: Func): string[] {
  verify(func, 'after inlining');
  return printFunc(func)
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => line.trim());
}

/** The caller, function 0, when function 1 has the code `callee`: (i32) -> (i32) both; and the locations. */
function inlined(
  caller: string[],
  callee: string[] | undefined,
  shared = false,
  limits: InlineLimits = LIMITS,
) {
  const func = parse(0, caller);
  const locations = new Locations();
  const template = (index: number) =>
    index === 1 && callee
      ? makeTemplate(parse(1, callee), limits.cost_in_inner_loop_max, { keepsTraps: limits.moves, shared })
      : undefined;
  inlineCalls(func, { recursion: false, limits: () => limits, template, locations });
  return { lines: lines(func), locations, func };
}

const CALL = 'v1 = call.i32 v0 index=1 sig=(i32)->(i32) @7';
const CALLER = [CALL, 'v2 = add.i32 v1 v0', 'return v2'];

describe('small functions', () => {
  it('keep no variables in their frames', () => {
    const callee = parse(1, ['slotstore v0 width=4', 'v1 = slotload.i32 width=4', 'return v1']);
    callee.slots = ['i32'];
    verify(callee, 'as parsed');
    expect(makeTemplate(callee, 100)).toBeUndefined();
  });

  it('are those within the limit', () => {
    const code = Array.from({ length: 9 }, (_, i) => `v${i + 1} = xor.i32 v${i} v${i}`);
    const calls = (cost_max: number) =>
      inlined(CALLER, [...code, 'return v9'], false, { ...LIMITS, cost_max }).lines.filter((l) =>
        l.includes('call'),
      ).length;
    expect([calls(8), calls(9)]).toEqual([1, 0]);
  });

  it('take no room of their caller if they move there', () => {
    const code = Array.from({ length: 70 }, (_, i) => `v${i + 1} = xor.i32 v${i} v${i}`);
    const twice = [CALL, 'v2 = call.i32 v1 index=1 sig=(i32)->(i32) @8', 'return v2'];
    const limits = { cost_max: 70, cost_in_loop_max: 70, cost_in_inner_loop_max: 70 };
    const calls = (moves: boolean) => {
      const { lines } = inlined(twice, [...code, 'return v70'], false, { ...limits, moves });
      return lines.filter((l) => l.includes('call')).length;
    };
    expect([calls(false), calls(true)]).toEqual([1, 0]);
  });

  it('are those within the limit of the loop that calls them', () => {
    const outer = ['jump b1(v0)', 'b1 depth=1 (v20: i32):', 'v21 = call.i32 v20 index=1 sig=(i32)->(i32) @7'];
    const inner = [
      'jump b2(v21)',
      'b2 depth=2 (v22: i32):',
      'v23 = call.i32 v22 index=1 sig=(i32)->(i32) @8',
    ];
    const ends = [
      'br v23 b2(v23) b3()',
      'b3 depth=1 ():',
      'br v23 b1(v23) b4()',
      'b4 depth=0 ():',
      'return v23',
    ];
    const code = Array.from({ length: 9 }, (_, i) => `v${i + 1} = xor.i32 v${i} v${i}`);
    const calls = (cost_in_loop_max: number, cost_in_inner_loop_max: number) =>
      inlined([...outer, ...inner, ...ends], [...code, 'return v9'], false, {
        cost_max: 0,
        cost_in_loop_max,
        cost_in_inner_loop_max,
      }).lines.filter((l) => l.includes('call')).length;
    expect([calls(8, 8), calls(8, 9), calls(9, 9)]).toEqual([2, 1, 0]);
  });

  it('take the place of the call; where they come from is known', () => {
    const { func, locations, lines } = inlined(CALLER, ['v1 = xor.i32 v0 v0 @90', 'return v1']);
    expect(lines.map((l) => l.replace(/ @.*/, ''))).toEqual([
      'v4 = xor.i32 v0 v0',
      'v2 = add.i32 v4 v0',
      'return v2',
    ]);
    const [xor] = func.blocks[0].insts;
    expect(locations.get(xor.loc)).toEqual({ offset: 90, func: 1, call: 7 });
    expect(locations.isInlined(1)).toBe(true);
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
    const { lines } = inlined(CALLER, callee);
    expect(lines.filter((l) => l.startsWith('b')).length).toBe(4);
    expect(lines.join()).not.toContain('call');
  });

  it('are called after all where they would trap, if they have written nothing', () => {
    const check = ['br v0 b1() b2()', 'b1 depth=0 ():', 'return v0', 'b2 depth=0 ():', 'v1 = const.i32 5'];
    const trap = ['v2 = call.i32 v1 index=9 sig=(i32)->(i32) @91', 'trap trap=unreachable'];
    const { lines } = inlined(CALLER, [...check, ...trap]);
    expect(lines.filter((l) => l.includes('call')).map((l) => l.replace(/^v\d+/, 'v'))).toEqual([
      'v = call.i32 v0 index=1 sig=(i32)->(i32) @7',
    ]);
    const store = 'store v0 v0 width=4';
    const other = inlined(CALLER, [store, ...check, ...trap]);
    expect(other.lines.some((l) => l.includes('index=9'))).toBe(true);
    expect(other.lines.some((l) => l.includes('index=1'))).toBe(false);
  });

  it('are not called after all if another thread may change what led to the trap', () => {
    const load = ['v1 = load.i32 v0 width=4', 'br v1 b1() b2()', 'b1 depth=0 ():', 'return v0'];
    const callee = [...load, 'b2 depth=0 ():', 'trap trap=unreachable'];
    expect(inlined(CALLER, callee).lines.join()).toContain('index=1');
    expect(inlined(CALLER, callee, true).lines.join()).not.toContain('index=1');
  });

  it('are not called after all for what an earlier round of a loop has written', () => {
    const callee = [
      'jump b1(v0)',
      'b1 depth=1 (v1: i32):',
      'br v1 b2() b3()',
      'b2 depth=0 ():',
      'trap trap=unreachable',
      'b3 depth=1 ():',
      'store v1 v0 width=4',
      'v2 = clz.i32 v1',
      'br v2 b1(v2) b4()',
      'b4 depth=0 ():',
      'return v2',
    ];
    const { lines } = inlined(CALLER, callee);
    expect(lines.join()).toContain('store');
    expect(lines.join()).not.toContain('call');
  });

  it.each([
    ['never return', ['trap trap=unreachable']],
    ['make tail calls', ['tailcall v0 index=3 sig=(i32)->(i32)']],
    ['do a lot', [...Array.from({ length: 13 }, (_, i) => `v${i + 1} = clz.i32 v${i}`), 'return v13']],
  ])('stay calls if they %s', (_, callee) => {
    expect(inlined(CALLER, callee).lines).toEqual(CALLER);
  });

  it('stay calls if they are not known', () => {
    expect(inlined(CALLER, undefined).lines).toEqual(CALLER);
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
  const unrolled = (code: string[], recursion = true) => {
    const func = parse(0, code);
    unrollRecursion(func, {
      limits: () => LIMITS,
      recursion,
      template: () => undefined,
      locations: new Locations(),
    });
    return lines(func);
  };
  const calls = (of: string[]) => of.filter((l) => l.includes('call.i32')).length;

  it('is unrolled within a bound', () => {
    expect(calls(unrolled(self(1)))).toBe(1);
    expect(calls(unrolled(self(2)))).toBeGreaterThan(30);
    expect(calls(unrolled(self(2)))).toBeLessThan(200);
  });

  it('is left alone where the space is wanted for something else', () => {
    expect(unrolled(self(2), false)).toEqual(self(2));
  });

  it('is left alone if it makes tail calls', () => {
    const code = ['v1 = call.i32 v0 sig=(i32)->(i32)', 'tailcall v1 sig=(i32)->(i32)'];
    expect(unrolled(code)).toEqual(code);
  });
});
