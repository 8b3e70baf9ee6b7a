// Removal of trivial block parameters: those that are the same value on every edge (or themselves). In a reducible
// graph, and WebAssembly has no other, what remains is minimal SSA. Near-linear: a parameter is looked at again only
// when one of its arguments has been replaced.

import { type Block, type Edge, type Func, type Inst, isTerminator } from './ir.ts';

export function removeTrivialParams(func: Func): boolean {
  const incoming = incomingEdges(func);
  const found = new Replacements(func.nextValue);
  const users = parameterUsers(incoming);
  const work: Inst[] = [...users.keys()];
  while (work.length > 0) {
    const param = work.pop()!;
    if (found.has(param)) continue;
    const only = onlyArgument(param, incoming.get(param.block!)!, found);
    if (!only) continue;
    found.set(param, only);
    for (const user of users.get(param)!) work.push(user);
  }
  if (found.count === 0) return false;
  for (const [block, edges] of incoming) dropParams(block, edges, found);
  found.rewrite(func);
  return true;
}

function incomingEdges(func: Func): Map<Block, Edge[]> {
  const incoming = new Map<Block, Edge[]>();
  for (const b of func.blocks) if (b !== func.blocks[0] && b.params.length > 0) incoming.set(b, []);
  for (const b of func.blocks) {
    for (const edge of b.terminator.targets) incoming.get(edge.block)?.push(edge);
  }
  return incoming;
}

/** For each parameter, the parameters that have it as an argument. */
function parameterUsers(incoming: Map<Block, Edge[]>): Map<Inst, Inst[]> {
  const users = new Map<Inst, Inst[]>();
  for (const b of incoming.keys()) for (const p of b.params) users.set(p, []);
  for (const [b, edges] of incoming) {
    for (const { args } of edges) {
      for (let i = 0; i < args.length; i++) if (args[i].op === 'param') users.get(args[i])?.push(b.params[i]);
    }
  }
  return users;
}

function onlyArgument(param: Inst, edges: Edge[], found: Replacements): Inst | undefined {
  let only: Inst | undefined;
  for (const { args } of edges) {
    const arg = found.get(args[param.index]);
    if (arg === param || arg === only) continue;
    if (only) return undefined;
    only = arg;
  }
  return only;
}

function dropParams(block: Block, edges: Edge[], found: Replacements): void {
  const stay = block.params.filter((p) => !found.has(p));
  if (stay.length === block.params.length) return;
  for (const edge of edges) edge.args = stay.map((p) => edge.args[p.index]);
  stay.forEach((p, i) => {
    p.index = i;
  });
  block.params = stay;
}

/** Values that stand for others, by id. */
export class Replacements {
  private readonly by: (Inst | undefined)[];
  count = 0;

  constructor(values: number) {
    this.by = new Array(values);
  }

  has(value: Inst): boolean {
    return this.by[value.id] !== undefined;
  }

  set(value: Inst, by: Inst): void {
    this.by[value.id] = by;
    this.count++;
  }

  /** The end of the chain, which is shortened on the way. */
  get(value: Inst): Inst {
    let end = value;
    for (let next = this.by[end.id]; next; next = this.by[end.id]) end = next;
    for (let v = value; v !== end; ) {
      const next = this.by[v.id]!;
      this.by[v.id] = end;
      v = next;
    }
    return end;
  }

  /** Replaces all uses, and moves names along. */
  rewrite(func: Func): void {
    for (const block of func.blocks) {
      for (const inst of block.insts) {
        this.rewriteList(inst.args);
        if (isTerminator(inst.op)) for (const edge of inst.targets) this.rewriteList(edge.args);
      }
    }
    for (const binding of func.bindings) binding.value = this.get(binding.value);
    for (const [value, name] of func.valueNames) {
      const by = this.get(value);
      if (by === value) continue;
      func.valueNames.delete(value);
      if (by.op !== 'const' && !func.valueNames.has(by)) func.valueNames.set(by, name);
    }
  }

  private rewriteList(list: Inst[]): void {
    for (let i = 0; i < list.length; i++) if (this.by[list[i].id]) list[i] = this.get(list[i]);
  }
}
