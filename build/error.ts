// An error that the user can act on: its message is the whole line that the command prints.

export class UserError extends Error {
  override name = 'UserError';
}
