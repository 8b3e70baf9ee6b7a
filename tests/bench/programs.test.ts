// The benchmark's programs in AssemblyScript and C, with little to do: our program must compute what Node's engine does
// and, for the known algorithms, what an independent implementation does.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { makeModule, missingForC } from '../../build/bench/modules.ts';
import { type BenchProgram, PROGRAMS } from '../../build/bench/programs.ts';
import { makeExe } from '../../build/host/exe.ts';
import { run } from '../hosted/program.ts';
import { engine } from '../translator/engine.ts';

const missing = missingForC();
if (missing !== undefined) console.log(`benchmark programs in C are not tested: ${missing}`);

async function compute(program: BenchProgram): Promise<{ ours: bigint; engines: bigint }> {
  const module = await makeModule(program);
  const exe = `${module}.exe`;
  await makeExe(module, exe, {});
  const { stdout, stderr } = run(exe, ['run', String(program.smoke)]);
  expect(stderr).toBe('');
  const { exports } = new engine.Instance(new engine.Module(readFileSync(module)), {});
  const call = exports.run as (count: number) => bigint;
  const first = call(program.smoke);
  expect(call(program.smoke), 'a second run').toBe(first); // the benchmark runs it several times
  return { ours: BigInt(stdout.trim().split(':')[1]), engines: BigInt.asUintN(64, first) };
}

for (const program of PROGRAMS.filter(({ source }) => source.kind !== 'real')) {
  const skipped = program.source.kind === 'c' && missing !== undefined;
  it.skipIf(skipped)(program.name, async () => {
    const { ours, engines } = await compute(program);
    expect(ours).toBe(engines);
    if (program.oracle) expect(ours).toBe(program.oracle(program.smoke, ours));
  });
}
