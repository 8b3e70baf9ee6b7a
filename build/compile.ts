// `yaos compile`: one module to one object file. The options of the translator that every command takes which
// translates a module are here too.

import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { UserError } from './error.ts';
import { readInput, replaceFile } from './files.ts';
import { makePage, sourceText } from './listing/page.ts';
import { readProfile } from './listing/profile.ts';
import { readSourceMap } from './object/sourcemap.ts';
import { readRules } from './proofs/rules.ts';
import { OPTIONAL_PASSES, type TranslateOptions, type Translation, translate } from './translate.ts';
import { WasmError } from './wasm/module.ts';

/** What C or C++ does not allow as a name, or the runtime's header has taken. */
export const RESERVED = new RegExp(
  `^(yaos|${[
    'alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const consteval',
    'constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast',
    'else enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept not',
    'not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict return short',
    'signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef',
    'typeid typename typeof union unsigned using virtual void volatile wchar_t while xor xor_eq',
  ]
    .join(' ')
    .replaceAll(' ', '|')})$`,
);

/** As they stand on the command line. */
export interface TranslatorFlags {
  disablePass?: readonly string[];
  verifyIr?: boolean;
  sourceMap?: string;
}

export interface CompileFlags extends TranslatorFlags {
  /** What the module is called in C. */
  name?: string;
  /** Write assembly instead of an object; without an output to standard output. */
  assembly?: boolean;
  /** File of rules to be proved of the code. */
  proofs?: string;
}

export function compileFile(
  input: string,
  output: string | undefined,
  memory: string,
  flags: CompileFlags = {},
): void {
  const model = memoryModel('compile', memory);
  const name = moduleSymbol(moduleName('compile', input, flags.name));
  if (flags.proofs !== undefined && memory !== 'fixed')
    throw new UserError('yaos compile: --proofs: only the fixed memory model has stacks of its own');
  const proofs = flags.proofs === undefined ? undefined : readRules(flags.proofs);
  const options = { memory: model, name, proofs, ...translatorOptions('compile', input, flags) };
  if (flags.assembly) {
    const text = translateInput(input, { ...options, listing: true }).listing!;
    if (output === undefined) process.stdout.write(text);
    else replaceFile(output, Buffer.from(text));
  } else {
    if (output === undefined)
      throw new UserError('yaos compile: --output is missing (yaos compile --help tells the options)');
    const translation = translateInput(input, options);
    if (translation.proofs) process.stdout.write(translation.proofs);
    replaceFile(output, translation.object);
  }
}

/** `yaos listing`: the page about a module. */
export function makeListing(
  input: string,
  output: string,
  memory: string,
  { profile, linked, ...flags }: TranslatorFlags & { profile?: string; linked?: string },
): void {
  const model = memoryModel('listing', memory);
  if ((profile === undefined) !== (linked === undefined))
    throw new UserError('yaos listing: --profile and --linked: give both, or neither');
  const page = {
    title: basename(input),
    profile: profile === undefined ? undefined : readProfile(profile, linked!),
    read: sourceText,
  };
  const options = { memory: model, page, ...translatorOptions('listing', input, flags) };
  replaceFile(output, makePage(translateInput(input, options).page!));
}

function memoryModel(command: string, memory: string): TranslateOptions['memory'] {
  if (memory === 'fixed' || memory === 'register') return memory;
  throw new UserError(`yaos ${command}: --memory ${memory}: choose fixed or register`);
}

/** The module's name in C: the one asked for, or the file's with underscores for what C has not. */
export function moduleName(command: string, input: string, name: string | undefined): string {
  if (name === undefined) {
    const plain = basename(input, '.wasm').replaceAll(/^(?=\d)|[^A-Za-z0-9_]/g, '_') || '_';
    return RESERVED.test(plain) ? `${plain}_` : plain;
  }
  if (/^[A-Za-z_]\w*$/.test(name) && !RESERVED.test(name)) return name;
  const rule = 'letters, digits and underscores, no keyword, not yaos';
  throw new UserError(`yaos ${command}: --name ${name}: not a name for C: use ${rule}`);
}

/** The symbol of its descriptor. */
export function moduleSymbol(name: string): string {
  return `yaos_module_${name}`;
}

/** What the flags of `yaos COMMAND` mean for the module in the file `input`. */
export function translatorOptions(
  command: string,
  input: string,
  { disablePass = [], verifyIr, sourceMap }: TranslatorFlags,
): Omit<TranslateOptions, 'memory'> {
  return {
    disabledPasses: parsePasses(command, disablePass),
    verify: verifyIr,
    sourceMap: findSourceMap(input, sourceMap),
  };
}

function parsePasses(command: string, lists: readonly string[]): Set<string> {
  const names = lists.flatMap((list) => list.split(','));
  for (const name of names) {
    if (OPTIONAL_PASSES.includes(name)) continue;
    throw new UserError(
      `yaos ${command}: --disable-pass ${name}: choose among ${OPTIONAL_PASSES.join(', ')}`,
    );
  }
  return new Set(names);
}

/** The map asked for; else the one beside the module, where asc puts it. */
function findSourceMap(input: string, path: string | undefined): TranslateOptions['sourceMap'] {
  const beside = `${input}.map`;
  if (path !== undefined) return readSourceMap(path);
  return existsSync(beside) ? readSourceMap(beside) : undefined;
}

/** The object of the module in a file; what is wrong with the module is said with the file's name. */
export function translateFile(input: string, options: TranslateOptions): Uint8Array {
  return translateInput(input, options).object;
}

/** As translateFile(), with what else was asked for. */
export function translateInput(input: string, options: TranslateOptions): Translation {
  const bytes = readInput(input);
  try {
    return translate(bytes, options);
  } catch (error) {
    if (error instanceof WasmError) throw new UserError(`yaos: ${input}: ${error.message}`);
    throw error;
  }
}
