// An error that the user can act on: its message is the whole line that the command prints.

export class UserError extends Error {
  override name = 'UserError';
}

/** What others say, which may have pieces of a file in it, as part of a line for a terminal. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, ' ');
}
