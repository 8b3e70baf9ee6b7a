// The fixed memory model natively: operators in the shapes that fold memory operands, accesses at the borders of
// memory, random programs. The kernel's code differs from a hosted program's in its addressing, in its context and in
// doing without SSE4.1 and POPCNT.

import { expect, test } from 'vitest';
import { addressCalls, loadCalls, SECOND_PAGE, storeCalls } from './accesses.ts';
import { batchStarts, makeBatch } from './batch.ts';
import { makeFixedProgram } from './fixed.ts';
import { type Call, compareAnswers, signatures } from './harness.ts';
import { callAll, instantiate } from './node.ts';
import { OPERATORS } from './operators.ts';
import { acrossCalls, addOperandMemory, loads, plain, pressure, type Shape, updates } from './shapes.ts';
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

test.each(batchStarts(SEED, PROGRAMS))('fixed model: random programs, SEED=$start', ({ start, end }) => {
  const { module, calls } = makeBatch(start, end);
  const textForm = ({ name }: Call) => {
    const { params, results } = module.signature(name);
    return ![...params, ...results].some((type) => type.endsWith('ref'));
  };
  expectSameFixed(`random-${start}`, module, calls.filter(textForm));
});
