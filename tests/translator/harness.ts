// Differential testing: a module is translated and linked to a program by `yaos exe`'s own function, the same calls
// are made in the program and in Node's engine, and the answers are compared bit by bit.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeExe } from '../../build/host/exe.ts';
import { type Call, callAll, instantiate, type Outcome } from './node.ts';
import { isArithmeticNan, isCanonicalNan, type NumType, show } from './values.ts';
import type { ModuleBuilder, Signature } from './wasm.ts';

export type { Call, Outcome } from './node.ts';

const directory = fileURLToPath(new URL('../../out/tests/', import.meta.url));
const CPU_S_MAX = 60;
/** A loaded machine gives a program a tenth of a CPU. */
const TIMEOUT_MS = 600_000;
const FAILURES_SHOWN = 8;

export interface Program {
  wasm: string;
  path: string;
}

/** Where the program NAME and what it is made from are kept. */
export function programPath(name: string): string {
  mkdirSync(directory, { recursive: true });
  return join(directory, name);
}

/** Writes NAME.wasm and makes the program NAME under out/tests; both stay there to be looked at. */
export async function makeProgram(
  name: string,
  bytes: Uint8Array,
  options = { spectest: false },
): Promise<Program> {
  const path = programPath(name);
  writeFileSync(`${path}.wasm`, bytes);
  await makeExe(`${path}.wasm`, path, options);
  return { wasm: `${path}.wasm`, path };
}

/** The text of one call for the protocol of `PROG -`. */
export function callLine(call: Call, signature: Signature): string {
  const args = call.args.map((bits, i) => show(signature.params[i], bits).replace(/^\w+:/, ''));
  return [JSON.stringify(call.name), ...args].join(' ');
}

/** Sends lines to a program; the answers, one for each line. It ends when it has taken `cpu_s_max` seconds of processor time. */
export function ask(
  program: Program,
  lines: string[],
  environment: Record<string, string> = {},
  cpu_s_max = CPU_S_MAX,
): string[] {
  if (lines.length === 0) return [];
  const run = spawnSync('sh', ['-c', 'ulimit -t "$1"; exec "$0" -', program.path, String(cpu_s_max)], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    timeout: TIMEOUT_MS,
    env: { ...process.env, ...environment },
  });
  const answers = run.stdout.split('\n').slice(0, -1);
  if (answers.length !== lines.length || run.status !== 0) {
    const why = run.signal ?? `status ${run.status}`;
    throw new Error(`${program.path} ended (${why}) at: ${lines[answers.length]}\n${run.stderr}`);
  }
  return answers;
}

/** Makes the calls natively and in Node; throws with the first differences if there are any. */
export async function expectSame(
  name: string,
  module: ModuleBuilder,
  calls: readonly Call[],
  environment: Record<string, string> = {},
): Promise<void> {
  const program = await makeProgram(name, module.build(), { spectest: true });
  const wanted = callAll(instantiate(module.build({ bits: true })), signatures(module), calls);
  compareAnswers(program, signatures(module), calls, wanted, environment);
}

export function compareAnswers(
  program: Program,
  signature: (name: string) => Signature,
  calls: readonly Call[],
  wanted: readonly Outcome[],
  environment: Record<string, string> = {},
): void {
  const lines = calls.map((call) => callLine(call, signature(call.name)));
  const answers = ask(program, lines, environment);
  const wrong = [...answers.keys()].filter((i) => !agree(wanted[i], answers[i], calls[i]));
  if (wrong.length === 0) return;
  const shown = wrong
    .slice(0, FAILURES_SHOWN)
    .map((i) => `${lines[i]}\n    yaos: ${answers[i]}\n    Node: ${describe(wanted[i])}`);
  const alone = `echo '${lines[wrong[0]]}' | ${program.path} -`;
  throw new Error(
    `${program.wasm}: ${wrong.length} of ${calls.length} calls differ\n  ${shown.join('\n  ')}\n` +
      `If no call before it matters: ${alone}`,
  );
}

/** Signatures by export, looked up often. */
export function signatures(module: ModuleBuilder): (name: string) => Signature {
  const map = new Map(module.functions.filter((f) => f.exported).map((f) => [f.name, f.signature]));
  return (name) => {
    const found = map.get(name);
    if (found === undefined) throw new Error(`no export ${name}`);
    return found;
  };
}

function describe(outcome: Outcome): string {
  return 'values' in outcome ? outcome.values : `trap: ${outcome.traps.join(' or ')}`;
}

export function agree(wanted: Outcome, answer: string, call: Call): boolean {
  if ('traps' in wanted) {
    const traps = call.trap === undefined ? wanted.traps : [call.trap];
    return traps.some((t) => answer === `trap: ${t}`);
  }
  if (answer === wanted.values) return true;
  if (call.nan === undefined) return false;
  const got = answer.split(' ');
  const want = wanted.values.split(' ');
  return got.length === want.length && got.every((g, i) => g === want[i] || sameNan(g, want[i], call.nan!));
}

function sameNan(got: string, want: string, nan: 'canonical' | 'arithmetic'): boolean {
  const allowed = nan === 'canonical' ? isCanonicalNan : isArithmeticNan;
  const [type, bits] = split(got);
  const [wantType, wantBits] = split(want);
  return type === wantType && allowed(type, bits) && isArithmeticNan(type, wantBits);
}

function split(text: string): [NumType, bigint] {
  const [type, bits] = text.split(':');
  return /^0x/.test(bits ?? '') ? [type as NumType, BigInt(bits)] : ['i32', 0n];
}
