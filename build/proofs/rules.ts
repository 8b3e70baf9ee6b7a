// What is to be proved of a kernel, as text: a rule a line, words between blanks, comments behind '#'. kernel/proofs.txt has the
// kernel's, and docs/abi.md §10 says what each rule means.

import { dirname, join } from 'node:path';
import { UserError } from '../error.ts';
import { readInput } from '../files.ts';

/** An export, with the stack that assembly has taken before it calls it. */
export interface Entry {
  name: string;
  bytes: number;
}

/** A kind of stack. */
export interface StackRule {
  name: string;
  bytes: number;
  /** What begins on it. */
  entries: Entry[];
  /** What may come on top of those, all of it at once. */
  nested: Entry[];
}

/** What no call of an entry leads to. */
export interface NeverRule {
  entry: string;
  what: string;
  functions: string[];
}

export interface Rules {
  /** The file, for messages. */
  path: string;
  stacks: StackRule[];
  never: NeverRule[];
  /** Stack of functions that are not in the module, by symbol. */
  assembly: Map<string, number>;
  /** Functions whose stack is not counted: they are there to overflow it. */
  unbounded: string[];
  /** Functions each of whose callees gets a line of its own in the table. */
  each: string[];
}

export function readRules(path: string): Rules {
  const text = (name: string) => new TextDecoder().decode(readInput(name));
  return parseRules(text(path), path, (name) => text(join(dirname(path), name)));
}

/** `read`: the text of another file by its name in this one. */
export function parseRules(text: string, path: string, read: (name: string) => string): Rules {
  const rules: Rules = { path, stacks: [], never: [], assembly: new Map(), unbounded: [], each: [] };
  const constants = new Map<string, number>();
  text.split('\n').forEach((line, i) => {
    const words = line
      .replace(/(^|\s)#.*/, '')
      .split(/\s+/)
      .filter(Boolean);
    if (words.length === 0) return;
    const fail = (what: string): never => {
      throw new UserError(`yaos: ${path}:${i + 1}: ${what}`);
    };
    parseRule(rules, words, { constants, read, fail });
  });
  return rules;
}

interface Line {
  constants: Map<string, number>;
  read(name: string): string;
  fail(what: string): never;
}

function parseRule(rules: Rules, [rule, ...words]: string[], line: Line): void {
  switch (rule) {
    case 'constants':
      for (const name of words) addConstants(line.read(name), line.constants);
      return;
    case 'stack':
      rules.stacks.push(stackRule(words, line));
      return;
    case 'assembly':
      for (const { name, bytes } of words.map((word) => entry(word, line))) rules.assembly.set(name, bytes);
      return;
    case 'unbounded':
      rules.unbounded.push(...words);
      return;
    case 'each':
      rules.each.push(...words);
      return;
    case 'never': {
      const [name, what, ...functions] = words;
      if (functions.length === 0) line.fail('never ENTRY WHAT FUNCTION…: no function is named');
      rules.never.push({ entry: name, what, functions });
      return;
    }
    default:
      line.fail(
        `no rule '${rule}': there are constants, stack, assembly, unbounded, each, never (docs/abi.md §10)`,
      );
  }
}

function stackRule([name, size, ...words]: string[], line: Line): StackRule {
  const below = words.indexOf('below');
  const first = below < 0 ? words : words.slice(0, below);
  if (first.length === 0) line.fail('stack NAME BYTES ENTRY… [below ENTRY…]: no entry is named');
  const entries = first.map((word) => entry(word, line));
  const nested = below < 0 ? [] : words.slice(below + 1).map((word) => entry(word, line));
  return { name, bytes: numberOf(size, line), entries, nested };
}

/** NAME or NAME+BYTES. */
function entry(word: string, line: Line): Entry {
  const [, name, bytes] = /^(.+?)(?:\+(\w+))?$/.exec(word)!;
  return { name, bytes: bytes === undefined ? 0 : numberOf(bytes, line) };
}

function numberOf(word: string, { constants, fail }: Line): number {
  const value = /^\d+$/.test(word) ? Number(word) : constants.get(word);
  return value ?? fail(`'${word}' is no number, and no constant of that name is known`);
}

/** Those that GNU as is told as plain numbers: `.set NAME, NUMBER`. */
function addConstants(source: string, constants: Map<string, number>): void {
  for (const [, name, value] of source.matchAll(/^\s*\.set\s+(\w+),\s*(0x[0-9a-f]+|\d+)\s*(?:#.*)?$/gim))
    constants.set(name, Number(value));
}
