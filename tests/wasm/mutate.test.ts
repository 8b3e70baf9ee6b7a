// Damaged files: bytes of valid modules are changed at random. Whatever comes out is refused with a WasmError, or
// it is valid and translates to well-formed IR.

import { expect, it } from 'vitest';
import { buildFunction } from '../../build/ir/build.ts';
import { buildInit } from '../../build/ir/init.ts';
import { layOutContext } from '../../build/object/layout.ts';
import { optimise } from '../../build/opt/passes.ts';
import { WasmError } from '../../build/wasm/module.ts';
import { readModule } from '../../build/wasm/validate.ts';
import { PROGRAMS } from '../ir/programs.ts';
import { Random, seedFor } from './random.ts';
import { wat } from './wat.ts';

const MUTATIONS_PER_PROGRAM = 300;

it('survives damage', () => {
  const seed = seedFor('mutate');
  const random = new Random(seed);
  let valid = 0;
  for (const source of Object.values(PROGRAMS)) {
    const original = wat(source);
    for (let i = 0; i < MUTATIONS_PER_PROGRAM; i++) {
      const bytes = mutate(original, random);
      try {
        translate(bytes);
        valid++;
      } catch (e) {
        if (!(e instanceof WasmError))
          throw new Error(`seed ${seed}: ${Buffer.from(bytes).toString('hex')}`, { cause: e });
      }
    }
  }
  expect(valid).toBeGreaterThan(100);
});

function mutate(original: Uint8Array, random: Random): Uint8Array {
  const bytes = Uint8Array.from(original);
  for (let n = 1 + random.below(3); n > 0; n--) {
    const at = 8 + random.below(bytes.length - 8);
    bytes[at] = random.below(3) === 0 ? bytes[at] ^ (1 << random.below(8)) : random.below(256);
  }
  return random.below(20) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
}

function translate(bytes: Uint8Array): void {
  const module = readModule(bytes);
  const env = { module, layout: layOutContext(module), model: 'register' as const, isIntrinsic: () => false };
  for (const f of module.funcs) if (f.body) optimise(buildFunction(env, f.index), { verify: true });
  optimise(buildInit(env, (i) => `f${i}`).func, { verify: true });
}
