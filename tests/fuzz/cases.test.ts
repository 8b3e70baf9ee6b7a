// Programs that once were translated wrongly, as make fuzz found and reduced them: with all passes, without each, and
// without any.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OPTIONAL_PASSES } from '../../build/translate.ts';
import { wat } from '../wasm/wat.ts';
import { execute, prepare } from './execute.ts';
import { CASES } from './fuzz.ts';

const names = readdirSync(CASES).filter((name) => name.endsWith('.wat'));

test.each(names)('%s', async (name) => {
  const subject = prepare(wat(readFileSync(join(CASES, name), 'utf8'), name));
  for (const disabled of [[], ...OPTIONAL_PASSES.map((pass) => [pass]), OPTIONAL_PASSES]) {
    expect(await execute(subject, disabled), `without ${disabled.join()}`).toBeUndefined();
  }
});
