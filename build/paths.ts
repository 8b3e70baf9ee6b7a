// Where things lie in the checkout or the installed package, whatever directory the command is started from.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from './error.ts';

/** The nearest directory upwards that has package.json: this file runs from build/ and from out/build/. */
function findRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new UserError('yaos: no package.json above the toolchain');
    directory = parent;
  }
  return directory;
}

export const root = findRoot();
export const out = join(root, 'out');

/** The prefix of binutils for x86-64, as build/setup.sh finds it ('' for the host's own). */
export function binutilsPrefix(): string {
  const found = spawnSync('sh', [join(root, 'build/setup.sh'), 'prefix'], { encoding: 'utf8' });
  if (found.status !== 0) throw new UserError(found.stderr.trim() || 'setup: cannot run sh');
  return found.stdout.trim();
}
