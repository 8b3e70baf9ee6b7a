// Branch relaxation: decides which branches need a 32-bit displacement, starting from all short ones.
// Exact in linear time: a branch that still fits in 8 bits spans at most 128 bytes, so at most 128 other items,
// and only those neighbours need another look when one grows. Alignments count as their longest padding.

export const JMP = 16;
export const ALIGN = 32;

/** What changes size in a function: branches (2 bytes in the buffer until they grow) and alignments (0 bytes). */
export interface Items {
  /** Position in the buffer, ascending. */
  pos: number[];
  /** 0-15: jcc with that condition code, JMP, ALIGN. */
  kind: number[];
  /** A branch's label, an alignment's size in bytes. */
  arg: number[];
}

/** Labels by number: position in the buffer, and the number of items that lie before it. */
export interface Labels {
  pos: number[];
  item: number[];
}

/** Bytes that the long form has more than the short one: EB -> E9, 7x -> 0F 8x. */
export function growth(kind: number): number {
  return kind === JMP ? 3 : 4;
}

const SPAN_ITEMS_MAX = 128;

/** Returns a flag for each item: 1 if it is a branch that needs its long form. */
export function relax(items: Items, labels: Labels): Uint8Array {
  const count = items.pos.length;
  const long = new Uint8Array(count);
  const distance = shortDistances(items, labels);
  const grown: number[] = [];
  const grow = (i: number) => {
    long[i] = 1;
    grown.push(i);
  };
  for (let i = 0; i < count; i++) {
    if (items.kind[i] !== ALIGN && !fits(distance[i])) grow(i);
  }
  while (grown.length > 0) {
    const j = grown.pop() as number;
    const extra = growth(items.kind[j]);
    const last = Math.min(count - 1, j + SPAN_ITEMS_MAX);
    for (let i = Math.max(0, j - SPAN_ITEMS_MAX); i <= last; i++) {
      if (long[i] === 1 || items.kind[i] === ALIGN) continue;
      const target = labels.item[items.arg[i]];
      if (i < j && j < target) distance[i] += extra;
      else if (target <= j && j < i) distance[i] -= extra;
      else continue;
      if (!fits(distance[i])) grow(i);
    }
  }
  return long;
}

function fits(distance: number): boolean {
  return distance >= -128 && distance <= 127;
}

/** Each branch's displacement with all branches short and all paddings at their longest. */
function shortDistances(items: Items, labels: Labels): Int32Array {
  const count = items.pos.length;
  const padding = new Int32Array(count + 1);
  for (let i = 0; i < count; i++) {
    padding[i + 1] = padding[i] + (items.kind[i] === ALIGN ? items.arg[i] - 1 : 0);
  }
  const distance = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    if (items.kind[i] === ALIGN) continue;
    const label = items.arg[i];
    const target = labels.pos[label] + padding[labels.item[label]];
    distance[i] = target - (items.pos[i] + 2 + padding[i]);
  }
  return distance;
}
