// Starts QEMU so that it ends with who has started it, however that ends: killed, it has no time to end QEMU.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { QEMU } from './command.ts';

/** Of util-linux: has Linux send a signal when the parent is gone, and becomes the program. */
const SETPRIV = 'setpriv';

export function spawnQemu(args: readonly string[], options: SpawnOptions): ChildProcess {
  const folders = process.platform === 'linux' ? (process.env.PATH ?? '').split(delimiter) : [];
  if (!folders.some((folder) => existsSync(join(folder, SETPRIV)))) return spawn(QEMU, args, options);
  return spawn(SETPRIV, ['--pdeathsig', 'KILL', QEMU, ...args], options);
}
