// `yaos compile` on hostile files: changed modules, files that are large in one respect, and what was found before. `make fuzz-wasm SECONDS=600
// SEED=1` goes on for as long as it is told to, and leaves what it finds in cases/. A small share goes through the command itself.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { translate } from '../../build/translate.ts';
import { root } from '../kernel/compile.ts';
import { engine } from '../translator/engine.ts';
import { attempt, CASES, type Counts, caseOf } from './campaign.ts';
import { largeModules, smallModules } from './corpus.ts';
import { judge } from './judge.ts';
import { MONSTERS } from './monsters.ts';

const SEED = Number(process.env.SEED ?? 1);
const SECONDS = Number(process.env.SECONDS ?? 0);
const COUNT = 400;
const COMMANDS = 8;
/** In a campaign, one file in so many. */
const COMMAND_ONCE = 400;
const MONSTER_SIZE = 1500;
const HEAP_MIB_MAX = 1024;
const HEAP_MIB_SMALL = 80;
const MEMORIES = ['register', 'fixed'] as const;

const directory = mkdtempSync(join(tmpdir(), 'yaos-hostile-'));
afterAll(() => rmSync(directory, { recursive: true }));

const corpus = { small: smallModules(), large: SECONDS > 0 ? largeModules(process.env.MODULES) : [] };

/** What the command did wrong. */
function command(bytes: Uint8Array, memory: string, heap_mib = HEAP_MIB_MAX): string | undefined {
  const input = join(directory, 'in.wasm');
  const output = join(directory, 'out.o');
  writeFileSync(input, bytes);
  rmSync(output, { force: true });
  const env = { ...process.env, NODE_OPTIONS: `--max-old-space-size=${heap_mib}` };
  const args = ['compile', input, '-o', output, '--memory', memory];
  const { status, stderr } = spawnSync(join(root, 'out/yaos'), args, {
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  const made = existsSync(output);
  if (status === 0) return made && stderr === '' ? undefined : `status 0, and on standard error: ${stderr}`;
  const line = /^yaos: [^\n]+\n$/.test(stderr) && !stderr.includes('internal error');
  return status === 1 && line && !made ? undefined : `status ${status}: ${stderr}`;
}

test.runIf(SECONDS === 0)(`mutants from SEED=${SEED} on`, () => {
  const counts: Counts = { compiled: 0, invalid: 0, unsupported: 0 };
  for (let seed = SEED; seed < SEED + COUNT; seed++) expect(attempt(seed, corpus, counts) ?? '').toBe('');
  // Else it would not be much of a test.
  expect(counts.compiled).toBeGreaterThan(COUNT / 10);
  expect(counts.invalid).toBeGreaterThan(COUNT / 10);
});

test.runIf(SECONDS === 0)('the command itself', () => {
  for (let seed = SEED; seed < SEED + COMMANDS; seed++) {
    const { bytes, options } = caseOf(seed, corpus);
    expect(command(bytes, options.memory) ?? '', `SEED=${seed}`).toBe('');
  }
});

test.runIf(SECONDS > 0)(
  SECONDS > 0 ? `${SECONDS} seconds from SEED=${SEED} on` : 'a campaign: skipped, as SECONDS is not set',
  { timeout: (SECONDS + 600) * 1000 },
  () => {
    const counts: Counts = { compiled: 0, invalid: 0, unsupported: 0 };
    const start = Date.now();
    const findings: string[] = [];
    let commands = 0;
    let seed = SEED;
    for (let told = start; Date.now() < start + SECONDS * 1000; seed++) {
      const found = attempt(seed, corpus, counts);
      if (found) findings.push(found);
      if (seed % COMMAND_ONCE === 0) {
        const { bytes, options } = caseOf(seed, corpus);
        const wrong = command(bytes, options.memory);
        if (wrong) findings.push(`SEED=${seed}, the command: ${wrong}`);
        commands++;
      }
      if (found || Date.now() > told + 60_000) {
        told = Date.now();
        console.log(`${found ? `${found}\n` : ''}fuzz-wasm: ${summary()}`);
      }
    }
    console.log(`fuzz-wasm: ${summary()}`);
    expect(findings.join('\n\n')).toBe('');

    function summary(): string {
      const { compiled, invalid, unsupported } = counts;
      const done = seed - SEED + 1;
      return `SEED=${SEED}, ${done} files in ${Math.round((Date.now() - start) / 1000)} s: ${compiled} compiled, ${invalid} invalid, ${unsupported} not supported; ${commands} by the command; ${findings.length} findings`;
    }
  },
);

describe('a file that has much of', () => {
  test.each(Object.keys(MONSTERS))('%s', (name) => {
    const bytes = MONSTERS[name](MONSTER_SIZE);
    const valid = engine.validate(bytes as Uint8Array<ArrayBuffer>);
    expect(valid, 'it is to be looked at, not refused').toBe(true);
    for (const memory of MEMORIES) expect(judge(bytes, { memory, verify: true }).finding).toBeUndefined();
  });
});

test.each(Object.keys(MONSTERS).filter((name) => name.endsWith(' with many values')))(
  '%s, more than a file of that size may have',
  (name) => {
    const bytes = MONSTERS[name]!(60_000);
    expect(engine.validate(bytes as Uint8Array<ArrayBuffer>)).toBe(true);
    const translating = () => translate(bytes, { memory: 'register' });
    expect(translating).toThrow(/passing on more than \d+ values in all is not supported$/);
  },
);

// V8 would tell of its collections and its stack, and abort.
test.each([
  ['a deep stack of operands', 100_000],
  ['a long chain of loads', 100_000],
])('memory does not suffice for %s', (name, size) => {
  expect(command(MONSTERS[name]!(size), 'register', HEAP_MIB_SMALL) ?? '').toBe('');
  expect(existsSync(join(directory, 'out.o')), 'there is to be too little').toBe(false);
});

describe('once found', () => {
  const names = existsSync(CASES) ? readdirSync(CASES) : [];
  test.each(names)('%s', (name) => {
    for (const memory of MEMORIES)
      expect(judge(readFileSync(join(CASES, name)), { memory, verify: true }).finding).toBeUndefined();
  });
});
