// S-expressions of the text format, as the reducer changes them: a word (a string in quotes is one), or a list.

export type Node = string | readonly Node[];

const TOKEN = /\s+|;;[^\n]*|([()])|("(?:[^"\\]|\\.)*"|[^\s()";]+)/y;
const CONSTANT = /\.const$/;
const LINE_CHARACTERS_MAX = 100;

/** The one list in a text. */
export function parse(text: string): Node {
  const open: Node[][] = [[]];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (!match) throw new Error('not a text of S-expressions');
    const [, bracket, word] = match;
    if (bracket === '(') open.push([]);
    else if (bracket === ')') open[open.length - 2].push(open.pop()!);
    else if (word) open[open.length - 1].push(word);
  }
  return open[0][0];
}

export function flat(node: Node): string {
  return typeof node === 'string' ? node : `(${node.map(flat).join(' ')})`;
}

/** Long lists on several lines. */
export function pretty(node: Node, indent = ''): string {
  const text = flat(node);
  if (typeof node === 'string' || indent.length + text.length <= LINE_CHARACTERS_MAX) return text;
  const inner = `${indent}  `;
  const words = node.findIndex((n) => typeof n !== 'string');
  const head = node.slice(0, words).join(' ');
  const rest = node.slice(words).map((n) => `\n${inner}${pretty(n, inner)}`);
  return `(${head}${rest.join('')})`;
}

/** The number of words; a constant is one, so that it is simpler than a variable. */
export function size(node: Node): number {
  if (typeof node === 'string' || CONSTANT.test(String(node[0]))) return 1;
  return node.reduce((sum, n) => sum + size(n), 1);
}

/** The node at a path of positions. */
export function at(node: Node, path: readonly number[]): Node {
  return path.reduce<Node>((n, i) => (n as readonly Node[])[i], node);
}

/** A copy with the node at `path` replaced by any number of others. */
export function splice(node: Node, path: readonly number[], count: number, by: readonly Node[]): Node {
  const list = [...(node as readonly Node[])];
  const [first, ...rest] = path;
  if (rest.length === 0) list.splice(first, count, ...by);
  else list[first] = splice(list[first], rest, count, by);
  return list;
}
