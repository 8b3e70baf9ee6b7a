// Programs of the fixed memory model, which is the kernel's: an object of `yaos compile --memory fixed` linked with
// fixed-host.c, which maps linear memory at its own addresses in a Linux process.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CompileFlags, compileFile } from '../../build/compile.ts';
import { type Program, programPath } from './harness.ts';
import type { ModuleBuilder, Signature, ValType } from './wasm.ts';

const HOST = fileURLToPath(new URL('fixed-host.c', import.meta.url));
/** The reader of the trap table. */
const TABLES = fileURLToPath(new URL('../../runtime/tables.c', import.meta.url));
const TYPE_LETTER: Partial<Record<ValType, string>> = { i32: 'i', i64: 'I', f32: 'f', f64: 'F' };

const letters = (types: ValType[]): string => types.map((t) => TYPE_LETTER[t]).join('');

interface Exported {
  name: string;
  signature: Signature;
}

export interface FixedOptions extends CompileFlags {
  /** The page of linear memory with the registers of fixed-host.c's device; none if it is 0. */
  device?: number;
}

/** Exports that take or return references are left out: they have no text form here. */
export function makeFixedProgram(name: string, module: ModuleBuilder): Program {
  const path = programPath(name);
  return linkFixed(
    path,
    module.build(),
    module.functions.filter((f) => f.exported),
    {},
  );
}

/** Writes PATH.wasm and makes the program PATH. */
export function linkFixed(
  path: string,
  bytes: Uint8Array,
  exported: readonly Exported[],
  options: FixedOptions,
): Program {
  writeFileSync(`${path}.wasm`, bytes);
  compileFile(`${path}.wasm`, `${path}.o`, 'fixed', options);
  writeFileSync(`${path}.exports.s`, exportTable(exported, options.device ?? 0));
  execFileSync('gcc', ['-O1', '-o', path, HOST, TABLES, `${path}.exports.s`, `${path}.o`]);
  return { wasm: `${path}.wasm`, path };
}

/** `exports` of fixed-host.c, sorted by the bytes of their names, and `device`. */
function exportTable(exported: readonly Exported[], device: number): string {
  const list = exported
    .filter(({ signature: s }) => [...s.params, ...s.results].every((t) => TYPE_LETTER[t]))
    .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  const strings = list.map(
    ({ name, signature }, i) =>
      `n${i}: .asciz ${JSON.stringify(name)}\nt${i}: .asciz "${letters(signature.params)}:${letters(signature.results)}"`,
  );
  const entries = list.map(({ name }, i) => `.quad n${i}, ${JSON.stringify(name)}, t${i}`);
  return [
    ...[
      '.section .rodata',
      '.globl device',
      `device: .quad ${device}`,
      ...strings,
      '.section .data.rel.ro, "aw"',
      '.globl exports, exports_end',
      'exports:',
    ],
    ...[...entries, 'exports_end:', '.section .note.GNU-stack, "", @progbits', ''],
  ].join('\n');
}
