// Files that the commands read and write, with errors that name them.

import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { UserError } from './error.ts';
import { ElfError, type ElfFile, readElf } from './object/elf-reader.ts';

export function readInput(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(`yaos: ${path}: ${reason(error)}`);
  }
}

export function readElfFile(path: string): ElfFile {
  try {
    return readElf(readInput(path));
  } catch (error) {
    if (error instanceof ElfError) throw new UserError(`yaos: ${path}: ${error.message}`);
    throw error;
  }
}

/**
 * The file is there whole or, after an error, as it was before. What is no regular file is written to: a renamed file
 * would take the place of a pipe, or of /dev/null.
 */
export function replaceFile(path: string, contents: string | Uint8Array, mode = 0o666): void {
  const partial = `${path}.${process.pid}`;
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      writeFileSync(path, contents);
    } else {
      writeFileSync(partial, contents, { mode });
      renameSync(partial, path);
    }
  } catch (error) {
    if (existsSync(partial)) rmSync(partial);
    throw new UserError(`yaos: ${path}: ${reason(error)}`);
  }
}

export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file or directory';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a directory';
  if (code === 'ENOTDIR') return 'what stands before a / is no directory';
  return message;
}
