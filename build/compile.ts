// `yaos compile`: one module to one object file. The options of the translator that every command takes which
// translates a module are here too.

import { existsSync } from 'node:fs';
import { tuneForModule } from './engine.ts';
import { UserError } from './error.ts';
import { readInput, replaceFile } from './files.ts';
import { readSourceMap } from './object/sourcemap.ts';
import { PASSES } from './opt/passes.ts';
import { type TranslateOptions, translate } from './translate.ts';
import { WasmError } from './wasm/module.ts';
import { BLOCK_PASSES } from './x64/arrange.ts';

/** As they stand on the command line. */
export interface TranslatorFlags {
  disablePass?: readonly string[];
  verifyIr?: boolean;
  sourceMap?: string;
}

export function compileFile(
  input: string,
  output: string,
  memory: string,
  flags: TranslatorFlags = {},
): void {
  if (memory !== 'fixed' && memory !== 'register') {
    throw new UserError(`yaos compile: --memory ${memory}: choose fixed or register`);
  }
  replaceFile(output, translateFile(input, { memory, ...translatorOptions('compile', input, flags) }));
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
  const known = new Set([...PASSES.filter((p) => !p.required), ...BLOCK_PASSES].map((p) => p.name));
  const names = lists.flatMap((list) => list.split(','));
  for (const name of names) {
    if (known.has(name)) continue;
    throw new UserError(`yaos ${command}: --disable-pass ${name}: choose among ${[...known].join(', ')}`);
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
  const bytes = readInput(input);
  tuneForModule(bytes.length);
  try {
    return translate(bytes, options).object;
  } catch (error) {
    if (error instanceof WasmError) throw new UserError(`yaos: ${input}: ${error.message}`);
    throw error;
  }
}
