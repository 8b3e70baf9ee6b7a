// Batches of random programs, each translated with all passes and with some left out; a failure is brought down to one
// program, to the pass that is to blame, and to a small case in cases/.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OPTIONAL_PASSES } from '../../build/translate.ts';
import { engine } from '../translator/engine.ts';
import { wat } from '../wasm/wat.ts';
import { execute, type Failure, prepare } from './execute.ts';
import { BATCH, generate } from './generate.ts';
import { type Fails, reduce } from './reduce.ts';
import { flat, type Node, parse, pretty } from './text.ts';

export const CASES = join(import.meta.dirname, 'cases');
const REDUCTION_MS_MAX = 120_000;

export interface Range {
  start: number;
  end: number;
}

/** For many programs: each is translated once, with all passes, and only its answers are looked at. */
const quick = process.env.QUICK === '1';

/** Cut at multiples of the batch's size, so that a seed is always translated in the same ways. */
export function batches(seed: number, count: number): Range[] {
  const list: Range[] = [];
  for (let start = seed; start < seed + count; ) {
    const end = Math.min(seed + count, start - (start % BATCH) + BATCH);
    list.push({ start, end });
    start = end;
  }
  return list;
}

/** What to leave out: nothing, and then each pass in turn, or all of them. */
function variants({ start }: Range): string[][] {
  if (quick) return [[]];
  const turns = [...OPTIONAL_PASSES.map((pass) => [pass]), [...OPTIONAL_PASSES]];
  return [[], turns[Math.floor(start / BATCH) % turns.length]];
}

/** Undefined, or the whole report of a failure. */
export async function fuzz(range: Range): Promise<string | undefined> {
  const subject = prepare(wat(generate(range.start, range.end)));
  for (const disabled of variants(range)) {
    const failure = await execute(subject, disabled, !quick);
    if (failure) return report(await isolate(range, disabled, failure), failure, disabled);
  }
  return undefined;
}

interface Found {
  text: string;
  failure: Failure;
  seeds: Range;
}

/** The one program that fails alone, or all of them if none does; undefined: nothing fails again. */
async function isolate(range: Range, disabled: string[], failure: Failure): Promise<Found | undefined> {
  const seeds = Array.from({ length: range.end - range.start }, (_, i) => range.start + i);
  const named = Number(failure.name?.slice(1));
  for (const seed of [...seeds.filter((s) => s === named), ...seeds]) {
    const text = generate(seed, seed + 1);
    const alone = await execute(prepare(wat(text)), disabled);
    if (alone) return { text, failure: alone, seeds: { start: seed, end: seed + 1 } };
  }
  const text = generate(range.start, range.end);
  const again = await execute(prepare(wat(text)), disabled);
  return again && { text, failure: again, seeds: range };
}

async function report(found: Found | undefined, first: Failure, disabled: string[]): Promise<string> {
  if (!found) return `It did not fail again, alone or together: ${first.kind}: ${first.message}`;
  const { text, failure, seeds } = found;
  const small = await reduce(parse(text), failsLike(failure, disabled), Date.now() + REDUCTION_MS_MAX);
  const bytes = wat(flat(small));
  const left = await execute(prepare(bytes), disabled);
  const without = disabled.length > 0 ? `without ${disabled.join()}` : 'with all passes';
  const facts = [
    `Found by make fuzz N=${seeds.end - seeds.start} SEED=${seeds.start}, ${without}.`,
    (left ?? failure).message.split('\n')[0],
    await blame(bytes, disabled),
  ];
  const path = join(CASES, `seed-${seeds.start}.wat`);
  mkdirSync(CASES, { recursive: true });
  writeFileSync(path, `${facts.map((f) => `;; ${f}\n`).join('')}${pretty(small)}\n`);
  return `${path}\n${facts.join('\n')}\n${pretty(small)}`;
}

function failsLike(failure: Failure, disabled: string[]): Fails {
  return async (node: Node) => {
    let subject: ReturnType<typeof prepare>;
    try {
      const bytes = wat(flat(node));
      if (!engine.validate(bytes)) return false;
      subject = prepare(bytes);
    } catch {
      return false; // not a module any more, or one that does not end
    }
    return (await execute(subject, disabled))?.kind === failure.kind;
  };
}

/** The passes without which it does not fail. */
async function blame(bytes: Uint8Array, disabled: string[]): Promise<string> {
  const subject = prepare(bytes);
  const guilty: string[] = [];
  for (const pass of OPTIONAL_PASSES.filter((p) => !disabled.includes(p))) {
    if (!(await execute(subject, [...disabled, pass]))) guilty.push(pass);
  }
  if (guilty.length > 0) return `Does not fail without ${guilty.join(' or without ')}.`;
  return 'Fails without any one of the passes too: look at selection, register allocation and emission.';
}
