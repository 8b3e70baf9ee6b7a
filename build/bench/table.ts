// What the benchmarks print: a table of figures, each with its limit where there is one.

export interface Row {
  name: string;
  value: string;
  /** The limit in words, and whether the value keeps it. */
  limit?: string;
  kept?: boolean;
}

export function printTable(rows: Row[]): void {
  const width = (pick: (row: Row) => string) => Math.max(...rows.map((row) => pick(row).length));
  const names = width((row) => row.name);
  const values = width((row) => row.value);
  for (const { name, value, limit, kept } of rows) {
    const verdict = limit === undefined ? '' : `  ${kept ? 'within' : 'ABOVE'} ${limit}`;
    console.log(`${name.padEnd(names)}  ${value.padStart(values)}${verdict}`);
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
