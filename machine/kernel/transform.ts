// What is done to a copy of the kernel's module so that it runs here, by Binaryen (which comes with AssemblyScript):
//
// - Threads: Asyncify lets a call stack be taken down at x86.thread_switch and put up again later. Only functions that
//   can reach it are changed. One instance keeps its globals, any Node can do it, and each run is the same.
// - Its memory becomes an import, which is all of RAM; and memory.size and memory.grow do, since the kernel's own part of
//   that begins with the module's size and ends with its maximum.
// - Plain loads and stores through a null pointer are found (checks.ts).

import { checkAccesses } from './checks.ts';

/** Not imported with its types: they declare AssemblyScript's globals, and those hide Node's. */
const BINARYEN_MODULE: string = 'assemblyscript/binaryen';

interface BinaryenModule {
  setFeatures(features: number): void;
  getNumFunctions(): number;
  getFunctionByIndex(index: number): number;
  emitText(): string;
  emitBinary(): Uint8Array;
  runPasses(passes: string[]): void;
  dispose(): void;
}

interface Binaryen {
  Features: { All: number };
  readBinary(bytes: Uint8Array): BinaryenModule;
  parseText(text: string): BinaryenModule;
  setPassArgument(name: string, value: string | null): void;
  setOptimizeLevel(level: number): void;
  setShrinkLevel(level: number): void;
  setDebugInfo(on: boolean): void;
  _malloc(bytes: number): number;
  _free(address: number): void;
  stringToAscii(text: string, address: number): void;
  _BinaryenFunctionGetNumLocals(func: number): number;
  _BinaryenFunctionSetLocalName(func: number, index: number, name: number): void;
}

/** Module of the imports that this adds. */
export const MODEL = 'machine';

const IMPORTS = `
 (import "${MODEL}" "memory_size" (func $${MODEL}.memory_size (result i32)))
 (import "${MODEL}" "memory_grow" (func $${MODEL}.memory_grow (param i32) (result i32)))
 (import "${MODEL}" "access" (func $${MODEL}.access (param i32 i32)))`;
const MEMORY = /\(memory (\$\S+) (\d+)(?: (\d+))?[^)]*\)/;
/** Of a module that names no maximum (WebAssembly core 4.2.8). */
const PAGES_MAX = '65536';

/** The module's own part of memory: where that ends at its start, and at most. */
export interface OwnMemory {
  readonly pages: number;
  readonly pagesMax: number;
}

export interface Transformed {
  bytes: Uint8Array;
  memory: OwnMemory;
}

export async function transformKernel(bytes: Uint8Array): Promise<Transformed> {
  const { default: binaryen }: { default: Binaryen } = await import(BINARYEN_MODULE);
  const original = binaryen.readBinary(bytes);
  original.setFeatures(binaryen.Features.All);
  nameLocals(binaryen, original);
  const text = original.emitText();
  original.dispose();
  const [memory, memoryName, pages, pagesMax = PAGES_MAX] = MEMORY.exec(text) ?? ['', '$0', '0'];
  const memoryImport = `(import "${MODEL}" "memory" (memory ${memoryName} ${pages}))`;
  const changed = binaryen.parseText(
    checkAccesses(text, `${MODEL}.access`)
      .replace(memory, '')
      .replace('(module', `(module ${memoryImport}${IMPORTS}`)
      .replaceAll('(memory.size)', `(call $${MODEL}.memory_size)`)
      .replaceAll('(memory.grow', `(call $${MODEL}.memory_grow`),
  );
  changed.setFeatures(binaryen.Features.All);
  binaryen.setOptimizeLevel(1);
  binaryen.setShrinkLevel(0);
  binaryen.setDebugInfo(true);
  binaryen.setPassArgument('asyncify-imports', 'x86.thread_switch,x86.sti_hlt');
  // AssemblyScript calls methods through stubs that know their overrides, so that a kernel usually has no indirect calls;
  // if there are any, each may reach a switch.
  binaryen.setPassArgument('asyncify-ignore-indirect', text.includes('(call_indirect') ? null : '1');
  changed.runPasses(['asyncify']);
  const result = changed.emitBinary();
  changed.dispose();
  return { bytes: result, memory: { pages: Number(pages), pagesMax: Number(pagesMax) } };
}

/** Each by its number: Binaryen's text takes those without a name for others that asc has named by numbers. */
function nameLocals(binaryen: Binaryen, module: BinaryenModule): void {
  const name = binaryen._malloc(16);
  for (let i = 0; i < module.getNumFunctions(); i++) {
    const func = module.getFunctionByIndex(i);
    for (let local = binaryen._BinaryenFunctionGetNumLocals(func) - 1; local >= 0; local--) {
      binaryen.stringToAscii(`l${local}`, name);
      binaryen._BinaryenFunctionSetLocalName(func, local, name);
    }
  }
  binaryen._free(name);
}
