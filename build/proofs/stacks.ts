// How deep a stack becomes: the longest way through the machine code's call graph, each function weighed with its frame. There is
// none where the graph has a circle.

import type { CallNode } from './graph.ts';

export interface Depth {
  /** From the caller's rsp before the call on: return address, frame, and what it calls. */
  bytes: number;
  /** The next function of the deepest chain. */
  next?: CallNode;
}

/** A function and those that it calls again and again. */
export class Unbounded extends Error {
  readonly chain: CallNode[];
  constructor(chain: CallNode[]) {
    super('unbounded');
    this.chain = chain;
  }
}

/** The return address; or, in a function that calls nothing, the flags that it saves (`irq_save`). */
const CALL_BYTES = 8;

export interface StackOptions {
  /** Bytes of what is not in the graph's functions; it throws if they are not known. */
  assembly(node: CallNode, chain: readonly CallNode[]): number;
  isUnbounded(node: CallNode): boolean;
}

export class Depths {
  private readonly options: StackOptions;
  private readonly known = new Map<CallNode, Depth>();
  /** The chain that is being looked at. */
  private readonly open: CallNode[] = [];
  private readonly isOpen = new Set<CallNode>();

  constructor(options: StackOptions) {
    this.options = options;
  }

  /** Throws Unbounded. */
  of(node: CallNode): Depth {
    const known = this.known.get(node);
    if (known) return known;
    if (this.isOpen.has(node)) throw new Unbounded([...this.open, node]);
    this.open.push(node);
    this.isOpen.add(node);
    const depth = this.measure(node);
    this.open.pop();
    this.isOpen.delete(node);
    this.known.set(node, depth);
    return depth;
  }

  private measure(node: CallNode): Depth {
    if (node.frame === undefined) return { bytes: CALL_BYTES + this.options.assembly(node, this.open) };
    let deepest: Depth = { bytes: CALL_BYTES };
    if (!this.options.isUnbounded(node)) {
      for (const next of node.calls) {
        const { bytes } = this.of(next);
        if (bytes >= deepest.bytes) deepest = { bytes, next };
      }
    }
    return { ...deepest, bytes: CALL_BYTES + node.frame + deepest.bytes };
  }

  chain(node: CallNode): CallNode[] {
    const chain = [];
    for (let at: CallNode | undefined = node; at; at = this.of(at).next) chain.push(at);
    return chain;
  }
}
