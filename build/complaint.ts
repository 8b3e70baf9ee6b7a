// What a compiler or assembler complains of, as one line that begins with the place, then the line of the source with a caret.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths.ts';

export interface Place {
  /** Below the root. */
  file: string;
  /** Both count from 1. */
  line: number;
  /** Absent: where the line's text begins. */
  column?: number;
  /** Characters that are meant. */
  length?: number;
}

export function complaint({ file, line, column, length = 1 }: Place, message: string): string {
  const source = sourceLine(file, line);
  if (source === undefined) return `${file}:${line}: ${message}`;
  const first = column ?? source.search(/\S|$/) + 1;
  // Tabs stay, so that the caret stands below what it points at, however wide they are.
  const before = source.slice(0, first - 1).replace(/[^\t]/g, ' ');
  const under = '~'.repeat(Math.max(0, Math.min(length, source.length - first + 1) - 1));
  const margin = `${line} | `;
  return [
    `${file}:${line}:${first}: ${message}`,
    `${margin}${source}`,
    `${' '.repeat(margin.length - 2)}| ${before}^${under}`,
  ].join('\n');
}

function sourceLine(file: string, line: number): string | undefined {
  try {
    return readFileSync(join(root, file), 'utf8').split(/\r?\n/)[line - 1];
  } catch {
    return undefined; // in a library, or gone since
  }
}

/** The same of what binutils print: lines `FILE:LINE: MESSAGE`, at most after words that say less. */
export function withSources(output: string): string {
  return output
    .split('\n')
    .filter((text) => text !== '' && !/(: Assembler messages:|: in function `[^']*':)$/.test(text))
    .map((text) => {
      const [, file, line, message] =
        /(?:^|: )(?:\.\/)?(\w[\w./-]*\.(?:S|inc|ts)):(\d+): (.*)$/.exec(text) ?? [];
      return file === undefined ? text : complaint({ file, line: Number(line) }, message);
    })
    .join('\n');
}
