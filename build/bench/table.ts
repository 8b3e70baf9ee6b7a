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

export function geometricMean(values: number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** The first row is the heading; the first column is to the left, and so is the last cell of a row cut short. */
export function printColumns(rows: string[][]): void {
  const [heading] = rows;
  const full = rows.filter((row) => row.length === heading.length);
  const widths = heading.map((_, column) => Math.max(...full.map((row) => row[column].length)));
  for (const row of rows) {
    const cells = row.map((cell, column) => {
      const short = row.length < heading.length && column === row.length - 1;
      return column === 0 ? cell.padEnd(widths[0]) : short ? cell : cell.padStart(widths[column]);
    });
    console.log(cells.join('  '));
  }
}

/** What is being done, on one line of a terminal or one line each of a file. */
export function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
  else if (what !== '') process.stderr.write(`${what}\n`);
}
