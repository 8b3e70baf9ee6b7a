// The allocator on thousands of random functions, each result proved by the checker, with few registers and with the
// real set.

import { describe, it } from 'vitest';
import { CALLEE_SAVED, type MFunc, type RegEnv, SLOT0 } from '../../build/x64/mir.ts';
import { checkAllocation } from '../../build/x64/regalloc/check.ts';
import { copyForComparison } from '../../build/x64/regalloc/contents.ts';
import { allocate } from '../../build/x64/regalloc/index.ts';
import type { Patience } from '../../build/x64/regalloc/liveness.ts';
import { generate, registersOf, regSet, type Shape } from './generate.ts';

const FULL: RegEnv = { allocatable: ~(regSet([4, 31]) | 0) >>> 0, calleeSaved: CALLEE_SAVED };
const PINNED: RegEnv = { allocatable: (FULL.allocatable & ~regSet([15])) >>> 0, calleeSaved: CALLEE_SAVED };
const FOUR: RegEnv = { allocatable: regSet([0, 1, 2, 3, 16, 17, 18, 19]), calleeSaved: regSet([3]) };
const CALLER_ONLY: RegEnv = { allocatable: regSet([0, 1, 2, 6, 16, 17, 18]), calleeSaved: 0 };

/** Every value that leaves its block is live in one stretch. */
const HULLS: Patience = { steps: 0, few: 0, stretches: 0 };

function check(seed: number, env: RegEnv, shape: Shape, patience?: Patience): void {
  const func = generate(seed, env, shape);
  const before = copyForComparison(func);
  try {
    allocate(func, env, patience);
    checkAllocation(before, func);
    inBounds(func, env);
  } catch (error) {
    throw new Error(`seed ${seed}, registers ${registersOf(env.allocatable)}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Looks at every operand for registers that are not to be allocated and slots that do not exist. */
function inBounds(func: MFunc, env: RegEnv): void {
  for (const b of func.blocks) {
    for (const inst of b.insts) {
      for (const { loc } of inst.ops) {
        if (loc < 31 && !((env.allocatable >>> loc) & 1))
          throw new Error(`register ${loc} is not allocatable`);
        if (loc >= SLOT0 + func.spillSlots) throw new Error(`slot ${loc - SLOT0} of ${func.spillSlots}`);
      }
    }
  }
}

const SHAPES: [string, number, Shape][] = [
  ['small', 600, { size: 30, pressure: 8, floats: 25 }],
  ['crowded', 150, { size: 120, pressure: 40, floats: 40 }],
  ['large', 12, { size: 900, pressure: 24, floats: 30 }],
];

for (const [name, env] of Object.entries({
  full: FULL,
  pinned: PINNED,
  four: FOUR,
  'caller-saved only': CALLER_ONLY,
})) {
  describe(`${name} registers`, () => {
    for (const [shapeName, count, shape] of SHAPES) {
      it(`${count} ${shapeName} functions`, () => {
        for (let seed = 1; seed <= count; seed++) check(seed, env, shape);
      });
    }
  });
}

describe('values that are live in one stretch', () => {
  for (const [shapeName, count, shape] of SHAPES) {
    it(`${count >> 2} ${shapeName} functions`, () => {
      for (let seed = 1; seed <= count >> 2; seed++) {
        check(seed, FULL, shape, HULLS);
        check(seed, FOUR, shape, HULLS);
      }
    });
  }
});
