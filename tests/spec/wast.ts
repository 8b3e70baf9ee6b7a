// Reads the script language of the official test suite (.wast), as far as the cases in this folder use it, into the
// commands of script.ts. Modules and constants are assembled by wabt.

import { readFileSync } from 'node:fs';
import { wat } from '../wasm/wat.ts';
import type { Action, Command, Script, Value } from './script.ts';

/** A list in parentheses, or a word, or a string; with its place in the text. */
interface Node {
  start: number;
  end: number;
  list?: Node[];
  word?: string;
  string?: string;
}

const TOKEN = /\s+|;;[^\n]*|\(;[\s\S]*?;\)|(\()|(\))|("(?:[^"\\]|\\.)*")|([^\s()";]+)/y;

function parse(text: string): Node[] {
  const top: Node = { start: 0, end: text.length, list: [] };
  const open = [top];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new Error(`line ${lineAt(text, start)}: unexpected character`);
    const [, left, right, string, word] = match;
    const inner = open[open.length - 1].list!;
    const end = TOKEN.lastIndex;
    if (left) open.push(inner[inner.push({ start, end, list: [] }) - 1]);
    else if (right) {
      open.pop()!.end = end;
      if (open.length === 0) throw new Error(`line ${lineAt(text, start)}: too many closing parentheses`);
    } else if (string) inner.push({ start, end, string: unquote(string) });
    else if (word) inner.push({ start, end, word });
  }
  if (open.length !== 1)
    throw new Error(`line ${lineAt(text, open[1].start)}: a parenthesis is never closed`);
  return top.list!;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Names of exports and messages: only what they need of the escapes. */
function unquote(string: string): string {
  return string.slice(1, -1).replace(/\\([0-9a-f]{2}|.)/g, (_, e: string) => {
    return e.length === 2 ? String.fromCharCode(Number.parseInt(e, 16)) : e;
  });
}

export function loadWast(path: string): Script {
  const text = readFileSync(path, 'utf8');
  const modules: Uint8Array[] = [];
  const assemble = (node: Node): string => {
    const source = text.slice(node.start, node.end);
    const binary = node.list!.findIndex((n) => n.word === 'binary');
    const bytes = binary < 0 ? wat(source, path) : bytesOf(node.list!.slice(binary + 1));
    return String(modules.push(bytes) - 1);
  };
  const commands = parse(text).map((node): Command => {
    const [head, ...rest] = node.list!;
    return { line: lineAt(text, node.start), type: head.word!, ...command(head.word!, node, rest, assemble) };
  });
  return { name: path, commands, read: (filename) => modules[Number(filename)] };
}

/** A module in binary form, as strings. */
function bytesOf(strings: Node[]): Uint8Array {
  return Uint8Array.from(Buffer.from(strings.map((s) => s.string).join(''), 'latin1'));
}

function command(type: string, node: Node, rest: Node[], assemble: (node: Node) => string): Partial<Command> {
  switch (type) {
    case 'module':
      return { name: nameOf(rest[0]), filename: assemble(node) };
    case 'register':
      return { as: rest[0].string, name: nameOf(rest[1]) };
    case 'invoke':
    case 'get':
      return { type: 'action', action: action(node) };
    case 'assert_return':
      return { action: action(rest[0]), expected: rest.slice(1).map(value) };
    case 'assert_trap':
      if (rest[0].list![0].word === 'module')
        return { type: 'assert_uninstantiable', filename: assemble(rest[0]), text: rest[1].string };
      return { action: action(rest[0]), text: rest[1].string };
    case 'assert_exhaustion':
      return { action: action(rest[0]), text: rest[1].string };
    case 'assert_invalid':
    case 'assert_malformed':
    case 'assert_unlinkable':
      return { filename: assemble(rest[0]), text: rest[1].string, module_type: 'binary' };
    default:
      throw new Error(`no command ${type}`);
  }
}

function nameOf(node: Node | undefined): string | undefined {
  return node?.word?.startsWith('$') ? node.word : undefined;
}

function action(node: Node): Action {
  const [head, ...rest] = node.list!;
  const module = nameOf(rest[0]);
  const [field, ...args] = module ? rest.slice(1) : rest;
  return { type: head.word as Action['type'], module, field: field.string!, args: args.map(value) };
}

function value(node: Node): Value {
  const [head, literal] = node.list!;
  const [type] = head.word!.split('.');
  if (head.word === 'ref.null') return { type: `${literal.word}ref`, value: 'null' };
  if (head.word === 'ref.extern') return { type: 'externref', value: literal.word };
  if (head.word === 'ref.func') return { type: 'funcref' };
  if (literal.word!.startsWith('nan:') && !literal.word!.startsWith('nan:0x'))
    return { type, value: literal.word };
  return { type, value: bitsOf(type, literal.word!).toString() };
}

/** wabt rounds the literal. It stands in the module's only global, behind the section's head and the opcode. */
function bitsOf(type: string, literal: string): bigint {
  const size = type.endsWith('32') ? 4 : 8;
  if (type[0] === 'i') return BigInt.asUintN(8 * size, integer(literal.replaceAll('_', '')));
  const bytes = wat(`(module (global ${type} (${type}.const ${literal})))`).subarray(14, 14 + size);
  return bytes.reduceRight((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
}

function integer(literal: string): bigint {
  return literal.startsWith('-') ? -BigInt(literal.slice(1)) : BigInt(literal.replace('+', ''));
}
