// Register allocation: gives every operand of a machine function a register or a spill slot and inserts the moves
// that this takes. The passes, in order: program (numbering), liveness, bundles (coalescing), allocate (with split),
// slots, moves (with stores), rewrite (with parallel-move). Requires and guarantees what mir.ts says of MFunc.

import type { MFunc, RegEnv } from '../mir.ts';
import { Allocator } from './allocate.ts';
import { formBundles } from './bundles.ts';
import { computeRanges, type Patience } from './liveness.ts';
import { Resolver } from './moves.ts';
import { Program } from './program.ts';
import { rewrite } from './rewrite.ts';
import { assignSlots } from './slots.ts';

/** `patience` is for tests. */
export function allocate(func: MFunc, env: RegEnv, patience?: Patience): void {
  const program = new Program(func, env);
  const allocator = new Allocator(program);
  allocator.run(
    formBundles(
      program,
      computeRanges(program, () => allocator.cfg, patience),
    ),
  );
  const { memory, registers } = allocator;
  assignSlots(func, memory);
  const gaps = new Resolver(program, () => allocator.cfg, registers.ranges().concat(memory)).run();
  rewrite(program, registers, gaps);
}
