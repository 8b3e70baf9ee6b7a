// What the page of a profile does in the browser: a script, which is put into the page as text (../page.ts). It is compiled by
// itself, for a browser.

type FlameNode = import('../flame-data.ts').FlameNode;

function flame({ root, functions }: import('../flame-data.ts').FlameData): void {
  interface Box {
    node: FlameNode;
    parent: Box | undefined;
    children: Box[];
    element: HTMLElement;
  }
  const ROW_PX = 20;
  /** What is narrower, of the width, is left out. */
  const SHARE_MIN = 0.0008;
  const at = (id: string) => document.getElementById(id) as HTMLElement;
  const graph = at('graph');
  const search = at('search') as HTMLInputElement;
  /** From the whole to what fills the width. */
  let path: FlameNode[] = [root];
  let boxes = new Map<HTMLElement, Box>();
  let current: Box | undefined;

  const percent = (samples: number, of: number) => `${((samples / of) * 100).toFixed(1)} %`;
  const matches = ({ f }: FlameNode) => {
    const { name, place } = functions[f];
    const wanted = search.value.trim().toLowerCase();
    return wanted !== '' && `${name} ${place}`.toLowerCase().includes(wanted);
  };
  /** Samples in what matches, each counted once. */
  const found = (node: FlameNode): number =>
    matches(node) ? node.n : node.c.reduce((sum, child) => sum + found(child), 0);

  function tell(node: FlameNode): void {
    const { name, place } = functions[node.f];
    const own = node.n - node.c.reduce((sum, child) => sum + child.n, 0);
    at('told').textContent =
      `${name}${place === '' ? '' : ` (${place})`}: ${node.n} samples, ${percent(node.n, root.n)}; itself ${own}, ${percent(own, root.n)}`;
  }

  function focus(box: Box | undefined): void {
    if (box === undefined) return;
    if (current) current.element.tabIndex = -1;
    current = box;
    box.element.tabIndex = 0;
    box.element.focus();
  }

  function place(node: FlameNode, left: number, share: number, depth: number, parent?: Box): Box {
    const element = document.createElement('div');
    const { name, hue } = functions[node.f];
    element.className = 'call code';
    element.setAttribute('role', 'treeitem');
    element.setAttribute('aria-level', String(depth + 1));
    element.setAttribute('aria-label', `${name}, ${percent(node.n, root.n)}`);
    element.tabIndex = -1;
    element.textContent = name;
    Object.assign(element.style, {
      left: `${left * 100}%`,
      width: `${share * 100}%`,
      top: `${depth * ROW_PX}px`,
    });
    element.style.setProperty('--hue', String(hue));
    if (hue < 0) element.classList.add('plain');
    if (matches(node)) element.classList.add('mark');
    if (depth < path.length - 1) element.classList.add('around');
    graph.append(element);
    const box: Box = { node, parent, children: [], element };
    boxes.set(element, box);
    parent?.children.push(box);
    return box;
  }

  function grow(box: Box, left: number, share: number, depth: number): number {
    let at = left;
    let deepest = depth;
    for (const child of box.node.c) {
      const part = (share * child.n) / box.node.n;
      if (part >= SHARE_MIN)
        deepest = Math.max(deepest, grow(place(child, at, part, depth + 1, box), at, part, depth + 1));
      at += part;
    }
    return deepest;
  }

  function draw(): void {
    graph.textContent = '';
    boxes = new Map();
    let box: Box | undefined;
    for (const [depth, node] of path.entries()) box = place(node, 0, 1, depth, box);
    const deepest = grow(box as Box, 0, 1, path.length - 1);
    graph.style.height = `${(deepest + 1) * ROW_PX}px`;
    current = box;
    (box as Box).element.tabIndex = 0;
    tell((box as Box).node);
    const sum = found(root);
    at('found').textContent =
      search.value.trim() === '' ? '' : `${percent(sum, root.n)} of the samples match`;
  }

  function zoom(box: Box): void {
    const chain: FlameNode[] = [];
    for (let each: Box | undefined = box; each; each = each.parent) chain.unshift(each.node);
    path = chain;
    draw();
    focus(current);
  }

  const boxOf = (event: Event) => boxes.get((event.target as HTMLElement).closest('.call') as HTMLElement);
  graph.addEventListener('click', (event) => {
    const box = boxOf(event);
    if (box) zoom(box);
  });
  for (const kind of ['mouseover', 'focusin'])
    graph.addEventListener(kind, (event) => {
      const box = boxOf(event);
      if (box) tell(box.node);
    });
  graph.addEventListener('focusin', (event) => {
    current = boxOf(event) ?? current;
  });

  function move(key: string, box: Box): Box | undefined {
    const row = box.parent?.children ?? [];
    if (key === 'ArrowDown') return box.children[0];
    if (key === 'ArrowUp') return box.parent;
    if (key === 'ArrowLeft') return row[row.indexOf(box) - 1];
    return key === 'ArrowRight' ? row[row.indexOf(box) + 1] : undefined;
  }

  document.addEventListener('keydown', (event) => {
    const typing = event.target === search;
    if (event.key === '/' && !typing) search.focus();
    else if (event.key === 'Escape') {
      search.value = '';
      path = [root];
      draw();
      focus(current);
    } else if (typing && event.key === 'Enter') focus([...boxes.values()].find(({ node }) => matches(node)));
    else if (!typing && current && graph.contains(document.activeElement)) {
      if (event.key === 'Enter' || event.key === ' ') zoom(current);
      else if (event.key.startsWith('Arrow')) focus(move(event.key, current));
      else return;
    } else return;
    event.preventDefault();
  });
  search.addEventListener('input', draw);
  at('hottest').addEventListener('click', (event) => {
    const row = (event.target as HTMLElement).closest('button');
    if (!row) return;
    search.value = row.dataset.name ?? '';
    draw();
  });
  draw();
  focus(current);
}

flame(JSON.parse(document.getElementById('data')!.textContent));
