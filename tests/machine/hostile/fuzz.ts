// Runs one seed after the other; a failure is made small and told.

import type { Kernel } from '../../../machine/index.ts';
import { type Outcome, run } from './run.ts';
import { type Scenario, scenarioOf } from './scenario.ts';

/** What to say of the first seed in a range that fails; undefined: none does. */
export function fuzz(first: number, end: number, kernel: Kernel): string | undefined {
  for (let seed = first; seed < end; seed++) {
    const scenario = scenarioOf(seed);
    const { failure } = run(scenario, kernel);
    if (failure !== undefined)
      return report(
        reduce(scenario, (small) => run(small, kernel).failure !== undefined),
        kernel,
      );
  }
  return undefined;
}

/** Leaves away each malice without which it fails too. */
export function reduce(scenario: Scenario, fails: (small: Scenario) => boolean): Scenario {
  let small = scenario;
  for (const malice of scenario.malices) {
    const without = { ...small, malices: small.malices.filter((other) => other !== malice) };
    if (fails(without)) small = without;
  }
  return small;
}

function report(scenario: Scenario, kernel: Kernel): string {
  const { failure, result }: Outcome = run(scenario, kernel);
  const { seed, machine, bridges, disk, malices } = scenario;
  const log = result.lines.filter((line) => !/^(~|addr:|pci: 0000:00:(00|01|1f))/.test(line));
  return [
    `make fuzz-drivers N=1 SEED=${seed} fails: ${failure}`,
    `malices: ${malices.map((malice) => JSON.stringify(malice)).join(', ') || 'none'}`,
    `machine: ${JSON.stringify({ ...machine, bridges })}`,
    `disk: ${JSON.stringify(disk)}`,
    `${result.end} after ${result.steps} steps, ${Math.round(result.time_ns / 1e6)} ms`,
    ...log,
  ].join('\n');
}
