// What the page of a profile draws.

/** A call in a flame graph: a function's number, samples, and what it called. */
export interface FlameNode {
  f: number;
  n: number;
  c: FlameNode[];
}

export interface FlameData {
  root: FlameNode;
  /** Name, and file with line; and a hue, by the folder. */
  functions: { name: string; place: string; hue: number }[];
}
