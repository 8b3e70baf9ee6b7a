// The tables that tell what has been proved.

import type { CallNode } from './graph.ts';
import type { NeverRule, StackRule } from './rules.ts';

export interface EntryDepth {
  name: string;
  bytes: number;
  /** The deepest. */
  chain: CallNode[];
}

interface StackProof {
  rule: StackRule;
  entries: EntryDepth[];
  nested: EntryDepth[];
}

export function stackTable(
  stacks: readonly StackProof[],
  each: readonly { name: string; branches: EntryDepth[] }[],
  unbounded: readonly string[],
): string {
  const rows = stacks.flatMap(({ rule, entries, nested }) => {
    const above = nested.reduce((sum, { bytes }) => sum + bytes, 0);
    return entries.map(({ name, bytes }) => [rule.name, rule.bytes, name, bytes, above, bytes + above]);
  });
  const all = new Map(stacks.flatMap((s) => [...s.entries, ...s.nested]).map((e) => [e.name, e]));
  const chains = [...all.values()].map(({ name, bytes, chain }) => [name, bytes, deepest(chain)]);
  const lines = [
    'Stacks: the deepest chain of calls from each entry, and what may interrupt it',
    ...columns([['stack', 'bytes', 'entry', 'deepest', 'interrupted', 'needed'], ...rows]),
    '',
    ...columns([['entry', 'deepest', 'chain'], ...chains]),
  ];
  for (const { name, branches } of each) {
    const under = branches.map((b) => [b.name, b.bytes, deepest(b.chain.slice(1))]);
    lines.push('', ...columns([[`${name} calls`, 'deepest', 'chain'], ...under]));
  }
  if (unbounded.length > 0) lines.push('', `not counted, because they overflow: ${unbounded.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

export function neverTable(proofs: readonly { rule: NeverRule; functions: number }[]): string {
  const rows = proofs.map(({ rule, functions }) => [
    rule.entry,
    rule.what.replaceAll('-', ' '),
    functions,
    rule.functions.join(', '),
  ]);
  return [
    'Never reached',
    ...columns([['entry', 'never', 'reaches', 'functions, and none of these'], ...rows]),
    '',
  ].join('\n');
}

/** Every function of the deepest chains with its frame. */
export function chainTable(entries: readonly EntryDepth[]): string {
  const known = new Map(entries.map((entry) => [entry.name, entry]));
  const tables = [...known.values()].map(({ name, chain }) => [
    '',
    ...columns([
      ['frame', `of the deepest chain from ${name}`],
      ...chain.map((n) => [n.frame ?? '-', n.name]),
    ]),
  ]);
  return `${['Chains in full', ...tables.flat()].join('\n')}\n`;
}

/** What the chain comes to, which tells it best in a line. */
function deepest(chain: readonly CallNode[]): string {
  const names = chain.map(({ name }) => name.replace(/^kernel\//, ''));
  return names.length <= 4 ? names.join(' > ') : [...names.slice(0, 2), '…', ...names.slice(-2)].join(' > ');
}

/** Numbers to the right; the last column as long as it is. */
function columns(rows: readonly (string | number)[][]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        if (i === row.length - 1) return String(cell);
        return typeof rows[1]?.[i] === 'number'
          ? String(cell).padStart(widths[i])
          : String(cell).padEnd(widths[i]);
      })
      .join('  ')
      .trimEnd(),
  );
}
