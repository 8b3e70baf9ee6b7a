// Files that the commands read and write, with errors that name them.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { UserError } from './error.ts';

export function readInput(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(`yaos: ${path}: ${reason(error)}`);
  }
}

/** The file is there whole or, after an error, as it was before. */
export function replaceFile(path: string, contents: string | Uint8Array, mode = 0o666): void {
  const partial = `${path}.${process.pid}`;
  try {
    writeFileSync(partial, contents, { mode });
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw new UserError(`yaos: ${path}: ${reason(error)}`);
  }
}

export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file or directory';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a directory';
  return message;
}
