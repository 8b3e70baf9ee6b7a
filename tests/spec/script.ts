// The commands of a test script in the JSON form that wabt's wast2json writes, with their modules.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** `value` is a number's bits in decimal, `nan:canonical`, `nan:arithmetic`, a host reference's number or `null`. */
export interface Value {
  type: string;
  value?: string;
}

export interface Action {
  type: 'invoke' | 'get';
  module?: string;
  field: string;
  args?: Value[];
}

export interface Command {
  type: string;
  line: number;
  name?: string;
  as?: string;
  action?: Action;
  expected?: Value[];
  text?: string;
  module_type?: string;
  filename?: string;
}

export interface Script {
  name: string;
  commands: Command[];
  /** A module's bytes by the command's `filename`. */
  read(filename: string): Uint8Array;
}

/** Throws, with the file's name, for what wast2json has not made. */
export function loadJson(path: string): Script {
  let commands: unknown;
  try {
    // wast2json leaves out commas between the expected values of traps.
    commands = JSON.parse(readFileSync(path, 'utf8').replace(/\}\{"type"/g, '},{"type"'))?.commands;
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`);
  }
  if (!Array.isArray(commands)) throw new Error(`${path}: it has no "commands": wast2json has not made it`);
  return { name: path, commands, read: (filename) => readFileSync(join(dirname(path), filename)) };
}
