// Where values are stored: a value of SSA form never changes, so one store that dominates every place where it is in
// memory is enough, and among those the one that runs least. Requires the places where a value passes from a register
// into memory. Guarantees that its slot is valid at each of them.

import type { Cfg } from './cfg.ts';
import type { Program } from './program.ts';

/** A place where a value passes into memory: the gap before `inst`, in phase `phase`, from location `from`. */
export interface Spill {
  inst: number;
  phase: number;
  from: number;
}

/** A block on the way from the definition down the dominator tree to a spill. */
interface Node {
  block: number;
  /** The first spill within the block. */
  spill: Spill | undefined;
  /** Cost of the stores at and below it, and whether it stores itself. */
  cost: number;
  stores: boolean;
}

/**
 * Chooses among the spills and the blocks that dominate them. `defBlock` is where the value is defined, `atStart` the
 * location of the value at the start of a block that dominates a spill (or -1 for memory). Calls `store` for each
 * store: with a spill, or with a block for its start (the definition's block: right behind the definition).
 */
export function placeStores(
  p: Program,
  cfg: Cfg,
  defBlock: number,
  spills: Spill[],
  atStart: (block: number) => number,
  store: (at: Spill | number) => void,
): void {
  const nodes = new Map<number, Node>();
  for (const spill of spills) addPath(p, cfg, defBlock, spill, nodes);
  const order = [...nodes.values()].sort((a, b) => cfg.position[b.block] - cfg.position[a.block]);
  // From the leaves up: each node knows by then what the stores below it cost.
  for (const node of order) {
    const frequency = p.frequency[node.block];
    const here = node.block === defBlock || node.spill !== undefined || atStart(node.block) >= 0;
    if (node.block !== defBlock && !node.spill && !here) node.cost = 0;
    else if (node.spill || (here && frequency < node.cost)) {
      node.stores = true;
      node.cost = frequency;
    }
    if (node.block !== defBlock) nodes.get(cfg.idom[node.block])!.cost += node.cost;
  }
  for (const node of order.reverse()) {
    const parent = node.block === defBlock ? undefined : nodes.get(cfg.idom[node.block])!;
    const covered = parent?.stores === true;
    if (node.stores && !covered) store(node.block === defBlock || !node.spill ? node.block : node.spill);
    // From here on it stands for "the slot is valid below".
    node.stores ||= covered || node.cost === 0;
  }
}

/** Adds the spill's block and those between it and the definition's. */
function addPath(p: Program, cfg: Cfg, defBlock: number, spill: Spill, nodes: Map<number, Node>): void {
  let block = p.blockOfInst[spill.inst];
  const known = nodes.get(block);
  if (known) {
    const first = known.spill;
    if (!first || spill.inst < first.inst || (spill.inst === first.inst && spill.phase < first.phase))
      known.spill = spill;
    return;
  }
  nodes.set(block, { block, spill, cost: 0, stores: false });
  while (block !== defBlock) {
    block = cfg.idom[block];
    if (nodes.has(block)) return;
    nodes.set(block, { block, spill: undefined, cost: 0, stores: false });
  }
}
