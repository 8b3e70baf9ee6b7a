// Turns a parallel move (all sources are read before any destination is written) into a sequence. Each destination
// occurs once; a source may occur often. A cycle goes through a scratch register: xmm15, which is never allocated, if
// it has a float in it, else a free integer register; if there is none it becomes exchanges.

import type { Loc } from '../mir.ts';

/** The register for cycles of floats. */
export const SCRATCH_FLOAT: Loc = 31;

export interface Move {
  to: Loc;
  from: Loc;
  float: boolean;
  /** The value has zero upper 32 bits. */
  narrow: boolean;
}

export interface Step extends Move {
  /** Exchange both locations instead of copying. */
  exchange: boolean;
}

/** `free` finds an integer register that nothing else needs, or -1. */
export function sequence(moves: Move[], free: () => Loc): Step[] {
  const steps: Step[] = [];
  if (moves.length === 1) {
    const [only] = moves;
    if (only.to !== only.from) steps.push({ ...only, exchange: false });
    return steps;
  }
  const pending = new Map<Loc, Move>();
  const readers = new Map<Loc, number>();
  for (const m of moves) {
    if (m.to === m.from) continue;
    pending.set(m.to, m);
    readers.set(m.from, (readers.get(m.from) ?? 0) + 1);
  }
  const ready: Loc[] = [];
  for (const to of pending.keys()) if (!readers.has(to)) ready.push(to);
  while (pending.size > 0) {
    while (ready.length > 0) {
      const m = pending.get(ready.pop()!)!;
      pending.delete(m.to);
      steps.push({ ...m, exchange: false });
      const left = readers.get(m.from)! - 1;
      readers.set(m.from, left);
      if (left === 0 && pending.has(m.from)) ready.push(m.from);
    }
    // Only cycles are left, and each location in one has exactly one reader.
    if (pending.size > 0) breakCycle(pending, steps, free);
  }
  return steps;
}

function breakCycle(pending: Map<Loc, Move>, steps: Step[], free: () => Loc): void {
  const cycle: Move[] = [];
  const first: Move = pending.values().next().value!;
  for (let m = first; pending.delete(m.to); m = pending.get(m.from) ?? first) cycle.push(m);
  const at = Math.max(
    cycle.findIndex((m) => m.float),
    0,
  );
  const last = cycle[at];
  const scratch = last.float ? SCRATCH_FLOAT : free();
  if (scratch < 0) {
    // Each exchange puts the right value in `to` and what was there in `from`, where its reader will look for it.
    for (const m of cycle.slice(0, -1)) steps.push({ ...m, exchange: true });
    return;
  }
  // Save what one move reads; then the others can go, beginning with the one that overwrites it.
  steps.push({ ...last, to: scratch, exchange: false });
  for (let k = 1; k < cycle.length; k++) steps.push({ ...cycle[(at + k) % cycle.length], exchange: false });
  steps.push({ ...last, from: scratch, exchange: false });
}
