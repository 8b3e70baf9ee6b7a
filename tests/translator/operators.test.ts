// Every numeric operator, natively and in Node, over all pairs of edge cases and in every shape that the selector
// may fold. One program a shape: linking costs more than calling.

import { expect, test } from 'vitest';
import { type Call, expectSame } from './harness.ts';
import { OPERATORS } from './operators.ts';
import * as shapes from './shapes.ts';
import { ModuleBuilder } from './wasm.ts';

const SHAPES: [string, (module: ModuleBuilder) => shapes.Shape][] = [
  ['plain', () => shapes.plain],
  ['same', () => shapes.same],
  ['constants', () => shapes.constants],
  ['loads', () => shapes.loads],
  ['updates', () => shapes.updates],
  ['users', () => shapes.users],
  ['loaded-conditions', () => shapes.loadedConditions],
  ['pairs', () => shapes.pairs],
  ['pressure', () => shapes.pressure],
  ['calls', shapes.acrossCalls],
  ['moved', () => shapes.moved],
  ['chains', () => shapes.chains],
];

test.each(SHAPES)('operators: %s', async (name, shapeFor) => {
  const module = new ModuleBuilder();
  shapes.addOperandMemory(module);
  const shape = shapeFor(module);
  const calls: Call[] = OPERATORS.flatMap((operator) => shape(module, operator));
  expect(calls.length).toBeGreaterThan(0);
  await expectSame(`operators-${name}`, module, calls);
});
