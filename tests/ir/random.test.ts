// Random programs, run as IR by the interpreter and in Node: once as built and once optimised, both verified. What
// fails here is the front end's fault, not the back end's. N=100 SEED=7 runs programs 7 … 106.

import { expect, test } from 'vitest';
import type { Func } from '../../build/ir/ir.ts';
import { verify } from '../../build/ir/verify.ts';
import { optimise } from '../../build/opt/passes.ts';
import { addProgram, finishModule, startModule } from '../translator/program.ts';
import { type NumType, Random } from '../translator/values.ts';
import { compare } from './differential.ts';

const COUNT = Number(process.env.N ?? 20);
const SEED = Number(process.env.SEED ?? 1);

const verified = (f: Func) => verify(f, 'after build');
const optimised = (f: Func) => optimise(f, { verify: true });

test.each([
  { how: 'as built', transform: verified },
  { how: 'optimised', transform: optimised },
  { how: 'with locals in the frame', transform: optimised, edgeArgumentsMax: 0 },
])(`programs from seed ${SEED}, $how`, ({ transform, edgeArgumentsMax }) => {
  let calls = 0;
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const shared = startModule();
    const random = new Random(seed);
    addProgram(shared, random, `program ${seed}`);
    const bytes = finishModule(shared).build();
    try {
      const options = { argument: (type: string) => argument(type, random), transform, edgeArgumentsMax };
      calls += compare(bytes, options);
    } catch (e) {
      throw new Error(`N=1 SEED=${seed} npx vitest run tests/ir/random.test.ts: ${(e as Error).message}`, {
        cause: e,
      });
    }
  }
  expect(calls).toBeGreaterThan(COUNT);
});

function argument(type: string, random: Random): number | bigint | null {
  if (type.endsWith('ref')) return null;
  const bits = random.bits(type as NumType);
  if (type === 'i64') return BigInt.asIntN(64, bits);
  if (type === 'i32') return Number(BigInt.asIntN(32, bits));
  const view = new DataView(new ArrayBuffer(8));
  if (type === 'f32') view.setUint32(0, Number(bits));
  else view.setBigUint64(0, bits);
  return type === 'f32' ? view.getFloat32(0) : view.getFloat64(0);
}
