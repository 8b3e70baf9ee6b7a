// How kernel code gives up: the reason is put down here and a trap is taken, so that the report (panic/report.ts)
// starts from an exception frame and has every register, whatever the cause.

/** Static fields and no object: asc compiles this file first, for `abort`, when the allocator has no heap yet. */
export abstract class Cause {
  /** Null: nobody asked for the trap, it is a fault. */
  static reason: string | null = null;
  /** Where an assertion failed, if one did. */
  static file: string | null = null;
  static line: u32 = 0;
}

export function panic(why: string): void {
  Cause.reason = why;
  unreachable();
}

/** AssemblyScript's `abort` (asc --use abort=…): failed assertions, bounds checks and `throw` end here. */
export function abort(message: string | null, file: string | null, line: u32, _column: u32): void {
  fail(message, file, line);
}

/** A function of its own, since asc compiles `abort` itself before the fields above are declared. */
function fail(message: string | null, file: string | null, line: u32): void {
  Cause.file = file;
  Cause.line = line;
  panic(message !== null ? message : 'abort');
}
