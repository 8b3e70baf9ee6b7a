// Makes a failing module small: delta debugging (Zeller and Hildebrandt 2002) over the S-expressions of its text, outermost
// first. A change is kept if the module still fails the same way. What is not valid any more is refused by the caller.

import { at, type Node, size, splice } from './text.ts';

const ZEROS: Node[] = [
  ['i32.const', '0'],
  ['i64.const', '0'],
  ['f32.const', '0'],
  ['f64.const', '0'],
  ['nop'],
];
const CANONICAL = /^\$canonical_/;

/** Tells whether a smaller module still fails. */
export type Fails = (node: Node) => Promise<boolean>;

/** The smallest module that was found, with the time spent as a bound. */
export async function reduce(start: Node, fails: Fails, end_ms: number): Promise<Node> {
  let best = start;
  for (let before = Number.POSITIVE_INFINITY; size(best) < before && Date.now() < end_ms; ) {
    before = size(best);
    best = await pass(best, fails, end_ms);
  }
  return best;
}

/** Once over all lists. A path that a change has moved leads to another list or none, which the next pass makes good. */
async function pass(start: Node, fails: Fails, end_ms: number): Promise<Node> {
  let best = start;
  const attempt = async (candidate: Node): Promise<boolean> => {
    if (Date.now() >= end_ms || size(candidate) >= size(best) || !(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  const queue: number[][] = [[]];
  for (let path = queue.shift(); path && Date.now() < end_ms; path = queue.shift()) {
    if (!exists(best, path)) continue;
    while (path.length > 0 && (await simplify(best, path, attempt)));
    if (!exists(best, path) || isLocked(at(best, path))) continue;
    await thin(() => best, path, attempt);
    const node = at(best, path);
    if (typeof node === 'string') continue;
    // The largest first.
    const order = [...node.keys()].filter((i) => typeof node[i] !== 'string');
    order.sort((a, b) => size(node[b]) - size(node[a]));
    queue.push(...order.map((i) => [...path, i]));
  }
  return best;
}

function exists(root: Node, path: readonly number[]): boolean {
  let node: Node | undefined = root;
  for (const i of path) node = typeof node === 'string' ? undefined : node?.[i];
  return node !== undefined && typeof node !== 'string';
}

/** What makes NaNs one stays as it is, or an engine's choice would be taken for a failure. */
function isLocked(node: Node): boolean {
  return typeof node !== 'string' && node[0] === 'func' && CANONICAL.test(String(node[1]));
}

/** Puts a constant, nothing at all or one of its own parts in place of the list at `path`. */
async function simplify(root: Node, path: number[], attempt: Fails): Promise<boolean> {
  const node = at(root, path) as readonly Node[];
  const parts = node.filter((n) => typeof n !== 'string');
  const canonical = CANONICAL.test(String(node[1]));
  const inner = canonical ? [] : [...parts, ...parts.flat().filter((n) => typeof n !== 'string')];
  for (const by of [...ZEROS, ...inner]) if (await attempt(splice(root, path, 1, [by]))) return true;
  // Statements of a block or a branch in its place.
  return !canonical && parts.length > 1 && attempt(splice(root, path, 1, parts));
}

/** Takes parts out of the list at `path`: halves, quarters, … single ones. */
async function thin(root: () => Node, path: number[], attempt: Fails): Promise<void> {
  const length = () => (at(root(), path) as readonly Node[]).length;
  for (let count = length() - 1; count >= 1; count = Math.floor(count / 2)) {
    for (let from = length() - count; from >= 1; from -= count) {
      await attempt(splice(root(), [...path, from], count, []));
    }
  }
}
