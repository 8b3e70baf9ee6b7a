// The two call graphs that proofs are about. The machine code's, behind the inliner, has each function's frame: it tells how deep
// a stack becomes. The module's has also the calls of what has been inlined: it tells what can be reached.

import { sigOf } from '../ir/emitter.ts';
import type { Sig } from '../ir/ir.ts';
import type { Program } from '../object/program.ts';
import { scanModule } from '../wasm/calls.ts';
import type { FuncType, WasmModule } from '../wasm/module.ts';
import type { Callee } from '../x64/emit.ts';

export interface CallNode {
  readonly name: string;
  /** Index in the module; undefined: it is not in there. */
  readonly func?: number;
  /** Bytes of stack below the return address; undefined: it is not in the module. */
  readonly frame: number | undefined;
  readonly calls: Set<CallNode>;
  /** Byte offset of the first call of each, in the module's graph. */
  readonly sites: Map<CallNode, number>;
}

/** What a call of a type through a table can reach: the functions of this type whose reference is in the module's elements, or taken
 * by its code. Calls of constant elements are direct ones since Binaryen. */
class References {
  private readonly byType = new Map<string, number[]>();

  constructor(module: WasmModule, taken: Iterable<number>) {
    const indices = new Set(taken);
    for (const { items } of module.elems)
      for (const op of items.flat()) if (op.op === 'ref.func') indices.add(op.index);
    for (const { init = [] } of module.globals)
      for (const op of init) if (op.op === 'ref.func') indices.add(op.index);
    for (const index of indices) {
      const key = keyOf(module.funcs[index].type);
      const known = this.byType.get(key);
      if (known) known.push(index);
      else this.byType.set(key, [index]);
    }
  }

  of(type: FuncType | Sig): readonly number[] {
    return this.byType.get(keyOf(type)) ?? [];
  }
}

/** References are addresses in both. */
function keyOf(type: FuncType | Sig): string {
  const { params, results } = sigOf(type as FuncType);
  return `${params}:${results}`;
}

/** Symbol of an imported function, as asm/ defines it. */
function symbolOf(module: WasmModule, index: number): string | undefined {
  const from = module.funcs[index].import;
  return from && `${from.module}.${from.name}`;
}

export interface Graphs {
  /** By function index. */
  module: CallNode[];
  /** What is in the machine code, by its key there; assembly by its symbol. */
  machine: Map<string, CallNode>;
  /** By function index: those that have code of their own. */
  compiled: Map<number, CallNode>;
}

export function callGraphs(module: WasmModule, program: Program): Graphs {
  const bodies = scanModule(module);
  const references = new References(
    module,
    bodies.flatMap((b) => b?.taken ?? []),
  );
  const nodes: CallNode[] = module.funcs.map((f) => ({
    name: symbolOf(module, f.index) ?? f.name,
    func: f.index,
    frame: undefined,
    calls: new Set(),
    sites: new Map(),
  }));
  bodies.forEach((body, i) => {
    if (!body) return;
    const indirect = body.indirect.flatMap(({ type, offset }) =>
      references.of(type).map((callee) => ({ callee, offset })),
    );
    for (const { callee, offset } of [...body.direct, ...indirect]) {
      nodes[i].calls.add(nodes[callee]);
      if (!nodes[i].sites.has(nodes[callee])) nodes[i].sites.set(nodes[callee], offset);
    }
  });
  return { module: nodes, ...machineGraph(module, program, references) };
}

function machineGraph(
  module: WasmModule,
  program: Program,
  references: References,
): Pick<Graphs, 'machine' | 'compiled'> {
  const machine = new Map<string, CallNode>();
  const compiled = new Map<number, CallNode>();
  for (const { key, name, func, frame } of program.functions) {
    const node = { name, func, frame, calls: new Set<CallNode>(), sites: new Map() };
    machine.set(key, node);
    if (func !== undefined) compiled.set(func, node);
  }
  const assembly = (symbol: string): CallNode => {
    const known = machine.get(symbol) ?? {
      name: symbol,
      frame: undefined,
      calls: new Set<CallNode>(),
      sites: new Map(),
    };
    machine.set(symbol, known);
    return known;
  };
  const reached = (callee: Callee): CallNode[] => {
    if (typeof callee === 'string') return [assembly(callee)];
    return references.of(callee).map((i) => compiled.get(i) ?? assembly(symbolOf(module, i)!));
  };
  for (const { key, calls } of program.functions) {
    const node = machine.get(key)!;
    for (const callee of calls) for (const target of reached(callee)) node.calls.add(target);
  }
  return { machine, compiled };
}
