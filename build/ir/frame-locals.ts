// Which locals of a function stay in its frame: where n of them change on n ways to one place, SSA form has n² arguments
// of edges, and no later stage could be faster than that. The costliest go into memory until the others' arguments,
// by an upper bound, are within a limit.
//
// A local that is assigned in a construct may need a parameter at its join or loop header, and so an argument on each
// edge there: its cost is the sum of the edges of all constructs around its assignments.

import { skipImmediates } from '../wasm/operators.ts';
import type { Reader } from '../wasm/reader.ts';

const BLOCK = 0x02,
  IF = 0x04,
  END = 0x0b,
  BR = 0x0c,
  BR_IF = 0x0d,
  BR_TABLE = 0x0e,
  LOCAL_SET = 0x21,
  LOCAL_TEE = 0x22;

/** The locals of the body that go into the frame, so that the others need at most `edgeArgumentsMax`. */
export function frameLocals(body: Reader, edgeArgumentsMax: number): number[] {
  const costs = new Scan(body).costs();
  const costly = [...costs.keys()].filter((local) => costs[local] > 0).sort((a, b) => costs[a] - costs[b]);
  let sum = 0;
  return costly.filter((local) => {
    sum += costs[local];
    return sum > edgeArgumentsMax;
  });
}

class Scan {
  private readonly reader: Reader;
  /** Of each construct, in the order in which they begin; the first one is the function. */
  private readonly parents = [0];
  private readonly edges = [0];
  private readonly open = [0];
  /** Of each local, the construct of its last assignment so far. */
  private readonly last: number[] = [];
  /** A local counts once in each construct: in those around `at`, but not in those around `counted` again. */
  private readonly assignments: { local: number; at: number; counted: number }[] = [];

  constructor(reader: Reader) {
    this.reader = reader;
    while (reader.pos < reader.end) this.operator(reader.u8());
  }

  private operator(opcode: number): void {
    const { reader, open } = this;
    if (opcode === LOCAL_SET || opcode === LOCAL_TEE) this.assign(reader.u32());
    else if (opcode === BR || opcode === BR_IF) this.branch(reader.u32());
    else if (opcode === BR_TABLE) for (let n = reader.u32() + 1; n > 0; n--) this.branch(reader.u32());
    else {
      skipImmediates(reader, opcode);
      if (opcode >= BLOCK && opcode <= IF) this.begin(opcode === IF ? 2 : 1);
      else if (opcode === END) open.pop();
    }
  }

  private begin(edges: number): void {
    this.parents.push(this.open[this.open.length - 1]);
    this.open.push(this.edges.push(edges) - 1);
  }

  private branch(depth: number): void {
    this.edges[this.open[this.open.length - 1 - depth]]++;
  }

  private assign(local: number): void {
    const at = this.open[this.open.length - 1];
    this.assignments.push({ local, at, counted: this.openAt(this.last[local] ?? 0) });
    this.last[local] = at;
  }

  /** The innermost construct around here that is also around what is directly in `construct`: any that is open and not
   * younger was open there too. */
  private openAt(construct: number): number {
    let low = 0;
    let high = this.open.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.open[middle] <= construct) low = middle;
      else high = middle - 1;
    }
    return this.open[low];
  }

  /** By local. */
  costs(): number[] {
    const { parents, edges } = this;
    const around = new Float64Array(edges.length);
    for (let i = 1; i < edges.length; i++) around[i] = around[parents[i]] + edges[i];
    const costs: number[] = [];
    for (const { local, at, counted } of this.assignments) {
      costs[local] = (costs[local] ?? 0) + around[at] - around[counted];
    }
    return costs;
  }
}
