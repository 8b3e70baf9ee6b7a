// `yaos exe`: a module to a Linux program. The module's object, a description of what its imports are filled with
// (struct yaos_program of runtime/program.h), and the runtime library are linked by the C compiler.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TranslatorFlags, translateFile, translatorOptions } from '../compile.ts';
import { UserError } from '../error.ts';
import { readInput, replaceFile } from '../files.ts';
import { DescriptorWriter, KIND_CODE, TYPE_CODE } from '../object/descriptor.ts';
import { ElfObject } from '../object/elf.ts';
import { out } from '../paths.ts';
import { decode } from '../wasm/decode.ts';
import { findImport, type HostExtern, type HostModule } from './extern.ts';
import { SPECTEST_OPEN, spectest } from './spectest.ts';
import { WASI_MODULE, wasi } from './wasi.ts';

export interface ExeOptions extends TranslatorFlags {
  spectest?: boolean;
  wasi?: boolean;
}

const CC = 'gcc';

/** Makes the program `output` from the module in `input`; writes nothing if anything is wrong. */
export async function makeExe(input: string, output: string, options: ExeOptions): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new UserError('yaos exe: hosted programs are made on and for x86-64 Linux only');
  }
  const object = translateFile(input, {
    memory: 'register',
    alone: true,
    ...translatorOptions('exe', input, options),
  });
  const imports = resolveImports(input, options);
  replaceFile(output, link([object, programObject(imports, options)]), 0o777);
}

function resolveImports(input: string, options: ExeOptions): HostExtern[] {
  const hosts = new Map<string, HostModule>();
  if (options.spectest) hosts.set('spectest', spectest);
  if (options.wasi) hosts.set(WASI_MODULE, wasi);
  const module = decode(readInput(input));
  return module.imports.map((_, n) => {
    const found = findImport(module, n, hosts);
    if (typeof found === 'string') throw new UserError(`yaos: ${input}: ${found}`);
    return found;
  });
}

/** The object with `yaos_program`; the symbols in it pull what is needed out of the runtime library. */
function programObject(imports: HostExtern[], options: ExeOptions): Uint8Array {
  const w = new DescriptorWriter();
  for (const extern of imports) writeExtern(w, extern);
  const at = w.align();
  w.pointer({ symbol: 'yaos_module' });
  w.pointer({ own: 0 });
  w.pointer(options.spectest ? { symbol: SPECTEST_OPEN } : undefined);
  w.pointer({ symbol: options.wasi ? 'yaos_wasi_main' : 'yaos_calls_main' });
  const elf = new ElfObject();
  const section = w.finish(elf);
  elf.symbol({ name: 'yaos_program', binding: 'global', type: 'object', section, value: at });
  return elf.toBytes();
}

/** struct yaos_extern */
function writeExtern(w: DescriptorWriter, extern: HostExtern): void {
  w.out.u32(KIND_CODE[extern.kind]);
  w.out.u8(
    extern.kind === 'global'
      ? TYPE_CODE[extern.type]
      : extern.kind === 'table'
        ? TYPE_CODE[extern.element]
        : 0,
  );
  w.out.u8(Number(extern.kind === 'global' && extern.mutable));
  w.out.u16(0);
  w.pointer({ symbol: extern.symbol });
  w.out.u64(0);
}

function link(objects: Uint8Array[]): Uint8Array {
  const library = join(out, 'libyaosrt.a');
  if (!existsSync(library)) throw new UserError(`yaos exe: ${library} is missing: run make`);
  const directory = mkdtempSync(join(tmpdir(), 'yaos-exe-'));
  try {
    const program = join(directory, 'program');
    const files = objects.map((bytes, i) => {
      const path = join(directory, `${i}.o`);
      writeFileSync(path, bytes);
      return path;
    });
    const done = spawnSync(CC, ['-pthread', '-o', program, ...files, library], { encoding: 'utf8' });
    if (done.error)
      throw new UserError(`yaos exe: cannot run ${CC}, which links the program: ${done.error.message}`);
    if (done.status !== 0)
      throw new UserError(`yaos exe: ${CC} failed: ${done.stderr.trim().split('\n')[0]}`);
    return readFileSync(program);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
