// The benchmark's programs, ours against the peers: in each round every runner does the same work once, so that a
// change in the machine's load meets them all. The table has ratios of medians.

import { join } from 'node:path';
import { UserError } from '../error.ts';
import { out } from '../paths.ts';
import { makeModule } from './modules.ts';
import {
  type Build,
  buildOurs,
  buildWasm2c,
  COMPILERS,
  type Compiler,
  compileWasm2c,
  missingForWasm2c,
  v8Command,
} from './peers.ts';
import { Session } from './process.ts';
import type { BenchProgram } from './programs.ts';
import { geometricMean, median, printColumns, progress } from './table.ts';

const ROUNDS = 5;

interface Measured {
  name: string;
  times_ms: Map<string, number>;
  ours: Build;
  /** By compiler and level, as in clang-O2. */
  peers: Map<string, Build>;
}

type Outcome = Measured | { name: string; failure: string };

export async function measureSuite(programs: readonly BenchProgram[]): Promise<void> {
  const compilers = COMPILERS.filter((compiler) => {
    const missing = missingForWasm2c(compiler);
    if (missing !== undefined) console.log(`not compared with wasm2c and ${compiler}: ${missing}`);
    return missing === undefined;
  });
  const outcomes: Outcome[] = [];
  for (const [i, program] of programs.entries()) {
    progress(`${i + 1}/${programs.length} ${program.name}`);
    const outcome = await attempt(program.name, () => measure(program, compilers));
    progress(`${i + 1}/${programs.length} ${program.name}: ${summary(outcome)}`);
    outcomes.push(outcome);
  }
  progress('');
  printOutcomes(outcomes, compilers);
}

/** For who looks on: a run takes minutes, and the table comes at the end. */
function summary(outcome: Outcome): string {
  if ('failure' in outcome) return `failed: ${outcome.failure}`;
  return [...outcome.times_ms].map(([runner, time_ms]) => `${runner} ${time_ms.toFixed(0)} ms`).join(', ');
}

async function attempt(name: string, work: () => Promise<Measured>): Promise<Outcome> {
  try {
    return await work();
  } catch (error) {
    return { name, failure: (error as Error).message };
  }
}

async function measure(program: BenchProgram, compilers: readonly Compiler[]): Promise<Measured> {
  const directory = join(out, 'bench', program.name);
  const module = await makeModule(program);
  const ours = await buildOurs(module, directory);
  const commands = new Map([
    ['yaos', ours.command],
    ['V8', v8Command(module)],
  ]);
  const peers = new Map<string, Build>();
  await Promise.all(
    compilers.map(async (compiler) => {
      peers.set(`${compiler}-O2`, await compileWasm2c(module, directory, compiler, '-O2'));
      const native = await buildWasm2c(module, directory, compiler);
      peers.set(`${compiler}-O3`, native);
      commands.set(`${compiler} -O3`, native.command);
    }),
  );
  return { name: program.name, times_ms: await race(program, commands), ours, peers };
}

/** The median of each runner's times. */
export async function race(
  program: BenchProgram,
  commands: Map<string, string[]>,
): Promise<Map<string, number>> {
  const sessions = [...commands].map(([name, command]) => ({ name, session: new Session(command) }));
  const times = new Map(sessions.map(({ name }) => [name, [] as number[]]));
  try {
    await checkSmall(program, sessions);
    let expected: bigint | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, session } of sessions) {
        const { result, time_ms } = await ask(name, session, program.count);
        expected ??= result;
        if (result !== expected) throw differs(name, result, expected);
        times.get(name)!.push(time_ms);
      }
    }
  } finally {
    for (const { session } of sessions) session.stop();
  }
  return new Map([...times].map(([name, values]) => [name, median(values)]));
}

/** A first call, of little work, which brings code and data in; its result is compared with the oracle's. */
async function checkSmall(
  program: BenchProgram,
  sessions: { name: string; session: Session }[],
): Promise<void> {
  for (const { name, session } of sessions) {
    const { result } = await ask(name, session, program.smoke);
    const expected = program.oracle?.(program.smoke, result);
    if (expected !== undefined && result !== expected) throw differs(name, result, expected);
  }
}

