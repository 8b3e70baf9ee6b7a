// `yaos compile`: one module to one object file.

import { UserError } from './error.ts';
import { readInput, replaceFile } from './files.ts';
import { type TranslateOptions, translate } from './translate.ts';
import { WasmError } from './wasm/module.ts';

export function compileFile(input: string, output: string, memory: string): void {
  if (memory !== 'fixed' && memory !== 'register') {
    throw new UserError(`yaos compile: --memory ${memory}: choose fixed or register`);
  }
  replaceFile(output, translateFile(input, { memory }));
}

/** The object of the module in a file; what is wrong with the module is said with the file's name. */
export function translateFile(input: string, options: TranslateOptions): Uint8Array {
  const bytes = readInput(input);
  try {
    return translate(bytes, options).object;
  } catch (error) {
    if (error instanceof WasmError) throw new UserError(`yaos: ${input}: ${error.message}`);
    throw error;
  }
}
