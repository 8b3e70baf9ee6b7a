// The runners that a module is measured with: our program, V8's optimising compiler, and the C that wasm2c makes of it,
// compiled by gcc and clang. What a module was made into is kept under out/bench and made again when the module,
// the compiler or its flags change.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../error.ts';
import { makeExe } from '../host/exe.ts';
import { out, root } from '../paths.ts';
import { isInstalled, runTimed } from './process.ts';

/** What a compiler made of a module. */
export interface Build {
  text_bytes: number;
  compile_s: number;
}

export interface Native extends Build {
  command: string[];
}

/** The object alone, by `yaos compile`: its size and the time of the whole command. */
export async function compileOurs(module: string, object: string, disabled: string[] = []): Promise<Build> {
  const flags = disabled.flatMap((name) => ['--disable-pass', name]);
  const command = [process.execPath, join(out, 'yaos'), 'compile', module, '-o', object, ...flags];
  const compile_s = await runTimed(command);
  return { text_bytes: textBytes(object), compile_s };
}

export async function buildOurs(module: string, directory: string): Promise<Native> {
  const program = join(directory, 'yaos');
  const build = await compileOurs(module, join(directory, 'yaos.o'));
  await makeExe(module, program, { wasi: true });
  return { ...build, command: [program, '-'] };
}

/** No interpreter, no baseline compiler, and everything compiled before the first call. */
const V8_FLAGS = ['--no-liftoff', '--no-wasm-tier-up', '--no-wasm-lazy-compilation', '--no-warnings'];

export function v8Command(module: string): string[] {
  return [process.execPath, ...V8_FLAGS, fileURLToPath(new URL('v8.js', import.meta.url)), module];
}

export const COMPILERS = ['gcc', 'clang'] as const;
export type Compiler = (typeof COMPILERS)[number];

/** Why wasm2c's C cannot be compiled with `compiler` here; undefined if it can. */
export function missingForWasm2c(compiler: Compiler): string | undefined {
  if (!isInstalled('wasm2c') || runtimeFolder() === undefined) return 'no wasm2c (Debian: wabt)';
  return isInstalled(compiler) ? undefined : `no ${compiler}`;
}

/** Where wabt keeps wasm2c's runtime. */
function runtimeFolder(): string | undefined {
  return ['/usr/share/wabt/wasm2c', '/usr/src/wasm2c'].find((f) => existsSync(join(f, 'wasm-rt-impl.c')));
}

/** The object alone: its size and the time from the module to it. */
export async function compileWasm2c(module: string, directory: string, compiler: Compiler, level: string) {
  const work = join(directory, `${compiler}${level}`);
  return await cached(work, module, [compiler, level], async (): Promise<Build> => {
    const wasm2c_s = await runTimed(['wasm2c', module, '-n', 'm', '-o', join(work, 'module.c')]);
    const compile = [compiler, level, '-w', '-c', 'module.c', '-o', 'module.o'];
    const compile_s = wasm2c_s + (await runTimed(compile, work));
    return { text_bytes: textBytes(join(work, 'module.o')), compile_s };
  });
}

/** The program that answers calls. */
export async function buildWasm2c(module: string, directory: string, compiler: Compiler): Promise<Native> {
  const level = '-O3';
  const build = await compileWasm2c(module, directory, compiler, level);
  const work = join(directory, `${compiler}${level}`);
  const program = join(work, 'program');
  writeFileSync(join(work, 'imports.h'), importsHeader(readFileSync(join(work, 'module.h'), 'latin1')));
  const runtime = runtimeFolder()!;
  const sources = [
    join(root, 'bench/host/wasm2c.c'),
    join(runtime, 'wasm-rt-impl.c'),
    join(work, 'module.o'),
  ];
  const include = [`-I${work}`, `-I${runtime}`];
  await runTimed([compiler, level, '-w', ...include, '-o', program, ...sources, '-lm'], work);
  return { ...build, command: [program] };
}

/** Imports that do nothing: what the programs import, they do not call while they are measured. */
function importsHeader(header: string): string {
  const imports = header.matchAll(/^(\w+) (Z_wasi_snapshot_preview1Z_\w+\(.*\));$/gm);
  const bodies = [...imports].map(([, type, rest]) => {
    const body = type === 'void' ? '_exit(1)' : 'return 8'; // EBADF, which ends wasi-libc's search for folders
    return `${type} ${rest} { ${body}; }\n`;
  });
  const [, parameters] = /^void Z_m_instantiate\((.*)\);$/m.exec(header) ?? [];
  if (parameters === undefined || !header.includes('Z_mZ_run')) {
    throw new UserError('this version of wasm2c names things otherwise than wabt 1.0.32');
  }
  const second = parameters.includes(',') ? ', NULL' : '';
  const initialize = header.includes('Z_mZ__initialize') ? ' Z_mZ__initialize(instance);' : '';
  const calls = `Z_m_instantiate(instance${second});${initialize}`;
  return `${bodies.join('')}static void instantiate(Z_m_instance_t *instance) { ${calls} }\n`;
}

async function cached<T>(
  work: string,
  module: string,
  command: string[],
  make: () => Promise<T>,
): Promise<T> {
  const { stdout } = spawnSync(command[0], ['--version'], { encoding: 'utf8' });
  const hash = createHash('sha256').update(readFileSync(module));
  const key = hash.update(JSON.stringify([command, stdout])).digest('hex');
  const record = join(work, 'build.json');
  if (existsSync(record)) {
    const kept = JSON.parse(readFileSync(record, 'utf8'));
    if (kept.key === key) return kept.value;
  }
  mkdirSync(work, { recursive: true });
  const value = await make();
  writeFileSync(record, JSON.stringify({ key, value }));
  return value;
}

function textBytes(object: string): number {
  const { stdout } = spawnSync('size', ['-A', '-d', object], { encoding: 'utf8' });
  const sections = stdout.matchAll(/^\.text\S*\s+(\d+)/gm);
  return [...sections].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}
