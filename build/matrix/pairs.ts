// Pairwise combinations: a table of rows, one choice of each axis a row, in which every two choices that go together meet at least
// once. Most faults that depend on a combination depend on two parts of it; all combinations would be millions.

export interface Choice {
  name: string;
  /** Names of choices of other axes that it does not go with. */
  excludes?: string[];
}

/** On each axis the first choice must go with the first ones of all others. Greedy: each row takes what most open pairs need. */
export function pairwise<T extends Choice>(axes: T[][]): T[][] {
  const open = new Set<string>();
  for (const [i, axis] of axes.entries())
    for (const other of axes.slice(i + 1))
      for (const a of axis) for (const b of other) if (goTogether(a, b)) open.add(key(a, b));
  const rows: T[][] = [];
  while (open.size > 0) {
    const row = makeRow(axes, open);
    const before = open.size;
    for (const [i, a] of row.entries()) for (const b of row.slice(i + 1)) open.delete(key(a, b));
    if (open.size === before) throw new Error(`no row has any of ${[...open].join('; ')}`);
    rows.push(row);
  }
  return rows;
}

/** A row that has the first open pair. */
function makeRow<T extends Choice>(axes: T[][], open: Set<string>): T[] {
  const [first] = open;
  const row: (T | undefined)[] = axes.map((axis) =>
    axis.find((choice) => first.split(SEPARATOR).includes(choice.name)),
  );
  for (const [i, axis] of axes.entries()) {
    if (row[i] !== undefined) continue;
    const chosen = row.filter((choice) => choice !== undefined);
    const fitting = axis.filter((choice) => chosen.every((other) => goTogether(choice, other)));
    const gain = (choice: T) => chosen.filter((other) => open.has(key(choice, other))).length;
    const gains = fitting.map(gain);
    const best = fitting[gains.indexOf(Math.max(...gains))];
    if (best === undefined)
      throw new Error(`no choice goes with ${chosen.map(({ name }) => name).join(', ')}`);
    row[i] = best;
  }
  return row as T[];
}

const SEPARATOR = ' + ';

function key(a: Choice, b: Choice): string {
  return a.name < b.name ? `${a.name}${SEPARATOR}${b.name}` : `${b.name}${SEPARATOR}${a.name}`;
}

function goTogether(a: Choice, b: Choice): boolean {
  return !a.excludes?.includes(b.name) && !b.excludes?.includes(a.name);
}
