// What each pass of the optimiser is worth: every program translated without it, against the program with all of them.
// All variants of a program run in turn.

import { join } from 'node:path';
import { UserError } from '../error.ts';
import { makeExe } from '../host/exe.ts';
import { out } from '../paths.ts';
import { OPTIONAL_PASSES } from '../translate.ts';
import { makeModule } from './modules.ts';
import { compileOurs } from './peers.ts';
import type { BenchProgram } from './programs.ts';
import { race } from './suite.ts';
import { geometricMean, printColumns, progress } from './table.ts';

const WHOLE = 'all';

interface Change {
  time: number;
  text: number;
}

export async function measureAblation(programs: readonly BenchProgram[]): Promise<void> {
  const passes = OPTIONAL_PASSES;
  const rows = [['time, size', ...passes.map((name) => `-${name}`)]];
  const measured: Map<string, Change>[] = [];
  for (const program of programs) {
    progress(`without each pass: ${program.name}`);
    try {
      const changes = await measure(program, passes);
      measured.push(changes);
      rows.push([program.name, ...passes.map((name) => cell(changes.get(name)!))]);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      rows.push([program.name, `failed: ${error.message}`]);
    }
  }
  progress('');
  if (measured.length > 0) rows.push(['geometric mean', ...passes.map((name) => cell(mean(measured, name)))]);
  printColumns(rows);
  console.log(
    'The change of a program, in percent, when a pass is left out: above 0 the pass is worth something.',
  );
}

async function measure(program: BenchProgram, passes: readonly string[]): Promise<Map<string, Change>> {
  const directory = join(out, 'bench', program.name);
  const module = await makeModule(program);
  const commands = new Map<string, string[]>();
  const text = new Map<string, number>();
  for (const name of [WHOLE, ...passes]) {
    const exe = join(directory, `without-${name}`);
    const disablePass = name === WHOLE ? [] : [name];
    text.set(name, (await compileOurs(module, `${exe}.o`, disablePass)).text_bytes);
    await makeExe(module, exe, { wasi: true, disablePass });
    commands.set(name, [exe, '-']);
  }
  const times = await race(program, commands);
  const change = (of: Map<string, number>, name: string): number => of.get(name)! / of.get(WHOLE)!;
  return new Map(passes.map((name) => [name, { time: change(times, name), text: change(text, name) }]));
}

function mean(measured: Map<string, Change>[], name: string): Change {
  const of = (pick: (change: Change) => number): number =>
    geometricMean(measured.map((changes) => pick(changes.get(name)!)));
  return { time: of((c) => c.time), text: of((c) => c.text) };
}

function cell({ time, text }: Change): string {
  return `${percent(time)} ${percent(text)}`;
}

function percent(ratio: number): string {
  const change = 100 * (ratio - 1);
  return `${change < 0 ? '' : '+'}${change.toFixed(1)}`;
}