async function ask(name: string, session: Session, count: number) {
  try {
    return await session.run(count);
  } catch (error) {
    throw new UserError(`${name}: ${(error as Error).message}`);
  }
}

function differs(name: string, result: bigint, expected: bigint): UserError {
  return new UserError(`${name} computes ${result.toString(16)}, not ${expected.toString(16)}`);
}

/** `against` is how often ours goes into the peer's, or undefined where there is no such peer. */
interface Column {
  title: string;
  ours(m: Measured): number;
  theirs(m: Measured): number | undefined;
  mean: 'geometric' | 'sum';
}

function columnsFor(compilers: readonly Compiler[]): Column[] {
  const time = (peer: string): Column => ({
    title: `/ ${peer}`,
    ours: (m) => m.times_ms.get('yaos')!,
    theirs: (m) => m.times_ms.get(peer),
    mean: 'geometric',
  });
  const text = (build: string): Column => ({
    title: `text / ${build}`,
    ours: (m) => m.ours.text_bytes,
    theirs: (m) => m.peers.get(build)?.text_bytes,
    mean: 'sum',
  });
  const columns = [time('V8'), ...compilers.map((compiler) => time(`${compiler} -O3`))];
  if (compilers.includes('clang')) columns.push(text('clang-O2'), text('clang-O3'));
  if (compilers.includes('gcc'))
    columns.push({
      title: 'compile / gcc-O2',
      ours: (m) => m.ours.compile_s,
      theirs: (m) => m.peers.get('gcc-O2')?.compile_s,
      mean: 'sum',
    });
  return columns;
}

function printOutcomes(outcomes: Outcome[], compilers: readonly Compiler[]): void {
  const columns = columnsFor(compilers);
  const measured = outcomes.filter((o): o is Measured => !('failure' in o));
  const rows = [['program', 'yaos ms', ...columns.map((c) => c.title), 'text KiB', 'compile s']];
  for (const outcome of outcomes) {
    if ('failure' in outcome) rows.push([outcome.name, `failed: ${outcome.failure}`]);
    else rows.push(rowOf(outcome, columns));
  }
  if (measured.length > 0) rows.push(meanRow(measured, columns));
  printColumns(rows);
  console.log(
    `Times are processor time in one process, medians of ${ROUNDS} interleaved runs; V8: Node ${process.version} without ` +
      'baseline compiler; gcc, clang: of wasm2c, with guard pages. Ratios below 1: yaos is faster or smaller. The last ' +
      'row: geometric means of the times, sums of text and compile time.',
  );
}

function rowOf(m: Measured, columns: Column[]): string[] {
  const ratios = columns.map((c) => {
    const theirs = c.theirs(m);
    return theirs === undefined ? '' : (c.ours(m) / theirs).toFixed(2);
  });
  return [
    m.name,
    m.times_ms.get('yaos')!.toFixed(0),
    ...ratios,
    (m.ours.text_bytes / 1024).toFixed(1),
    m.ours.compile_s.toFixed(2),
  ];
}

function meanRow(measured: Measured[], columns: Column[]): string[] {
  const sum = (of: (m: Measured) => number): number => measured.reduce((total, m) => total + of(m), 0);
  const means = columns.map((c) => {
    const pairs = measured.filter((m) => c.theirs(m) !== undefined);
    if (c.mean === 'geometric') return geometricMean(pairs.map((m) => c.ours(m) / c.theirs(m)!)).toFixed(2);
    return (sum(c.ours) / sum((m) => c.theirs(m)!)).toFixed(2);
  });
  const text_kib = sum((m) => m.ours.text_bytes) / 1024;
  return ['all', '', ...means, text_kib.toFixed(1), sum((m) => m.ours.compile_s).toFixed(2)];
}
