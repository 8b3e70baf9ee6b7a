// From each number a file and the options it is compiled with. What is found is made small and kept as a case.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSourceMap, type SourceMap } from '../../build/object/sourcemap.ts';
import { OPTIONAL_PASSES, type TranslateOptions } from '../../build/translate.ts';
import { Random } from '../translator/values.ts';
import { type Finding, judge, type Verdict } from './judge.ts';
import { MONSTERS } from './monsters.ts';
import { mutate } from './mutate.ts';
import type { Bytes } from './parts.ts';
import { reduce } from './reduce.ts';

export const CASES = join(import.meta.dirname, 'cases');
const REDUCTION_MS_MAX = 60_000;
/** A large module is changed once in so many times: one takes as long as a hundred small ones. */
const LARGE_ONCE = 100;
/** As often there is a monster instead, up to this size. */
const MONSTER_SIZE_MAX = 20_000;
/** The translator's check of its own work may take longer than the translation. */
const VERIFIED_BYTES_MAX = 16_384;
/** Of mappings in source maps: forward, backward, without a source, to sources that are not there. */
const SEGMENTS = [
  'CAAA',
  'EACA',
  'gBAAC',
  'CAADD',
  'C',
  'wHACE',
  'DAAA',
  'CCAA',
  'CAgggggD',
  'C//',
  ';',
  ',',
  'gggggggE',
];

export interface Corpus {
  small: Bytes[];
  large: Bytes[];
}

interface Case {
  bytes: Bytes;
  options: TranslateOptions;
}

export type Counts = Record<Verdict['outcome'], number>;

export function caseOf(seed: number, { small, large }: Corpus): Case {
  const random = new Random(seed);
  const kind = large.length > 0 ? random.below(LARGE_ONCE) : LARGE_ONCE;
  const monster = kind === 0 ? MONSTERS[random.pick(Object.keys(MONSTERS))]! : undefined;
  const base = monster
    ? monster(1 + random.below(MONSTER_SIZE_MAX))
    : random.pick(kind === 1 ? large : small);
  const bytes = monster && random.chance(0.5) ? base : mutate(base, small, random);
  return { bytes, options: optionsOf(random, bytes) };
}

function optionsOf(random: Random, { length }: Bytes): TranslateOptions {
  const memory = random.pick(['register', 'fixed'] as const);
  return {
    memory,
    verify: random.chance(0.25) && length < VERIFIED_BYTES_MAX,
    sourceMap: random.chance(0.15) ? sourceMap(random) : undefined,
    listing: random.chance(0.1),
    packTables: memory === 'fixed' && random.chance(0.1),
    disabledPasses: new Set(random.chance(0.1) ? [random.pick(OPTIONAL_PASSES)] : []),
  };
}

function sourceMap(random: Random): SourceMap {
  const usual = random.below(3);
  const mappings = Array.from({ length: random.below(300) }, () =>
    random.pick(usual ? SEGMENTS.slice(0, 3) : SEGMENTS),
  ).join();
  return parseSourceMap(JSON.stringify({ version: 3, sources: ['a.ts', null, 'b\n.ts'], mappings }), 'map');
}

/** Counts what came of it; the whole report of what must not be. */
export function attempt(seed: number, corpus: Corpus, counts: Counts): string | undefined {
  const one = caseOf(seed, corpus);
  const { outcome, finding } = judge(one.bytes, one.options);
  counts[outcome]++;
  return finding && report(seed, one, finding);
}

function report(seed: number, one: Case, finding: Finding): string {
  const { memory } = one.options;
  const small = finding.kind === 'hang' ? one.bytes : shrink(one, finding);
  const path = join(CASES, `${finding.kind}-${memory}-${seed}.wasm`);
  mkdirSync(CASES, { recursive: true });
  writeFileSync(path, small);
  return `SEED=${seed} --memory ${memory}: ${finding.kind}: ${finding.message}\n${path}: ${small.length} bytes of ${one.bytes.length}`;
}

/** The smallest file that was found to fail in the same way. */
function shrink({ bytes, options }: Case, finding: Finding): Bytes {
  const same = (candidate: Bytes) => {
    const again = judge(candidate, options).finding;
    return again !== undefined && headline(again) === headline(finding);
  };
  return reduce(bytes, same, Date.now() + REDUCTION_MS_MAX);
}

/** Without numbers, which change with the size. */
function headline({ kind, message }: Finding): string {
  return `${kind} ${message.split('\n')[0].replaceAll(/\d+/g, 'N')}`;
}
