// What is known of memory at a point of the program: for some accesses that have been made, that the place still holds
// the value that was read or written. And whether two accesses can touch the same bytes.
//
// There are three memories, which nothing but a call writes at the same time: linear memory, the context, and native
// memory. In linear memory two indices are told apart if they are constants, or sums of one value and constants.

import { effectsOf, type Inst } from '../ir/ir.ts';

/** Accesses that are remembered in one memory: a bound for the cost of each access and of each join. */
const ACCESSES_MAX = 24;

const OF_OP: Partial<Record<Inst['op'], 0 | 1 | 2>> = {
  load: 0,
  store: 0,
  ctxload: 1,
  ctxstore: 1,
  nload: 2,
  nstore: 2,
};

/** Which memory a plain load or store accesses, if it is one. */
export function memoryOf(inst: Inst): 0 | 1 | 2 | undefined {
  return OF_OP[inst.op];
}

/** Whether it may write any memory but the function's own slots. */
export function writesMemory(inst: Inst): boolean {
  const { writes } = effectsOf(inst);
  return writes !== undefined && writes !== 'slots';
}

export function isStore(inst: Inst): boolean {
  return inst.op === 'store' || inst.op === 'ctxstore' || inst.op === 'nstore';
}

export class MemoryState {
  private readonly known: [Inst[], Inst[], Inst[]];

  constructor(known: [Inst[], Inst[], Inst[]] = [[], [], []]) {
    this.known = known;
  }

  copy(): MemoryState {
    const [a, b, c] = this.known;
    return new MemoryState([a.slice(), b.slice(), c.slice()]);
  }

  /** Keeps what is known at the end of another way to the same place, too. */
  meet(other: MemoryState): void {
    this.known.forEach((list, m) => {
      keep(list, (access) => other.known[m].includes(access));
    });
  }

  /** An earlier access to the same bytes whose value the place still has. */
  find(inst: Inst): Inst | undefined {
    return this.known[memoryOf(inst)!].findLast((access) => samePlace(access, inst));
  }

  add(access: Inst): void {
    const list = this.known[memoryOf(access)!];
    if (list.length === ACCESSES_MAX) list.shift();
    list.push(access);
  }

  /** Forgets what `inst` may overwrite. */
  kill(inst: Inst): void {
    if (isStore(inst)) {
      const list = this.known[memoryOf(inst)!];
      if (list.length > 0) keep(list, (access) => !mayOverlap(access, inst));
    } else if (writesMemory(inst)) this.clear();
  }

  clear(): void {
    for (const list of this.known) list.length = 0;
  }

  clearMemory(memory: 0 | 1 | 2): void {
    this.known[memory].length = 0;
  }
}

function keep(list: Inst[], wanted: (access: Inst) => boolean): void {
  let n = 0;
  for (const access of list) if (wanted(access)) list[n++] = access;
  list.length = n;
}

function samePlace(a: Inst, b: Inst): boolean {
  if (a.offset !== b.offset || a.width !== b.width) return false;
  return memoryOf(a) === 1 || a.args[0] === b.args[0];
}

/** Whether accesses to the same memory may have bytes in common. */
function mayOverlap(a: Inst, b: Inst): boolean {
  switch (memoryOf(a)) {
    case 0: {
      const [p, q] = [placeOf(a), placeOf(b)];
      if (p.root !== q.root) return true;
      // Modulo 2^32: indices wrap, and an address beyond 2^32 is none that an access returned from.
      const distance = (p.offset - q.offset) >>> 0;
      return distance < b.width || 2 ** 32 - distance < a.width;
    }
    case 1:
      return a.offset < b.offset + b.width && b.offset < a.offset + a.width;
    default:
      return a.args[0] !== b.args[0] || (a.offset < b.offset + b.width && b.offset < a.offset + a.width);
  }
}

/** The index without constants that are added to it; no root at all for a constant index. */
function placeOf(access: Inst): { root: Inst | undefined; offset: number } {
  const [index] = access.args;
  if (index.op === 'const') return { root: undefined, offset: Number(index.imm) + access.offset };
  if (index.op !== 'add' || index.args[1].op !== 'const') return { root: index, offset: access.offset };
  return { root: index.args[0], offset: Number(index.args[1].imm) + access.offset };
}
