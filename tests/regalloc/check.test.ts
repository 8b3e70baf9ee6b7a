// The checker itself: how much it carries from block to block, and that it misses nothing by carrying no more.

import { expect, test, vi } from 'vitest';
import { CALLEE_SAVED, type MFunc, type RegEnv } from '../../build/x64/mir.ts';
import { checkAllocation } from '../../build/x64/regalloc/check.ts';
import { BlockWalk, copyForComparison } from '../../build/x64/regalloc/contents.ts';
import { allocate } from '../../build/x64/regalloc/index.ts';
import { Spans } from '../../build/x64/regalloc/spans.ts';
import { generate, Random, regSet } from './generate.ts';
import { allocated } from './program.ts';

/** Loops in loops, all with one variable, which has another name in each. */
function loopsInLoops(n: number): string {
  const headers = Array.from({ length: n }, (_, i) => {
    const inside = i + 1 < n ? i + 2 : n + 1;
    return `
      ${i + 1}(p${i}) @10
        jmp ${inside}(p${i})`;
  });
  const ends = Array.from({ length: n }, (_, k) => {
    const [b, i] = [n + 1 + 3 * k, n - 1 - k];
    return `
      ${b}(q${i}) @10
        r${i} = add q${i} c
        br c -> ${b + 1}() ${b + 2}()
      ${b + 1} @9
        jmp ${i + 1}(r${i})
      ${b + 2} @10
        jmp ${b + 3}(r${i})`;
  });
  return `
      0 @1
        c:rdi = entry
        v = imm
        jmp 1(v)
      ${headers.join('')}
      ${ends.join('')}
      ${4 * n + 1}(x) @1
        ret x`;
}

/** How many values are in all locations, of all blocks each time that they are walked. */
function values(n: number): number {
  const run = vi.spyOn(BlockWalk.prototype, 'run');
  let count = 0;
  run.mockImplementation(function (this: BlockWalk) {
    for (const held of this.state.values()) count += held.length;
    return original.call(this);
  });
  allocated(loopsInLoops(n));
  run.mockRestore();
  return count;
}

const original = BlockWalk.prototype.run;

test('values are carried in proportion to the function, however many loops are around them', () => {
  expect(values(100)).toBeGreaterThan(300); // blocks
  expect(values(400)).toBeLessThan(2.2 * values(200));
});

const FOUR: RegEnv = {
  allocatable: regSet([0, 1, 2, 3, 16, 17, 18, 19]),
  calleeSaved: CALLEE_SAVED & regSet([3]),
};

function verdict(before: MFunc, after: MFunc): string {
  try {
    checkAllocation(before, after);
    return 'right';
  } catch (error) {
    return (error as Error).message.replace(/ in location .*/, '');
  }
}

test('what is wrong in 100 functions is found as by following all values everywhere', () => {
  let wrong = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const func = generate(seed, FOUR, { size: 60, pressure: 10, floats: 20 });
    const before = copyForComparison(func);
    allocate(func, FOUR);
    const all = func.blocks.flatMap((b) => b.insts.flatMap((inst) => inst.ops));
    const [one, other] = [all[random.below(all.length)], all[random.below(all.length)]];
    one.loc = other.loc;
    const found = verdict(before, func);
    const spans = vi.spyOn(Spans.prototype, 'reaches').mockReturnValue(true);
    expect(verdict(before, func), `seed ${seed}`).toBe(found);
    spans.mockRestore();
    if (found !== 'right') wrong++;
  }
  expect(wrong).toBeGreaterThan(50);
});
