// A program's module: out/bench/NAME/module.wasm, made by asc, by clang, or by clang with wasi-libc from a source
// package. What is missing is said with the package that has it.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../error.ts';
import { out, root } from '../paths.ts';
import { isInstalled, runTimed } from './process.ts';
import type { BenchProgram, RealSource } from './programs.ts';
import { fetchSource } from './sources.ts';

const CLANG = 'clang';
/** The features that AssemblyScript uses by default too. */
const FEATURES = ['-mbulk-memory', '-msign-ext', '-mnontrapping-fptoint'];
const FREESTANDING = ['--target=wasm32', '-O2', ...FEATURES, '-nostdlib', '-ffreestanding', '-Wl,--no-entry'];
const WASI = [
  '--target=wasm32-wasi',
  '-O2',
  ...FEATURES,
  '-mexec-model=reactor',
  '-ftls-model=local-exec',
  '-w',
];
const WASI_HEADERS = '/usr/include/wasm32-wasi';

const bench = join(root, 'bench');

/** Returns the module's path. */
export async function makeModule(program: BenchProgram): Promise<string> {
  const directory = join(out, 'bench', program.name);
  const output = join(directory, 'module.wasm');
  mkdirSync(directory, { recursive: true });
  const { source, name } = program;
  if (source.kind === 'asc') await asc(name, source.options, output);
  else if (source.kind === 'c') await clang([...FREESTANDING, join(bench, `${name}.c`)], output);
  else await real(source, directory, output);
  return output;
}

/** Why programs in C cannot be compiled here; undefined if they can. */
export function missingForC(): string | undefined {
  if (!isInstalled(CLANG) || !isInstalled('wasm-ld')) return 'no clang with wasm-ld (Debian: clang lld)';
  return undefined;
}

async function asc(name: string, options: string[], output: string): Promise<void> {
  const command = [
    process.execPath,
    join(root, 'node_modules/assemblyscript/bin/asc.js'),
    `bench/${name}.ts`,
  ];
  await runTimed([...command, ...options, '--use', 'abort=', '-o', output], root);
}

async function clang(args: string[], output: string): Promise<void> {
  const missing = missingForC();
  if (missing !== undefined) throw new UserError(`bench: ${missing}`);
  await runTimed([CLANG, ...args, `-I${bench}`, '-o', output]);
}

async function real(source: RealSource, directory: string, output: string): Promise<void> {
  if (!existsSync(WASI_HEADERS)) throw new UserError('bench: no wasi-libc (Debian: wasi-libc)');
  const folder = fetchSource(source.package);
  if (source.prepare !== undefined && !existsSync(join(folder, source.files[0]))) {
    const { command, needs, debian } = source.prepare;
    if (!isInstalled(needs)) throw new UserError(`bench: no ${needs} (Debian: ${debian})`);
    await runTimed(['sh', '-c', command], folder);
  }
  if (source.embed !== undefined) embed(source.embed, directory);
  const files = source.files.map((file) => join(folder, file));
  const include = [`-I${join(folder, source.include)}`, `-I${join(bench, 'real/shim')}`, `-I${directory}`];
  await clang([...WASI, ...source.flags, ...include, join(bench, 'real', source.driver), ...files], output);
}

/** A file as a C array: lua-work.lua becomes lua_work in lua-work.h. */
function embed(file: string, directory: string): void {
  const stem = file.replace(/\.\w+$/, '');
  const bytes = [...readFileSync(join(bench, 'real', file))].join(',');
  const text = `static const unsigned char ${stem.replaceAll('-', '_')}[] = {${bytes}};\n`;
  writeFileSync(join(directory, `${stem}.h`), text);
}
