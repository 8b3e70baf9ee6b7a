// Splits a line into words as a POSIX shell does, without expansions: blanks part words, quotes of both kinds
// and backslashes keep them together (POSIX shell command language 2.2).

import { UserError } from '../error.ts';

/** `name` says in the error message where the line comes from. */
export function splitWords(name: string, line: string): string[] {
  const words: string[] = [];
  // A word is a run of bare characters, 'single-quoted', "double-quoted" and \escaped pieces.
  const word = /(?:[^\s'"\\]|'[^']*'|"(?:[^"\\]|\\[\s\S])*"|\\[\s\S])+/y;
  const blanks = /\s*/y;
  let at = 0;
  for (;;) {
    blanks.lastIndex = at;
    blanks.exec(line);
    at = blanks.lastIndex;
    if (at === line.length) return words;
    word.lastIndex = at;
    const found = word.exec(line);
    if (found === null || isQuote(line[word.lastIndex])) {
      throw new UserError(`yaos: ${name}: unbalanced quotes or a backslash at the end: ${line}`);
    }
    words.push(unquote(found[0]));
    at = word.lastIndex;
  }
}

function isQuote(character: string | undefined): boolean {
  return character !== undefined && `'"\\`.includes(character);
}

function unquote(word: string): string {
  return word.replace(/'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])/g, (_, single, double, escaped) => {
    if (single !== undefined) return single;
    if (double !== undefined) return double.replace(/\\(["\\$`])/g, '$1');
    return escaped;
  });
}
