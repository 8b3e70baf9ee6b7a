// The fixed memory model natively: operators in the shapes that fold memory operands, accesses at the borders of
// memory, random programs. The kernel's code differs from a hosted program's in its addressing, in its context and in
// doing without SSE4.1 and POPCNT.

import { expect, test } from 'vitest';
import { addressCalls, loadCalls, SECOND_PAGE, storeCalls } from './accesses.ts';
import { makeFixedProgram } from './fixed.ts';
import { type Call, compareAnswers, signatures } from './harness.ts';
import { callAll, instantiate } from './node.ts';
import { OPERATORS } from './operators.ts';
import { addProgram, finishModule, startModule } from './program.ts';
import { acrossCalls, addOperandMemory, loads, plain, pressure, type Shape, updates } from './shapes.ts';
import { Random } from './values.ts';
import { ModuleBuilder } from './wasm.ts';

const SEED = Number(process.env.SEED ?? 1);
const PROGRAMS = Number(process.env.N ?? 60);

function expectSameFixed(name: string, module: ModuleBuilder, calls: Call[]): void {
  expect(calls.length).toBeGreaterThan(0);
  const wanted = callAll(instantiate(module.build({ bits: true })), signatures(module), calls);
  compareAnswers(makeFixedProgram(`fixed-${name}`, module), signatures(module), calls, wanted);
}

const SHAPES: [string, (module: ModuleBuilder) => Shape][] = [
  ['plain', () => plain],
  ['loads', () => loads],
  ['updates', () => updates],
  ['pressure', () => pressure],
  ['calls', acrossCalls],
];

test.each(SHAPES)('fixed model: operators, %s', (name, shapeFor) => {
  const module = new ModuleBuilder();
  addOperandMemory(module);
  const shape = shapeFor(module);
  expectSameFixed(
    `operators-${name}`,
    module,
    OPERATORS.flatMap((operator) => shape(module, operator)),
  );
});

test.each([
  ['loads', loadCalls],
  ['stores', storeCalls],
  ['addresses', addressCalls],
] as const)('fixed model: memory, %s', (name, make) => {
  const { module, calls } = make(SECOND_PAGE);
  expectSameFixed(`memory-${name}`, module, calls);
});

test(`fixed model: random programs (N=${PROGRAMS} SEED=${SEED})`, () => {
  const shared = startModule();
  const calls: Call[] = [];
  for (let seed = SEED; seed < SEED + PROGRAMS; seed++) {
    const random = new Random(seed);
    const { name, params } = addProgram(shared, random, `program ${seed}`);
    const { results } = shared.module.signature(name);
    if ([...params, ...results].some((t) => t.endsWith('ref'))) continue;
    calls.push({ name: 'reset', args: [BigInt(seed)] });
    for (let i = 0; i < 4; i++) {
      calls.push({ name, args: params.map((t) => random.bits(t as 'i32')) }, { name: 'hash', args: [] });
    }
  }
  expectSameFixed(`random-${SEED}`, finishModule(shared), calls);
});
