// How kernel code gives up: the reason is put down here and a trap is taken, so that the report (panic/report.ts)
// starts from an exception frame and has every register, whatever the cause.

class Cause {
  /** Null: nobody asked for the trap, it is a fault. */
  reason: string | null = null;
  /** Where an assertion failed, if one did. */
  file: string | null = null;
  line: u32 = 0;
}

/** In static memory: asc compiles this file first, for `abort`, when the allocator has no heap yet. */
export const cause = changetype<Cause>(memory.data(offsetof<Cause>()));

export function panic(reason: string): void {
  cause.reason = reason;
  unreachable();
}

/** AssemblyScript's `abort` (asc --use abort=…): failed assertions, bounds checks and `throw` end here. */
export function abort(message: string | null, file: string | null, line: u32, _column: u32): void {
  cause.file = file;
  cause.line = line;
  panic(message !== null ? message : 'abort');
}
