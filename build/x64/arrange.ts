// The passes over a function's blocks between register allocation and emission, in order. Registers are final by then,
// and edges carry nothing, so that blocks can be copied, moved and left out freely.

import { alignLoops } from './align.ts';
import { decideBranches } from './known-branches.ts';
import { layOutBlocks } from './layout.ts';
import type { MFunc } from './mir.ts';
import { skipJumps } from './skip-jumps.ts';
import { orderSlots } from './slot-order.ts';
import { duplicateTails } from './tail-duplicate.ts';

export interface BlockPass {
  name: string;
  run(func: MFunc): void;
}

/** Before the others: only it changes where anything is. */
export const SLOT_PASS: BlockPass = { name: 'slot-order', run: orderSlots };

export const BLOCK_PASSES: readonly BlockPass[] = [
  { name: 'skip-jumps', run: skipJumps },
  { name: 'tail-duplication', run: duplicateTails },
  { name: 'known-branches', run: decideBranches },
  { name: 'layout', run: layOutBlocks },
  { name: 'align', run: alignLoops },
];

/** What costs room: not for cold functions. */
const FOR_SPEED: ReadonlySet<string> = new Set(['tail-duplication', 'align']);

export function arrange(func: MFunc, disabled?: ReadonlySet<string>, cold = false): void {
  for (const { name, run } of BLOCK_PASSES)
    if (!disabled?.has(name) && !(cold && FOR_SPEED.has(name))) run(func);
}
