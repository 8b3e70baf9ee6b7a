// Proofs about a kernel: that each stack has room for the deepest chain of calls on it with what may interrupt that, and that some
// functions are never reached from some entries. What does not hold is an error with the chain of calls.

import type { Places } from '../object/places.ts';
import type { Program } from '../object/program.ts';
import { WasmError, type WasmModule } from '../wasm/module.ts';
import { Calls, chainText, framesText, wayTo } from './chains.ts';
import { type CallNode, callGraphs, type Graphs } from './graph.ts';
import type { Entry, NeverRule, Rules, StackRule } from './rules.ts';
import { Depths, Unbounded } from './stacks.ts';
import { chainTable, type EntryDepth, neverTable, stackTable } from './table.ts';

/** `program` is final. Returns the tables. */
export function prove(rules: Rules, module: WasmModule, program: Program, places: Places): string {
  return new Prover(rules, module, program, places).prove();
}

interface Branch {
  node: CallNode | undefined;
  bytes: number;
}

class Prover {
  private readonly rules: Rules;
  private readonly module: WasmModule;
  private readonly graphs: Graphs;
  private readonly calls: Calls;
  private readonly depths: Depths;

  constructor(rules: Rules, module: WasmModule, program: Program, places: Places) {
    this.rules = rules;
    this.module = module;
    this.graphs = callGraphs(module, program);
    this.calls = new Calls(module, this.graphs.module, places);
    const unbounded = new Set(rules.unbounded.flatMap((name) => this.named(name)));
    this.depths = new Depths({
      assembly: ({ name }, chain) =>
        rules.assembly.get(name) ??
        this.fail(
          `nobody says how much stack ${name} takes (${chainText(chain)}): add 'assembly ${name}+BYTES'`,
          chain,
        ),
      isUnbounded: (node) => unbounded.has(node.name),
    });
  }

  prove(): string {
    const stacks = this.rules.stacks.map((rule) => this.proveStack(rule));
    const reached = this.rules.never.map((rule) => this.proveNever(rule));
    const each = this.rules.each.map((name) => this.branches(name));
    const entries = stacks.flatMap((stack) => [...stack.entries, ...stack.nested]);
    return [stackTable(stacks, each, this.rules.unbounded), neverTable(reached), chainTable(entries)].join(
      '\n',
    );
  }

  private proveStack(rule: StackRule): { rule: StackRule; entries: EntryDepth[]; nested: EntryDepth[] } {
    const entries = rule.entries.map((e) => this.depthOf(e, rule));
    const nested = rule.nested.map((e) => this.depthOf(e, rule));
    const interrupted = nested.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { name, bytes, chain } of entries) {
      if (bytes + interrupted <= rule.bytes) continue;
      const others = nested.map((e) => `, ${e.bytes} by ${e.name}`).join('');
      this.fail(
        `stack ${rule.name} has ${rule.bytes} bytes and needs ${bytes + interrupted}: ${bytes} by ${name}${others}: ${framesText(chain)}`,
        chain,
      );
    }
    return { rule, entries, nested };
  }

  private depthOf({ name, bytes }: Entry, rule: StackRule): EntryDepth {
    const node = this.machineEntry(name);
    try {
      return { name, bytes: bytes + this.depths.of(node).bytes - 8, chain: this.depths.chain(node) };
    } catch (error) {
      if (!(error instanceof Unbounded)) throw error;
      const { chain } = error;
      this.fail(
        `stack ${rule.name} has no bound: ${chain[chain.length - 1].name} calls itself: ${chainText(chain)}: make it a loop`,
        chain,
      );
    }
  }

  /** Breadth first, so that the chain that is told is a shortest one. */
  private proveNever(rule: NeverRule): { rule: NeverRule; functions: number } {
    const start = this.graphs.module[this.exported(rule.entry)];
    const forbidden = new Set(rule.functions.flatMap((name) => this.named(name)));
    const from = new Map<CallNode, CallNode | undefined>([[start, undefined]]);
    for (const node of from.keys()) {
      if (forbidden.has(node.name)) {
        const chain = wayTo(node, from);
        this.fail(`${rule.entry} must never ${rule.what.replaceAll('-', ' ')}: ${chainText(chain)}`, chain);
      }
      for (const next of node.calls) if (!from.has(next)) from.set(next, node);
    }
    return { rule, functions: from.size };
  }

  /** The callees of a function, each as if it were an entry; one that has been inlined into it, by what is called there. */
  private branches(name: string): { name: string; branches: EntryDepth[] } {
    this.named(name);
    const nodes = this.graphs.module.filter((node) => node.name === name);
    const callees = new Set(nodes.flatMap((node) => [...node.calls]));
    const branches = [...callees].map((callee) => {
      const deepest = this.compiledBelow(callee)
        .map((node) => ({ node, bytes: this.depths.of(node).bytes }))
        .reduce((a, b) => (b.bytes > a.bytes ? b : a), { node: undefined, bytes: 0 } as Branch);
      const chain = deepest.node ? this.depths.chain(deepest.node) : [];
      return {
        name: callee.name,
        bytes: deepest.bytes,
        chain: chain[0]?.func === callee.func ? chain : [callee, ...chain],
      };
    });
    return { name, branches: branches.sort((a, b) => b.bytes - a.bytes) };
  }

  /** Itself, if it has code of its own; else what is called by what has been inlined. */
  private compiledBelow(callee: CallNode): CallNode[] {
    const found = new Set<CallNode>();
    const seen = new Set([callee]);
    for (const node of seen) {
      const compiled = this.graphs.compiled.get(node.func!) ?? this.graphs.machine.get(node.name);
      if (compiled) found.add(compiled);
      else for (const next of node.calls) seen.add(next);
    }
    return [...found];
  }

  /** The name, if some function has it. */
  private named(name: string): string[] {
    if (this.graphs.module.some((node) => node.name === name)) return [name];
    return this.fail(`${this.rules.path} names ${name}, which is no function of the module`);
  }

  private exported(name: string): number {
    const found = this.module.exports.find((e) => e.kind === 'func' && e.name === name);
    return (
      found?.index ??
      this.fail(`${this.rules.path} names the entry ${name}, which is no export of the module`)
    );
  }

  /** An export, or the translator's own init function. */
  private machineEntry(name: string): CallNode {
    return this.graphs.machine.get(name) ?? this.graphs.compiled.get(this.exported(name))!;
  }

  /** With the place of each call of the chain, if there is one. */
  private fail(what: string, chain: readonly CallNode[] = []): never {
    throw new WasmError(what + this.calls.lines(chain));
  }
}
