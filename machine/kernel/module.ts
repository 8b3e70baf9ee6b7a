// A kernel's module, ready to run here. Its transformation takes seconds, so that it is kept beside the file, with the
// hash of what it was made of: X.wasm has X.machine.wasm. `make` makes that of out/kernel.wasm.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MachineError } from '../error.ts';
import { type OwnMemory, transformKernel } from './transform.ts';
import { type WasmModule, wasm } from './wasm.ts';

/** Raised when the transformation changes. */
const VERSION = 6;
const HASH_BYTES = 32;

export interface Kernel {
  readonly module: WasmModule;
  /** Undefined: it was not transformed, and has its memory itself. */
  readonly ownMemory?: OwnMemory;
}

const SECTION = 'yaos.machine';

const loaded = new Map<string, Kernel>();

/** out/kernel.wasm of the checkout or package that this file is in. */
export function defaultKernel(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const built = join(here, '../../kernel.wasm'); // from out/machine/kernel
  return existsSync(built) ? built : join(here, '../../out/kernel.wasm');
}

export async function loadKernel(path = defaultKernel()): Promise<Kernel> {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch {
    throw new MachineError(`${path}: no such kernel; \`make\` makes out/kernel.wasm`);
  }
  const hash = createHash('sha256').update(`${VERSION}\n`).update(bytes).digest();
  const key = hash.toString('hex');
  let kernel = loaded.get(key);
  if (kernel === undefined) {
    kernel = await compile(path, bytes, hash);
    loaded.set(key, kernel);
  }
  return kernel;
}

/** A module that never switches threads is taken as it is. */
async function compile(path: string, bytes: Uint8Array, hash: Uint8Array): Promise<Kernel> {
  let module: WasmModule;
  try {
    module = new wasm.Module(bytes);
  } catch (error) {
    throw new MachineError(`${path}: not a WebAssembly module: ${(error as Error).message}`);
  }
  const imports = wasm.Module.imports(module);
  const switches = imports.some((i) => i.module === 'x86' && i.name === 'thread_switch');
  if (!switches) return { module };
  if (imports.some((i) => i.kind === 'memory'))
    throw new MachineError(
      `${path}: a kernel has its memory itself: compile it without \`asc --importMemory\``,
    );
  const transformed = new wasm.Module(await prepared(path, bytes, hash));
  const [section] = wasm.Module.customSections(transformed, SECTION);
  const view = new DataView(section);
  return { module: transformed, ownMemory: { pages: view.getUint32(0), pagesMax: view.getUint32(4) } };
}

/** The transformed module: from beside the file if it is of this very content, else made and kept there. */
async function prepared(path: string, bytes: Uint8Array, hash: Uint8Array): Promise<Uint8Array> {
  const beside = path.replace(/(\.wasm)?$/, '.machine.wasm');
  try {
    const kept = readFileSync(beside);
    if (kept.subarray(-HASH_BYTES).equals(hash)) return kept;
  } catch {
    // not made yet
  }
  const transformed = await transformKernel(bytes);
  const made = appendSection(transformed.bytes, transformed.memory, hash);
  try {
    writeFileSync(`${beside}.${process.pid}`, made);
    renameSync(`${beside}.${process.pid}`, beside);
  } catch {
    // A folder that cannot be written to: the next process makes it again.
  }
  return made;
}

/** A custom section (WebAssembly core 5.5.3) at the end: pages of memory, and the hash. */
function appendSection(module: Uint8Array, memory: OwnMemory, hash: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode(SECTION);
  const pages = Buffer.alloc(8);
  pages.writeUInt32BE(memory.pages);
  pages.writeUInt32BE(memory.pagesMax, 4);
  const bytes = 1 + name.length + pages.length + hash.length;
  return Buffer.concat([module, Uint8Array.of(0, bytes, name.length), name, pages, hash]);
}
