// A tree whose nodes know a node further up besides their parent, as in a skew-binary list, so that any ancestor is found
// in the logarithm of the depth (Myers, "An applicative random-access stack", 1983). The root is its own parent.

export class Ancestors {
  readonly parent: Int32Array;
  readonly depth: Int32Array;
  /** How far up depends on the depth alone. */
  readonly jump: Int32Array;

  /** The node `root` alone; the others are linked from the top down. */
  constructor(nodes: number, root: number) {
    this.parent = new Int32Array(nodes).fill(-1);
    this.depth = new Int32Array(nodes);
    this.jump = new Int32Array(nodes);
    this.parent[root] = root;
    this.jump[root] = root;
  }

  link(node: number, parent: number): void {
    const { depth, jump } = this;
    const near = jump[parent];
    const far = jump[near];
    this.parent[node] = parent;
    depth[node] = depth[parent] + 1;
    jump[node] = depth[parent] - depth[near] === depth[near] - depth[far] ? far : parent;
  }

  /** The ancestor of `node` at `depth`, or itself if it is no deeper. */
  upTo(node: number, depth: number): number {
    let at = node;
    while (this.depth[at] > depth) at = this.depth[this.jump[at]] >= depth ? this.jump[at] : this.parent[at];
    return at;
  }

  /** The deepest node that both are, or are below. */
  meet(x: number, y: number): number {
    const { depth, jump, parent } = this;
    let a = this.upTo(x, depth[y]);
    let b = this.upTo(y, depth[a]);
    while (a !== b) {
      const apart = jump[a] !== jump[b];
      a = apart ? jump[a] : parent[a];
      b = apart ? jump[b] : parent[b];
    }
    return a;
  }
}
