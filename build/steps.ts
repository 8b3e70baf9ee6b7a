// Steps of a build. A step runs when its inputs or its commands are not those that its outputs were made of; the keys are kept in
// out/.steps.json.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { withSources } from './complaint.ts';
import { UserError } from './error.ts';
import { readInput, replaceFile } from './files.ts';
import { out, root } from './paths.ts';

export interface Step {
  name: string;
  /** Paths below the root. */
  inputs: string[];
  outputs: string[];
  run(): Promise<void>;
}

/** Where it is said how steps are done. */
const CODE = ['kernel.js', 'asc.js', 'steps.js'];
const KEYS = join(out, '.steps.json');

/** Performs what `body` asks for and what is not up to date. */
export async function performing(
  body: (perform: (step: Step) => Promise<void>) => Promise<void>,
): Promise<void> {
  const keys = readKeys();
  try {
    await body(async (step) => {
      const key = keyOf(step);
      if (keys[step.name] === key && step.outputs.every((path) => existsSync(join(root, path)))) return;
      delete keys[step.name];
      await step.run();
      keys[step.name] = key;
    });
  } finally {
    replaceFile(KEYS, JSON.stringify(keys));
  }
}

/** What a step is made of: its code, the programs it runs, and each input's content. */
function keyOf(step: Step): string {
  const hash = createHash('sha256');
  for (const name of CODE) hash.update(readInput(join(out, 'build', name)));
  for (const path of step.inputs) hash.update(`\n${path}\n`).update(readInput(join(root, path)));
  return hash.digest('hex');
}

function readKeys(): Record<string, string> {
  try {
    return JSON.parse(readFileSync(KEYS, 'utf8'));
  } catch {
    return {}; // the first build, or an interrupted one
  }
}

/** All errors, where there are several. */
export async function together(steps: Promise<void>[]): Promise<void> {
  const errors = (await Promise.allSettled(steps)).flatMap((r) =>
    r.status === 'rejected' ? [r.reason] : [],
  );
  const other = errors.find((error) => !(error instanceof UserError));
  if (other) throw other;
  if (errors.length > 0) throw new UserError(errors.map((error) => error.message).join('\n'));
}

export function filesBelow(folder: string, extension: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith(extension) && statSync(join(root, path)).isFile())
    .sort();
}

/** What the program complains of is the error. */
export function command(program: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'pipe'] });
    let output = '';
    child.stderr.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
    child.on('error', (error) => reject(new UserError(`yaos: cannot run ${program}: ${error.message}`)));
    child.on('close', (status) => {
      const told = withSources(output);
      if (status === 0) {
        if (told !== '') console.error(told);
        resolve();
      } else
        reject(new UserError(`${told}\nyaos: '${program} ${args.join(' ')}' failed with status ${status}`));
    });
  });
}
