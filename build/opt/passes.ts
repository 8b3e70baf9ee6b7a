// The passes over a function's IR, in order. Each is a function that leaves the IR well-formed (ir/verify.ts) and does
// nothing else than its name says; any but the required ones can be left out, for measuring and for finding which one
// is to blame.

import type { Func } from '../ir/ir.ts';
import { verify } from '../ir/verify.ts';
import { simplifyBits } from './bits.ts';
import { simplifyCfg } from './cfg.ts';
import { decideConditions } from './conditions.ts';
import { removeDeadCode } from './dce.ts';
import { expandDivisions } from './divide.ts';
import { fold } from './fold.ts';
import { numberValues } from './gvn.ts';
import { type Inliner, inlineCalls } from './inline.ts';
import { legalise } from './legalise.ts';
import { hoistInvariants } from './licm.ts';
import { eliminateLoads } from './loads.ts';
import { foldOffsets } from './offsets.ts';
import { unrollRecursion } from './recursion.ts';

/** What the processor can do. */
export interface Features {
  popcnt: boolean;
  sse41: boolean;
}

/** The x86-64 baseline: what every processor has. */
export const BASELINE: Features = { popcnt: false, sse41: false };

export interface Pass {
  name: string;
  /** Without it the IR cannot be selected. */
  required?: boolean;
  run(func: Func, features: Features, inliner: Inliner | undefined): void;
}

export const PASSES: readonly Pass[] = [
  { name: 'inline', run: (func, _, inliner) => inliner && inlineCalls(func, inliner) },
  { name: 'recursion', run: (func, _, inliner) => inliner && unrollRecursion(func, inliner) },
  { name: 'fold', run: fold },
  { name: 'conditions', run: decideConditions },
  { name: 'dce', run: removeDeadCode },
  { name: 'cfg', run: simplifyCfg },
  { name: 'bits', run: simplifyBits },
  { name: 'divide', run: expandDivisions },
  { name: 'gvn', run: numberValues },
  { name: 'loads', run: eliminateLoads },
  { name: 'licm', run: hoistInvariants },
  { name: 'fold-again', run: fold },
  { name: 'offsets', run: foldOffsets },
  { name: 'dce-again', run: removeDeadCode },
  { name: 'legalise', required: true, run: legalise },
];

export interface OptimiseOptions {
  features?: Features;
  /** Without it nothing is inlined. */
  inliner?: Inliner;
  /** Names of passes to leave out. */
  disabled?: ReadonlySet<string>;
  /** Check the IR before the first pass and after each. */
  verify?: boolean;
  /** Called after each pass, for listings. */
  trace?: (func: Func, pass: string) => void;
}

export function optimise(func: Func, options: OptimiseOptions = {}): void {
  improve(func, options);
  lower(func, options);
}

/** The passes that can be left out: what they leave can be inlined elsewhere. */
export function improve(func: Func, options: OptimiseOptions): void {
  if (options.verify) verify(func, 'before the passes');
  for (const pass of PASSES) {
    if (!pass.required && !options.disabled?.has(pass.name)) perform(pass, func, options);
  }
}

/** The passes that the selector needs. */
export function lower(func: Func, options: OptimiseOptions): void {
  for (const pass of PASSES) if (pass.required) perform(pass, func, options);
}

function perform(pass: Pass, func: Func, options: OptimiseOptions): void {
  pass.run(func, options.features ?? BASELINE, options.inliner);
  options.trace?.(func, pass.name);
  if (options.verify) verify(func, `after ${pass.name}`);
}
