// Runs binutils and the compiler on an object in a fresh folder, for what they say about it.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Folder {
  write(name: string, contents: string | Uint8Array): void;
  read(name: string): Uint8Array;
  /** Standard output; a status other than 0, or anything on standard error, is an error. */
  run(command: string, ...args: string[]): string;
}

export function inFolder<T>(body: (folder: Folder) => T): T {
  const path = mkdtempSync(join(tmpdir(), 'yaos-object-'));
  try {
    return body({
      write: (name, contents) => writeFileSync(join(path, name), contents),
      read: (name) => readFileSync(join(path, name)),
      run: (command, ...args) => {
        const program = command.startsWith('./') ? join(path, command) : command;
        return execFileSync(program, args, { cwd: path, encoding: 'utf8', maxBuffer: 1 << 28 });
      },
    });
  } finally {
    rmSync(path, { recursive: true });
  }
}
