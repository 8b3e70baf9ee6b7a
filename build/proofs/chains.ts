// Chains of calls as text, and where in the source each call stands. Machine code's chains leave out what has been inlined; the
// module's graph knows the way through it.

import type { Places } from '../object/places.ts';
import type { WasmModule } from '../wasm/module.ts';
import type { CallNode } from './graph.ts';

export function chainText(chain: readonly CallNode[]): string {
  return chain.map(({ name }) => name).join(' > ');
}

export function framesText(chain: readonly CallNode[]): string {
  return chain.map(({ name, frame }) => `${name} ${frame ?? ''}`.trim()).join(' > ');
}

/** A shortest way in a graph, with both ends. */
function shortestChain(start: CallNode, isEnd: (node: CallNode) => boolean): CallNode[] | undefined {
  const from = new Map<CallNode, CallNode | undefined>([[start, undefined]]);
  for (const node of from.keys()) {
    if (node !== start && isEnd(node)) return wayTo(node, from);
    for (const next of node.calls) if (!from.has(next)) from.set(next, node);
  }
  return undefined;
}

export function wayTo(node: CallNode, from: ReadonlyMap<CallNode, CallNode | undefined>): CallNode[] {
  const chain: CallNode[] = [];
  for (let at: CallNode | undefined = node; at; at = from.get(at)) chain.unshift(at);
  return chain;
}

export class Calls {
  private readonly module: WasmModule;
  private readonly nodes: readonly CallNode[];
  private readonly places: Places;

  /** `nodes`: the module's graph. */
  constructor(module: WasmModule, nodes: readonly CallNode[], places: Places) {
    this.module = module;
    this.nodes = nodes;
    this.places = places;
  }

  /** A line for each call of a chain, in either graph, if the source is known: `FILE:LINE: CALLER calls CALLEE`. */
  lines(chain: readonly CallNode[]): string {
    const steps = chain.flatMap((node, i) => (i === 0 ? [] : this.between(chain[i - 1], node)));
    return steps.map((line) => `\n${line}`).join('');
  }

  private between(caller: CallNode, callee: CallNode): string[] {
    if (caller.func === undefined) return [];
    const isEnd = ({ func, name }: CallNode) =>
      callee.func === undefined ? name === callee.name : func === callee.func;
    const way = shortestChain(this.nodes[caller.func], isEnd) ?? [];
    return way.slice(1).flatMap((node, i) => this.line(way[i], node));
  }

  /** None for what the compiler has made, as the choice among overriding methods. */
  private line(caller: CallNode, callee: CallNode): string[] {
    const { body } = this.module.funcs[caller.func!];
    const { file, line } = this.places.placeOf(caller.sites.get(callee)!, body!.start);
    return file === undefined ? [] : [`${file}:${line}: ${caller.name} calls ${callee.name}`];
  }
}
