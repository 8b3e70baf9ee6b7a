// Random programs, natively and in Node: results, traps, and memory and globals after every call. N=1000 SEED=7 runs
// programs 7 … 1006; a program depends on nothing but its seed.

import { test } from 'vitest';
import { type Call, expectSame } from './harness.ts';
import { addProgram, finishModule, startModule } from './program.ts';
import { type Bits, type NumType, Random } from './values.ts';

const COUNT = Number(process.env.N ?? 300);
const SEED = Number(process.env.SEED ?? 1);
const PROGRAMS_PER_MODULE = 75;
const CALLS_PER_PROGRAM = 4;

const starts = Array.from(
  { length: Math.ceil(COUNT / PROGRAMS_PER_MODULE) },
  (_, i) => SEED + i * PROGRAMS_PER_MODULE,
);

test.each(starts)('random programs from seed %i', async (start) => {
  const shared = startModule();
  const calls: Call[] = [];
  const firstFunctions: number[] = [];
  for (let seed = start; seed < Math.min(start + PROGRAMS_PER_MODULE, SEED + COUNT); seed++) {
    const random = new Random(seed);
    firstFunctions.push(shared.module.nextFunction);
    const { name, params } = addProgram(shared, random, `program ${seed}`);
    calls.push({ name: 'reset', args: [BigInt(seed)] });
    for (let i = 0; i < CALLS_PER_PROGRAM; i++) {
      const args = params.map((type): Bits => {
        if (type === 'externref') return random.chance(0.3) ? null : BigInt(random.below(100));
        return random.bits(type as NumType);
      });
      calls.push({ name, args }, { name: 'hash', args: [] });
    }
  }
  try {
    await expectSame(`random-${start}`, finishModule(shared), calls);
  } catch (error) {
    const text = (error as Error).message;
    const func = /func\[(\d+)\]/.exec(text);
    const program = func ? start + firstFunctions.filter((f) => f <= Number(func[1])).length - 1 : start;
    const seed = /program (\d+)/.exec(text)?.[1] ?? program;
    throw new Error(`${text}\nOne program: N=1 SEED=${seed} npx vitest run tests/translator/random.test.ts`);
  }
});
