// Proofs about a kernel: that each stack has room for the deepest chain of calls on it with what may interrupt that, and that some
// functions are never reached from some entries. What does not hold is an error with the chain of calls.

import type { Program } from '../object/program.ts';
import { WasmError, type WasmModule } from '../wasm/module.ts';
import { type CallNode, callGraphs, type Graphs } from './graph.ts';
import type { Entry, NeverRule, Rules, StackRule } from './rules.ts';
import { Depths, Unbounded } from './stacks.ts';
import { type EntryDepth, neverTable, stackTable } from './table.ts';

/** `program` is final. Returns the tables. */
export function prove(rules: Rules, module: WasmModule, program: Program): string {
  return new Prover(rules, module, program).prove();
}

class Prover {
  private readonly rules: Rules;
  private readonly module: WasmModule;
  private readonly graphs: Graphs;
  private readonly depths: Depths;

  constructor(rules: Rules, module: WasmModule, program: Program) {
    this.rules = rules;
    this.module = module;
    this.graphs = callGraphs(module, program);
    const unbounded = new Set(rules.unbounded.flatMap((name) => this.named(name)));
    this.depths = new Depths({
      assembly: ({ name }, chain) =>
        rules.assembly.get(name) ??
        this.fail(
          `nobody says how much stack ${name} takes (${chainText(chain)}): add 'assembly ${name}+BYTES'`,
        ),
      isUnbounded: (node) => unbounded.has(node.name),
    });
  }

  prove(): string {
    const stacks = this.rules.stacks.map((rule) => this.proveStack(rule));
    const reached = this.rules.never.map((rule) => this.proveNever(rule));
    const each = this.rules.each.map((name) => this.branches(name));
    return `${stackTable(stacks, each, this.rules.unbounded)}\n${neverTable(reached)}`;
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
        const chain: CallNode[] = [];
        for (let at: CallNode | undefined = node; at; at = from.get(at)) chain.unshift(at);
        this.fail(`${rule.entry} must never ${rule.what.replaceAll('-', ' ')}: ${chainText(chain)}`);
      }
      for (const next of node.calls) if (!from.has(next)) from.set(next, node);
    }
    return { rule, functions: from.size };
  }

  /** The callees of a function, each as if it were an entry. */
  private branches(name: string): { name: string; branches: EntryDepth[] } {
    this.named(name);
    const nodes = [...this.graphs.compiled.values()].filter((node) => node.name === name);
    const callees = new Set(nodes.flatMap((node) => [...node.calls]));
    const branches = [...callees].map((node) => ({
      name: node.name,
      bytes: this.depths.of(node).bytes,
      chain: this.depths.chain(node),
    }));
    return { name, branches: branches.sort((a, b) => b.bytes - a.bytes) };
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

  private fail(what: string): never {
    throw new WasmError(what);
  }
}

function chainText(chain: readonly CallNode[]): string {
  return chain.map(({ name }) => name).join(' > ');
}

function framesText(chain: readonly CallNode[]): string {
  return chain.map(({ name, frame }) => `${name} ${frame ?? ''}`.trim()).join(' > ');
}
