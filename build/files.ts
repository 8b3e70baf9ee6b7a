// Files that the commands read and write, with errors that name them.

import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { UserError } from './error.ts';
import { ElfError, type ElfFile, readElf } from './object/elf-reader.ts';

/** V8 takes no larger modules, and no other file comes near. */
const INPUT_BYTES_MAX = 2 ** 30;
const CHUNK_BYTES = 2 ** 20;

export function readInput(path: string): Uint8Array {
  try {
    const file = openSync(path, 'r');
    try {
      return readWhole(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new UserError(`yaos: ${path}: ${reason(error)}`);
  }
}

/** A pipe tells its size by its end only, and /dev/zero has none. */
function readWhole(file: number): Uint8Array {
  const stats = fstatSync(file);
  if (stats.isFile() && stats.size <= INPUT_BYTES_MAX) return readFileSync(file);
  const chunks: Buffer[] = [];
  for (let bytes = stats.isFile() ? stats.size : 0; bytes <= INPUT_BYTES_MAX; ) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const got = readSync(file, chunk);
    if (got === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, got));
    bytes += got;
  }
  throw new Error('it is larger than 1 GiB');
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

/** Those above it too. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
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
