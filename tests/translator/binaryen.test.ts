// Modules that binaryen's fuzzer makes, natively and in Node: another generator's idea of WebAssembly. N=50 SEED=7 makes
// fifty of them. Imported functions that log become code that hashes what is logged.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { decode } from '../../build/wasm/decode.ts';
import type { WasmModule } from '../../build/wasm/module.ts';
import { UnsupportedError } from '../../build/wasm/types.ts';
import { engine } from './engine.ts';
import { type Call, compareAnswers, makeProgram, programPath } from './harness.ts';
import { callAll, instantiate } from './node.ts';
import { withoutImports } from './unimport.ts';
import { type Bits, isNan, type NumType, Random } from './values.ts';
import type { Signature, ValType } from './wasm.ts';

const COUNT = Number(process.env.N ?? 3);
const SEED = Number(process.env.SEED ?? 1);
const CALLS_PER_EXPORT = 3;
const TOOL_TIMEOUT_MS = 60_000;
const TRIES_MAX = 5;
const WASM_OPT = fileURLToPath(new URL('../../node_modules/binaryen/bin/wasm-opt', import.meta.url));

const FEATURES = [
  ...[
    'sign-ext',
    'nontrapping-float-to-int',
    'bulk-memory',
    'bulk-memory-opt',
    'mutable-globals',
    'multivalue',
  ],
  ...['reference-types', 'tail-call', 'extended-const', 'threads'],
].map((f) => `--enable-${f}`);

/** The fuzzer's module for the seed, which may import what it likes. */
function fuzz(seed: number): Uint8Array {
  const path = programPath(`binaryen-${seed}`);
  const random = new Random(seed);
  const size = 2000 + random.below(30_000);
  writeFileSync(
    `${path}.seed`,
    Uint8Array.from({ length: size }, () => random.below(256)),
  );
  const args = ['-ttf', '--denan', '--mvp-features', ...FEATURES, `${path}.seed`, '-o', `${path}.raw.wasm`];
  execFileSync('node', [WASM_OPT, ...args], { timeout: TOOL_TIMEOUT_MS });
  return new Uint8Array(readFileSync(`${path}.raw.wasm`));
}

/** A module without imports. The few that need more than yaos has, read an imported global where a defined one may
 * not stand, or trap when they start, give way to the next. */
function generate(seed: number): Uint8Array {
  for (let k = 0; k < TRIES_MAX; k++) {
    try {
      const bytes = withoutImports(fuzz(seed + k * 1_000_000));
      instantiate(bytes);
      return bytes;
    } catch (error) {
      const unusable = [UnsupportedError, engine.CompileError, engine.RuntimeError];
      if (!unusable.some((kind) => error instanceof kind)) throw error;
    }
  }
  throw new Error(`none of ${TRIES_MAX} modules from seed ${seed} on can be used`);
}

/** Functions, and globals as functions without parameters. */
function exportedSignatures(module: WasmModule): Map<string, Signature> {
  const map = new Map<string, Signature>();
  for (const { name, kind, index } of module.exports) {
    if (kind === 'func') map.set(name, module.funcs[index].type);
    if (kind === 'global') map.set(name, { params: [], results: [module.globals[index].type] });
  }
  return map;
}

function argument(random: Random, type: ValType): Bits {
  if (type === 'externref') return random.chance(0.5) ? null : BigInt(random.below(100));
  if (type === 'funcref') return null;
  for (;;) {
    const bits = random.bits(type as NumType);
    if (!isNan(type as NumType, bits)) return bits;
  }
}

const seeds = Array.from({ length: COUNT }, (_, i) => SEED + i);

test.each(seeds)('binaryen: a module from seed %i', async (seed) => {
  const bytes = generate(seed);
  const types = exportedSignatures(decode(bytes));
  const random = new Random(seed);
  const calls: Call[] = [];
  for (let round = 0; round < CALLS_PER_EXPORT; round++) {
    for (const [name, { params }] of types) {
      calls.push({ name, args: params.map((type) => argument(random, type)), nan: 'arithmetic' });
      if (types.has('logged')) calls.push({ name: 'logged', args: [] });
    }
  }
  expect(calls.length).toBeGreaterThan(0);
  const signature = (name: string) => types.get(name)!;
  const wanted = callAll(instantiate(bytes), signature, calls, false);
  const program = await makeProgram(`binaryen-${seed}`, bytes);
  try {
    compareAnswers(program, signature, calls, wanted);
  } catch (error) {
    const again = `N=1 SEED=${seed} npx vitest run tests/translator/binaryen.test.ts`;
    throw new Error(`${(error as Error).message}\nThis module: ${again}`);
  }
});
