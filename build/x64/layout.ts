// Orders the blocks so that the ways taken most often fall through, and loops are tested at their bottom.
//
// Edges are visited from the most to the least frequent, and each joins two chains of blocks if it leads from the end
// of one to the start of another (Pettis and Hansen, "Profile guided code positioning", 1990, "bottom-up"). A loop's
// jump back is joined before the test at its top, as it runs as often: so the test comes last and leads up.
//
// Requires: an allocated function, edges with frequencies. Guarantees: the entry stays first, cold blocks are last.

import type { MBlock, MFunc, MInst } from './mir.ts';

export const COLD_FREQUENCY = 0.01;
/** A jump that falls through is one instruction less; a branch stays, whichever way falls through. */
const JUMP_WEIGHT = 1.25;
/** The compiler that made the Wasm knew more about its branches than their shape tells: its order is given up only
 * where much speaks against it, or to turn a loop. */
const NATURAL_WEIGHT = 2.5;
/** Of a header's rounds, the share that its way out takes at most. */
const LEAVES_MAX = 0.5;

interface Candidate {
  from: number;
  to: number;
  weight: number;
}

export function layOutBlocks(func: MFunc): void {
  const { blocks } = func;
  if (blocks.length < 3) return;
  const cold = blocks.map((b, i) => i > 0 && b.frequency < COLD_FREQUENCY);
  const chains = new Chains(blocks.length);
  const edges = candidates(blocks).sort((a, b) => b.weight - a.weight);
  for (const { from, to } of edges) if (cold[from] === cold[to]) chains.join(from, to);
  // Chains keep the order of their first blocks, as these stood.
  const order: MBlock[] = [];
  for (const wanted of [false, true]) {
    for (let i = 0; i < blocks.length; i++) {
      if (cold[i] !== wanted || chains.taken(i)) continue;
      for (const k of chains.take(i)) order.push(blocks[k]);
    }
  }
  func.blocks = order;
}

/** The edges that can fall through. Equal weights stay in the order of the blocks. */
function candidates(blocks: MBlock[]): Candidate[] {
  const position = new Map(blocks.map((b, i) => [b, i]));
  const found: Candidate[] = [];
  blocks.forEach((block, from) => {
    const last = block.insts[block.insts.length - 1];
    for (const t of fallingThrough(last)) {
      const to = position.get(t.block)!;
      if (to === 0) continue;
      const jump = last.op === 'jmp';
      const natural = to === from + 1 || (jump && to <= from && testsAtTop(t.block));
      const weight = (t.frequency ?? 0) * (jump ? JUMP_WEIGHT : 1) * (natural ? NATURAL_WEIGHT : 1);
      found.push({ from, to, weight });
    }
  });
  return found;
}

/** Whether a loop's header decides to go on or to leave, which it can as well do at the end of the round. */
function testsAtTop(header: MBlock): boolean {
  const last = header.insts[header.insts.length - 1];
  return last.op === 'br' && last.targets.some((t) => (t.frequency ?? 0) < LEAVES_MAX * header.frequency);
}

function fallingThrough(last: MInst) {
  if (last.op === 'switchtable') return [];
  if (last.op === 'switchchain') return last.targets.slice(-1);
  return last.targets;
}

/** Sequences of blocks, by number. */
class Chains {
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  /** Leads to a block that stands for the chain. */
  private readonly parent: Int32Array;
  private readonly done: Uint8Array;

  constructor(count: number) {
    this.next = new Int32Array(count).fill(-1);
    this.previous = new Int32Array(count).fill(-1);
    this.parent = Int32Array.from({ length: count }, (_, i) => i);
    this.done = new Uint8Array(count);
  }

  private find(block: number): number {
    let b = block;
    while (this.parent[b] !== b) {
      this.parent[b] = this.parent[this.parent[b]];
      b = this.parent[b];
    }
    return b;
  }

  /** Puts `to`'s chain behind `from`'s, if these are its start and the other's end. */
  join(from: number, to: number): void {
    if (this.next[from] >= 0 || this.previous[to] >= 0) return;
    const [a, b] = [this.find(from), this.find(to)];
    if (a === b) return;
    this.parent[b] = a;
    this.next[from] = to;
    this.previous[to] = from;
  }

  taken(block: number): boolean {
    return this.done[block] === 1;
  }

  /** The blocks of a block's chain, in order. */
  take(block: number): number[] {
    let first = block;
    while (this.previous[first] >= 0) first = this.previous[first];
    const chain: number[] = [];
    for (let b = first; b >= 0; b = this.next[b]) {
      this.done[b] = 1;
      chain.push(b);
    }
    return chain;
  }
}
