// The ranges in one register in order of time: a sorted list in chunks, so that putting one in among many thousands
// moves only few of them. Guarantees that the ranges are disjoint and in ascending order if what is added is free.

import { firstEndingAfter, type Range } from './liveness.ts';

const CHUNK_MAX = 512;

export class Timeline {
  /** None is empty, unless it is the only one. */
  private readonly chunks: Range[][] = [[]];
  /** Position of the range last found. */
  private chunk = 0;
  private index = 0;

  /** Where the last range ends. */
  get end(): number {
    const last = this.chunks[this.chunks.length - 1];
    return last.length > 0 ? last[last.length - 1].to : 0;
  }

  /** Goes to the first range that ends behind `point`. */
  seek(point: number): Range | undefined {
    const { chunks } = this;
    let lo = 0;
    let hi = chunks.length - 1;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (chunks[mid][chunks[mid].length - 1].to <= point) lo = mid + 1;
      else hi = mid;
    }
    this.chunk = lo;
    this.index = firstEndingAfter(chunks[lo], point);
    return chunks[lo][this.index];
  }

  next(): Range | undefined {
    const { chunks } = this;
    if (++this.index >= chunks[this.chunk].length && this.chunk + 1 < chunks.length) {
      this.chunk++;
      this.index = 0;
    }
    return chunks[this.chunk][this.index];
  }

  previous(): Range | undefined {
    if (--this.index < 0 && this.chunk > 0) this.index = this.chunks[--this.chunk].length - 1;
    return this.chunks[this.chunk][this.index];
  }

  /** How many ranges end in (from, to]. */
  count(from: number, to: number): number {
    this.seek(from);
    const { chunk, index } = this;
    this.seek(to);
    let n = this.index - index;
    for (let c = chunk; c < this.chunk; c++) n += this.chunks[c].length;
    return n;
  }

  add(range: Range): void {
    this.seek(range.from);
    const list = this.chunks[this.chunk];
    if (this.index === list.length) list.push(range);
    else list.splice(this.index, 0, range);
    if (list.length > CHUNK_MAX) this.chunks.splice(this.chunk + 1, 0, list.splice(CHUNK_MAX >> 1));
  }

  remove(range: Range): void {
    this.seek(range.from);
    const list = this.chunks[this.chunk];
    list.splice(this.index, 1);
    if (list.length === 0 && this.chunks.length > 1) this.chunks.splice(this.chunk, 1);
  }

  all(): Range[] {
    return this.chunks.flat();
  }
}
