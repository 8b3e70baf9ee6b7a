// What is known of the code at offsets in the text: in their order, function by function.

interface AtOffset {
  offset: number;
}

export class ByOffset<T extends AtOffset> {
  private readonly sorted: T[];
  private next = 0;

  constructor(entries: readonly T[]) {
    this.sorted = entries.toSorted((a, b) => a.offset - b.offset);
  }

  takeBefore(end: number): T[] {
    const first = this.next;
    while (this.next < this.sorted.length && this.sorted[this.next].offset < end) this.next++;
    return this.sorted.slice(first, this.next);
  }
}

/** Of several at one offset the last one holds. */
export function lastAtOffset<T extends AtOffset>(entries: readonly T[]): T[] {
  return entries.filter(({ offset }, i) => entries[i + 1]?.offset !== offset);
}
