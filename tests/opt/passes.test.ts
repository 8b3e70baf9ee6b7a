// The passes: the builder's test programs again, optimised, with each pass alone, with each one left out, and together.

import { describe, expect, it } from 'vitest';
import { optimise, PASSES } from '../../build/opt/passes.ts';
import { compare } from '../ir/differential.ts';
import { PROGRAMS } from '../ir/programs.ts';
import { wat } from '../wasm/wat.ts';

const ALL = PASSES.map((p) => p.name);

function check(disabled: string[]): void {
  for (const source of Object.values(PROGRAMS)) {
    const bytes = wat(source);
    for (const n of [0, 1, 3, 8, 65535, -1]) {
      const compared = compare(bytes, {
        argument: (type) => (type === 'i64' ? BigInt(n) : type.endsWith('ref') ? null : n),
        transform: (f) => optimise(f, { verify: true, disabled: new Set(disabled) }),
      });
      expect(compared).toBeGreaterThan(0);
    }
  }
}

describe('passes against Node', () => {
  it('all together', () => check([]));
  for (const name of ALL) {
    it(`only ${name}`, () => check(ALL.filter((other) => other !== name)));
    it(`without ${name}`, () => check([name]));
  }
});
