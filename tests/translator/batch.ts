// Modules of many random programs with the calls to make: what random.test.ts and fixed.test.ts have in common.

import type { Call } from './node.ts';
import { addProgram, finishModule, startModule } from './program.ts';
import { type Bits, type NumType, Random } from './values.ts';
import type { ModuleBuilder, ValType } from './wasm.ts';

const PROGRAMS_PER_MODULE = 75;
const CALLS_PER_PROGRAM = 4;

export interface Batch {
  module: ModuleBuilder;
  calls: Call[];
  /** The seed of the program that a failure's message is about. */
  seedOf(message: string): number;
}

/** The seeds of the first program of each module, for `count` programs from `seed` on. */
export function batchStarts(seed: number, count: number): { start: number; end: number }[] {
  return Array.from({ length: Math.ceil(count / PROGRAMS_PER_MODULE) }, (_, i) => {
    const start = seed + i * PROGRAMS_PER_MODULE;
    return { start, end: Math.min(start + PROGRAMS_PER_MODULE, seed + count) };
  });
}

/** A program depends on nothing but its seed: memory and globals are set before each one's calls. */
export function makeBatch(start: number, end: number): Batch {
  const shared = startModule();
  const calls: Call[] = [];
  const firstFunctions: number[] = [];
  for (let seed = start; seed < end; seed++) {
    const random = new Random(seed);
    firstFunctions.push(shared.module.nextFunction);
    const { name, params } = addProgram(shared, random, `program ${seed}`);
    calls.push({ name: 'reset', args: [BigInt(seed)] });
    for (let i = 0; i < CALLS_PER_PROGRAM; i++) {
      calls.push({ name, args: params.map((type) => argument(random, type)) }, { name: 'hash', args: [] });
    }
  }
  const seedOf = (message: string) => {
    const program = /program (\d+)/.exec(message);
    if (program) return Number(program[1]);
    const func = Number(/func\[(\d+)\]/.exec(message)?.[1] ?? firstFunctions[0]);
    return start + firstFunctions.filter((f) => f <= func).length - 1;
  };
  return { module: finishModule(shared), calls, seedOf };
}

function argument(random: Random, type: ValType): Bits {
  if (type === 'externref') return random.chance(0.3) ? null : BigInt(random.below(100));
  return random.bits(type as NumType);
}
