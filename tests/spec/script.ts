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

export function loadJson(path: string): Script {
  // wast2json leaves out commas between the expected values of traps.
  const text = readFileSync(path, 'utf8').replace(/\}\{"type"/g, '},{"type"');
  const { commands } = JSON.parse(text);
  return { name: path, commands, read: (filename) => readFileSync(join(dirname(path), filename)) };
}
