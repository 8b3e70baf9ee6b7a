// Programs for the tests of the hosted runtime: made from text, run with arguments or asked line by line.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ExeOptions, makeExe } from '../../build/host/exe.ts';
import { wat } from '../wasm/wat.ts';

const directory = fileURLToPath(new URL('../../out/tests/hosted/', import.meta.url));
const TIMEOUT_MS = 50_000;

export interface Ending {
  stdout: string;
  stderr: string;
  status: number | null;
}

export interface RunOptions {
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
}

/** Links the program NAME; it stays under out/tests to be looked at. Returns its path. */
export async function makeProgram(name: string, source: string, options: ExeOptions = {}): Promise<string> {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, name);
  writeFileSync(`${path}.wasm`, wat(source, `${name}.wat`));
  await makeExe(`${path}.wasm`, path, options);
  return path;
}

export function run(program: string, args: string[], options: RunOptions = {}): Ending {
  const { input = '', cwd, env } = options;
  const done = spawnSync(program, args, {
    input,
    cwd,
    env: env && { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: TIMEOUT_MS,
  });
  return { stdout: done.stdout, stderr: done.stderr, status: done.status };
}

/** The answers to lines of calls, one each. */
export function ask(
  program: string,
  lines: string[],
  options: RunOptions & { args?: string[] } = {},
): string[] {
  const input = lines.map((l) => `${l}\n`).join('');
  const { stdout, stderr, status } = run(program, [...(options.args ?? []), '-'], { ...options, input });
  const answers = stdout.split('\n').slice(0, -1);
  if (status !== 0 || answers.length !== lines.length) {
    throw new Error(`status ${status} after ${answers.length} of ${lines.length} answers\n${stderr}`);
  }
  return answers;
}
