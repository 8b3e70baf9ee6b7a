// Compiles AssemblyScript for a test: a small entry module that exports some of the kernel's functions.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Kernel } from '../../machine/index.ts';
import { transformKernel } from '../../machine/kernel/transform.ts';
import { wasm } from '../../machine/kernel/wasm.ts';

export const root = join(import.meta.dirname, '../..');

interface Asc {
  main(
    args: string[],
    options: {
      readFile(name: string, folder: string): string | null;
      writeFile(name: string, contents: string | Uint8Array): void;
    },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}

/** Not imported with its types: they declare AssemblyScript's globals, and those hide Node's. */
const ASC_MODULE: string = 'assemblyscript/asc';
const ENTRY = 'kernel/entry-of-the-test.ts';
/** asc's `abort` (kernel/asconfig.json) has to be in the program. */
const ABORT = "import './lib/panic.ts';\n";

/**
 * `source`: an entry module as if it lay in kernel/. Not optimised, which takes most time; target `release` is, and has the
 * kernel's own heap.
 */
export async function compileParts(source: string, target: 'debug' | 'release' = 'debug'): Promise<Kernel> {
  const binary = await compileBytes(source, target);
  if (target === 'debug') return { module: new wasm.Module(binary) };
  const { bytes, memory } = await transformKernel(binary);
  return { module: new wasm.Module(bytes), ownMemory: memory };
}

/** The same as bytes, as asc makes them. */
export async function compileBytes(
  source: string,
  target: 'debug' | 'release' | 'watch',
): Promise<Uint8Array<ArrayBuffer>> {
  const asc: Asc = await import(ASC_MODULE);
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const { error, stderr } = await asc.main(
    [
      ENTRY,
      '--config',
      'kernel/asconfig.json',
      '--baseDir',
      root,
      '--outFile',
      'test.wasm',
      '--target',
      target,
    ],
    {
      readFile: (name, folder) => (name === ENTRY ? ABORT + source : readText(resolve(folder, name))),
      writeFile: (name, contents) => {
        if (name.endsWith('.wasm')) binary = contents as Uint8Array<ArrayBuffer>;
      },
    },
  );
  if (error || !binary) throw new Error(`${error?.message}\n${stderr.toString()}`);
  return binary;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
