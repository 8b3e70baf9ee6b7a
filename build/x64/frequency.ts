// How often each block runs for one call of the function, estimated from the shape of the control flow: loops go
// round, blocks that can only trap are cold, and of two ways the one without a call is the likelier. The register
// allocator and the layout weigh their choices by this. Requires critical edges to be split; the graph may have any loops.
//
// Each edge has a probability. A loop's header runs 1 / (1 - c) times for each time it is entered, where c is the
// probability of coming back to it (Wu and Larus, "Static branch frequency and program profile analysis", 1994).

import type { MBlock, MFunc } from './mir.ts';

/** Weights of a block's successors, compared with one another. */
const LEAVES_LOOP = 0.12;
const CALLS = 0.4;
const COLD = 0.0005;
/** A loop is not thought to go round more often than this. */
const ROUNDS_MAX = 40;
/** Loops around so many others, one in the other, are not looked at: they count as going round once. */
const HEIGHT_MAX = 24;
/** What nests of loops may multiply to: the allocator has greater weights for what must be in a register. */
const FREQUENCY_MAX = 1e12;

interface Node {
  block: MBlock;
  /** Position in reverse post-order. */
  order: number;
  successors: Node[];
  probability: number[];
  predecessors: Node[];
  /** The innermost loop that it belongs to, if any. */
  loop: Loop | undefined;
  cold: boolean;
  frequency: number;
  /** Of a header: how often it runs for each time that the loop is entered. */
  rounds: number;
}

export function estimateFrequencies(func: MFunc): void {
  const nodes = reversePostOrder(func);
  const loops = findLoops(nodes);
  for (let i = nodes.length - 1; i >= 0; i--) nodes[i].cold = isCold(nodes[i]);
  for (const n of nodes) n.probability = probabilities(n);
  for (const { header, body, height } of loops) {
    if (height > HEIGHT_MAX) continue;
    propagate(header, body);
    header.rounds = Math.min(1 / Math.max(1 - returning(header), 1e-9), ROUNDS_MAX);
  }
  propagate(nodes[0], nodes);
  for (const n of nodes) annotate(n);
}

function annotate({ block, frequency, probability }: Node): void {
  block.frequency = Math.min(frequency, FREQUENCY_MAX);
  block.insts[block.insts.length - 1].targets.forEach((t, k) => {
    t.frequency = block.frequency * probability[k];
  });
}

function reversePostOrder(func: MFunc): Node[] {
  const known = new Map<MBlock, Node>();
  const nodeOf = (block: MBlock): Node => {
    const old = known.get(block);
    if (old) return old;
    const node: Node = {
      block,
      order: -1,
      successors: [],
      probability: [],
      predecessors: [],
      loop: undefined,
      cold: false,
      frequency: 0,
      rounds: 1,
    };
    known.set(block, node);
    return node;
  };
  const post: Node[] = [];
  const stack = [nodeOf(func.blocks[0])];
  for (;;) {
    const node = stack.at(-1);
    if (!node) break;
    const { targets } = node.block.insts[node.block.insts.length - 1];
    if (node.successors.length < targets.length) {
      const seen = known.has(targets[node.successors.length].block);
      const to = nodeOf(targets[node.successors.length].block);
      node.successors.push(to);
      to.predecessors.push(node);
      if (!seen) stack.push(to);
    } else {
      post.push(node);
      stack.pop();
    }
  }
  const nodes = post.reverse();
  for (let i = 0; i < nodes.length; i++) nodes[i].order = i;
  return nodes;
}

interface Loop {
  header: Node;
  /** In order; empty where the loop is too high to be looked at. */
  body: Node[];
  /** How many loops there are one in the other, this one included. */
  height: number;
  outer: Loop | undefined;
  /** A loop around it, if one has been found: leads to the outermost one that is known. */
  around: Loop | undefined;
}

/** The natural loops, inner ones before those around them. */
function findLoops(nodes: Node[]): Loop[] {
  const loops: Loop[] = [];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const header = nodes[i];
    const latches = header.predecessors.filter((p) => p.order >= i);
    if (latches.length === 0) continue;
    const loop = { header, body: [header], height: 1, outer: undefined, around: undefined };
    collect(loop, latches);
    loops.push(loop);
  }
  return loops;
}

/** Walks backwards from the latches to the header. A loop found before is stepped over as a whole. */
function collect(loop: Loop, latches: Node[]): void {
  const { header } = loop;
  const inner: Loop[] = [];
  header.loop ??= loop;
  for (let n = latches.pop(); n; n = latches.pop()) {
    const known = outermost(n.loop);
    if (known === loop) continue;
    if (known) {
      known.outer = loop;
      known.around = loop;
      inner.push(known);
    } else {
      n.loop = loop;
      loop.body.push(n);
    }
    for (const p of (known?.header ?? n).predecessors) if (p.order > header.order) latches.push(p);
  }
  for (const { height } of inner) loop.height = Math.max(loop.height, height + 1);
  if (loop.height > HEIGHT_MAX) loop.body = [];
  else for (const { body } of inner) for (const n of body) loop.body.push(n);
  loop.body.sort((a, b) => a.order - b.order);
}

/** The outermost loop around that has been found; shortens the way there. */
function outermost(from: Loop | undefined): Loop | undefined {
  let loop = from;
  while (loop?.around) {
    loop.around = loop.around.around ?? loop.around;
    loop = loop.around;
  }
  return loop;
}

/** Whether every way from here ends in a trap. */
function isCold(node: Node): boolean {
  if (node.successors.length === 0) return node.block.insts[node.block.insts.length - 1].op === 'trap';
  return node.successors.every((s) => s.order > node.order && s.cold);
}

function probabilities(node: Node): number[] {
  const weights = node.successors.map((s) => {
    if (s.cold) return COLD;
    let weight = 1;
    if (leavesLoop(node, s)) weight *= LEAVES_LOOP;
    if (calls(s)) weight *= CALLS;
    return weight;
  });
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
}

/** Whether the edge leaves the innermost loop of its source. It may enter one within that, by the header. */
function leavesLoop(from: Node, to: Node): boolean {
  const { loop } = from;
  if (!loop || to.loop === loop) return false;
  return to.loop?.header !== to || to.loop.outer !== loop;
}

function calls(node: Node): boolean {
  return node.block.insts.some((inst) => inst.op === 'call');
}

/** Fills in the frequencies of a loop's body (or the whole function) relative to its header's. */
function propagate(header: Node, body: Node[]): void {
  for (const n of body) n.frequency = 0;
  header.frequency = 1;
  for (const n of body) {
    if (n !== header) n.frequency *= n.rounds;
    for (let k = 0; k < n.successors.length; k++) {
      const s = n.successors[k];
      if (s.order > n.order) s.frequency += n.frequency * n.probability[k];
    }
  }
}

/** The probability of coming back to a header, from the frequencies in its loop. */
function returning(header: Node): number {
  let sum = 0;
  for (const p of new Set(header.predecessors)) {
    if (p.order < header.order) continue;
    for (let k = 0; k < p.successors.length; k++) {
      if (p.successors[k] === header) sum += p.frequency * p.probability[k];
    }
  }
  return sum;
}
