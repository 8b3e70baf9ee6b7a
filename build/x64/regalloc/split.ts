// Splitting: cuts a bundle that fits no register as a whole into parts that may. Requires a bundle with a conflict in
// every candidate register. Guarantees that cuts lie in gaps between instructions, that the parts cover the bundle
// and that each is smaller than it.

import { Bundle } from './bundles.ts';
import { clip, type Range } from './liveness.ts';
import type { Program } from './program.ts';
import type { RegisterFile } from './registers.ts';

/** Cuts where the register that is free longest is taken; undefined when nothing is gained. */
export function splitAtConflict(
  p: Program,
  bundle: Bundle,
  candidates: number[],
  registers: RegisterFile,
): Bundle[] | undefined {
  let best = -1;
  for (const reg of candidates) best = Math.max(best, registers.conflicts(bundle, reg, 0).firstPoint);
  const cut = best & ~3;
  const from = bundle.ranges[0].from;
  const to = bundle.ranges[bundle.ranges.length - 1].to;
  if (cut <= from || cut >= to || !usesBetween(p, bundle.ranges, from, cut)) return undefined;
  const before: Range[] = [];
  const after: Range[] = [];
  for (const r of bundle.ranges) {
    if (r.from < cut) before.push(r.to <= cut ? r : clip(p, r, r.from, cut));
    if (r.to > cut) after.push(r.from >= cut ? r : clip(p, r, cut, r.to));
  }
  return [new Bundle(before, bundle.cls, bundle.home), new Bundle(after, bundle.cls, bundle.home)];
}

function usesBetween(p: Program, ranges: Range[], from: number, to: number): boolean {
  for (const r of ranges) {
    if (p.firstUseFrom(r.useBegin, r.useEnd, from) < p.firstUseFrom(r.useBegin, r.useEnd, to)) return true;
  }
  return false;
}
