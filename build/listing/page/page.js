// The listing's page: functions on the left; TypeScript, WebAssembly and machine code of one of them, whose lines are linked by what
// became of them. The data (build/listing/page-data.ts) is inflated once, and a function's rows are made when it is opened.

const byId = (id) => document.getElementById(id);
const PANES = ['ts', 'wasm', 'x86'].map(byId);
const [TS, WASM, X86] = [0, 1, 2];
/** Steps around the colour circle that keep neighbours apart. */
const GOLDEN_ANGLE = 137.5;

let data;
/** Functions in the list, in its order. */
let shown = [];
let current = -1;
/** Of the open function: rows by pane, each { element, links: rows of the other panes, near, target }. */
let rows = [[], [], []];
let pinned;
let at;

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(stream).json();
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const plural = (n, word) => `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`;

// --- the list of functions ---

const ORDERS = {
  hot: ['Hottest first', (a, b) => b.samples - a.samples || b.size - a.size],
  size: ['Largest first', (a, b) => b.size - a.size],
  name: ['By name', (a, b) => (a.name < b.name ? -1 : 1)],
  address: ['By address', (a, b) => a.start - b.start],
};

function fillOrders() {
  for (const [key, [text]] of Object.entries(ORDERS)) {
    if (key === 'hot' && !data.samples) continue;
    byId('order').append(new Option(text, key));
  }
}

/** `kernel/sched/cpu/Cpu#take`: the last part, and where it is. */
function split(name) {
  const generic = name.indexOf('<');
  const cut = name.lastIndexOf('/', generic < 0 ? name.length : generic);
  return [name.slice(cut + 1), name.slice(0, Math.max(cut, 0))];
}

/** Each of the words stands in the name, in any case. */
function matches(name, words) {
  const text = name.toLowerCase();
  return words.every((word) => text.includes(word));
}

function marked(text, words) {
  const element = make('span', 'name');
  const word = words.find((w) => text.toLowerCase().includes(w));
  const from = word ? text.toLowerCase().indexOf(word) : -1;
  if (from < 0) element.append(text);
  else
    element.append(
      text.slice(0, from),
      make('mark', '', text.slice(from, from + word.length)),
      text.slice(from + word.length),
    );
  element.title = text;
  return element;
}

function fillList() {
  const words = byId('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  const [, order] = ORDERS[byId('order').value];
  shown = data.functions.filter((f) => matches(f.name, words)).sort(order);
  const most = Math.max(1, ...shown.map((f) => f.samples));
  byId('functions').replaceChildren(
    ...shown.map((f) => {
      const [name, where] = split(f.name);
      const item = make('div', 'item');
      item.role = 'option';
      item.id = `f${f.index}`;
      const label = marked(name, words);
      label.append(make('span', 'where', where));
      label.title = f.name;
      const share = f.samples ? `${((100 * f.samples) / data.samples).toFixed(1)} %` : plural(f.size, 'byte');
      if (data.samples) item.style.setProperty('--heat', `${(100 * f.samples) / most}%`);
      item.append(label, make('span', 'number', share));
      item.onclick = () => go(f.index);
      return item;
    }),
  );
  byId('count').textContent = `${plural(shown.length, 'function')}, ${plural(
    shown.reduce((sum, f) => sum + f.size, 0),
    'byte',
  )}`;
  markSelected(false);
}

function markSelected(scroll) {
  const list = byId('functions');
  for (const item of list.querySelectorAll('[aria-selected]')) item.removeAttribute('aria-selected');
  const item = byId(`f${current}`);
  if (!item) return list.removeAttribute('aria-activedescendant');
  item.setAttribute('aria-selected', 'true');
  list.setAttribute('aria-activedescendant', item.id);
  if (scroll) item.scrollIntoView({ block: 'nearest' });
}

/** Opens by way of the address, so that the browser's history has it. */
function go(index) {
  const hash = `#${encodeURIComponent(data.functions[index].key)}`;
  if (location.hash === hash) open(index);
  else location.hash = hash;
}

function openAddressed() {
  const key = decodeURIComponent(location.hash.slice(1));
  const f = data.functions.find((each) => each.key === key) ?? shown.find((each) => each.parts.length > 0);
  if (f) open(f.index);
}

// --- one function ---

function open(index) {
  current = index;
  pinned = at = undefined;
  const f = data.functions[index];
  const parts = f.parts.map((part) => data.wasm[part]);
  byId('name').textContent = f.name;
  byId('sizes').textContent = factsOf(f, parts);
  document.title = `${split(f.name)[0]} – ${data.title}`;
  rows = [[], [], []];
  const links = new Links();
  fill(TS, typeScript(parts, links), 'no source is known');
  fill(WASM, webAssembly(parts, links), 'it is no function of the module');
  fill(X86, machineCode(f, links), '');
  links.connect();
  markSelected(true);
  for (const pane of PANES) pane.scrollTop = pane.scrollLeft = 0;
}

function factsOf(f, parts) {
  const facts = [
    plural(f.size, 'byte'),
    plural(f.code.length, 'instruction'),
    `frame of ${plural(f.frame, 'byte')}`,
  ];
  if (parts.length > 0) facts.push(`${plural(parts[0].bytes, 'byte')} of WebAssembly`);
  if (parts.length > 1) facts.push(`with ${plural(parts.length - 1, 'inlined function')}`);
  if (data.samples) facts.push(`${plural(f.samples, 'sample')} of ${data.samples.toLocaleString('en')}`);
  return facts.join(' · ');
}

/** What belongs together: rows by line of TypeScript and by offset in the module. */
class Links {
  lines = new Map();
  operators = new Map();
  code = [];

  line(key, row) {
    this.lines.set(key, { row, operators: [], code: [] });
  }

  operator(offset, key, row) {
    this.operators.set(offset, { row, key, code: [] });
    this.lines.get(key)?.operators.push(row);
  }

  instruction(offset, key, row) {
    const operator = this.operators.get(offset);
    const line = this.lines.get(operator?.key) ?? this.lines.get(key);
    this.code.push([row, operator, line]);
    operator?.code.push(row);
    line?.code.push(row);
  }

  connect() {
    for (const { row, operators, code } of this.lines.values()) {
      row.links = [...operators, ...code];
      if (row.links.length === 0) row.element.classList.add('idle');
    }
    for (const { row, key, code } of this.operators.values()) {
      const line = this.lines.get(key);
      row.links = [...(line ? [line.row] : []), ...code];
      row.near = line ? [...line.operators, ...line.code] : [];
    }
    for (const [row, operator, line] of this.code) {
      row.links = [...(line ? [line.row] : []), ...(operator ? [operator.row] : [])];
      row.near = line ? [...line.operators, ...line.code] : [];
    }
  }
}

function fill(pane, elements, nothing) {
  PANES[pane].replaceChildren(...(elements.length > 0 ? elements : [make('p', 'empty', nothing)]));
}

function addRow(pane, margin, hue) {
  const element = make('div', 'row');
  element.role = 'option';
  element.id = `${PANES[pane].id}-${rows[pane].length}`;
  if (hue !== undefined) element.style.setProperty('--hue', hue);
  element.append(make('span', 'margin', margin));
  const row = { element, pane, index: rows[pane].length, links: [], near: [], target: undefined };
  rows[pane].push(row);
  return row;
}

const hueOf = (file, line) => Math.round((file * 71 + line * GOLDEN_ANGLE) % 360);

function typeScript(parts, links) {
  const elements = [];
  const told = new Set();
  for (const { name, file, first, last } of parts) {
    if (file < 0) continue;
    const { path, lines } = data.files[file];
    elements.push(make('div', 'part', `${path}:${first}  ${split(name)[0]}`));
    for (let line = first; line <= last; line++) {
      const key = `${file}:${line}`;
      const row = addRow(TS, line, told.has(key) ? undefined : hueOf(file, line));
      row.element.append(make('span', 'text', lines[line - 1] ?? ''));
      if (!told.has(key)) links.line(key, row);
      told.add(key);
      elements.push(row.element);
    }
  }
  return elements;
}

function webAssembly(parts, links) {
  const elements = [];
  parts.forEach(({ name, operators }, i) => {
    elements.push(make('div', 'part', i === 0 ? name : `${name}, inlined`));
    for (const [offset, depth, text, file, line] of operators) {
      const row = addRow(WASM, offset.toString(16), file < 0 ? undefined : hueOf(file, line));
      row.element.append(callOf(text, /^(?:return_)?call (.+)$/, '  '.repeat(depth), row));
      links.operator(offset, `${file}:${line}`, row);
      elements.push(row.element);
    }
  });
  return elements;
}

function machineCode(f, links) {
  const elements = [];
  for (const [offset, bytes, text, operator, part, stage, isTarget, samples, file, line] of f.code) {
    const place = data.places[operator] ?? (file < 0 ? undefined : [file, line]);
    const row = addRow(X86, offset.toString(16), place && hueOf(...place));
    if (isTarget) row.element.firstChild.append(make('span', 'label', '▸'));
    if (data.samples)
      row.element.append(
        make('span', 'heat', samples ? `${((100 * samples) / f.samples).toFixed(0)} %` : ''),
      );
    const written = callOf(text, /^(?:call|jmp)\s+(.+)$/, '', row);
    written.classList.add('code');
    row.element.append(written, make('span', 'bytes', bytes), make('span', 'stage', stage));
    row.element.classList.toggle('inlined', part > 0);
    links.instruction(operator, `${file}:${line}`, row);
    elements.push(row.element);
  }
  return elements;
}

/** The text, with a link where it calls a function that has code. */
function callOf(text, pattern, indent, row) {
  const element = make('span', 'text', indent);
  const name = pattern.exec(text)?.[1];
  const target = name === undefined ? undefined : data.byName.get(name);
  if (!target) {
    element.append(text);
    return element;
  }
  row.target = target.index;
  const link = make('a', '', name);
  link.href = `#${encodeURIComponent(target.key)}`;
  link.tabIndex = -1;
  element.append(text.slice(0, text.length - name.length), link);
  return element;
}

// --- links ---

function clear(...classes) {
  for (const name of classes)
    for (const element of document.querySelectorAll(`.row.${name}`)) element.classList.remove(name);
}

function light(row, name) {
  row.element.classList.add(name);
  for (const each of row.near) each.element.classList.add('near');
  for (const each of row.links) each.element.classList.add(name);
}

function hover(row) {
  clear('on', 'near');
  if (pinned) light(pinned, 'pin');
  if (row && row !== pinned) light(row, 'on');
}

/** Keeps a row, and shows in the other panes what belongs to it. */
function pin(row) {
  pinned = at = row;
  clear('pin', 'at', 'on', 'near');
  if (!row) return;
  light(row, 'pin');
  row.element.classList.add('at');
  PANES[row.pane].setAttribute('aria-activedescendant', row.element.id);
  row.element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  for (const pane of [TS, WASM, X86])
    if (pane !== row.pane) reveal(row.links.find((each) => each.pane === pane));
}

function reveal(row) {
  if (!row) return;
  const pane = PANES[row.pane];
  const top = row.element.offsetTop - pane.offsetTop;
  const { scrollTop, clientHeight } = pane;
  if (top < scrollTop || top + row.element.offsetHeight > scrollTop + clientHeight)
    pane.scrollTop = top - clientHeight / 3;
}

function rowOf(event) {
  const element = event.target.closest?.('.row');
  if (!element) return undefined;
  const [pane, index] = element.id.split('-');
  return rows[PANES.findIndex((each) => each.id === pane)][Number(index)];
}

// --- keys ---

const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: -Infinity, End: Infinity };

/** Where a key leads in a list of `length`; undefined: it is no such key. */
function step(key, index, length) {
  if (!(key in STEPS) || length === 0) return undefined;
  return Math.min(Math.max(index + STEPS[key], 0), length - 1);
}

function listKey(event) {
  const index = shown.findIndex((f) => f.index === current);
  const next = step(event.key, index, shown.length);
  if (next !== undefined) go(shown[next].index);
  else if (event.key === 'ArrowRight' || event.key === 'Enter') focusPane(TS);
  else return;
  event.preventDefault();
}

function searchKey(event) {
  if (event.key === 'Escape') {
    byId('search').value = '';
    fillList();
  } else if (event.key !== 'ArrowDown' && event.key !== 'Enter') return;
  event.preventDefault();
  byId('functions').focus();
  if (event.key !== 'Escape' && shown.length > 0) go(shown[0].index);
}

function paneKey(pane, event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const list = rows[pane];
  const here = at?.pane === pane ? at.index : -1;
  const next = step(event.key, here, list.length);
  if (next !== undefined) pin(list[next]);
  else if (event.key === 'ArrowLeft' && pane === TS) byId('functions').focus();
  else if (event.key === 'ArrowLeft') focusPane(pane - 1);
  else if (event.key === 'ArrowRight' && pane < X86) focusPane(pane + 1);
  else if (event.key === 'Enter' && list[here]?.target !== undefined) go(list[here].target);
  else if (event.key === 'Escape') pin(undefined);
  else return;
  event.preventDefault();
}

/** At what belongs to the row that was left. */
function focusPane(pane) {
  PANES[pane].focus();
  const row =
    at?.links.find((each) => each.pane === pane) ?? rows[pane].find((each) => each.links.length > 0);
  if (row) pin(row);
}

function listen() {
  byId('search').oninput = fillList;
  byId('order').onchange = fillList;
  byId('search').onkeydown = searchKey;
  byId('functions').onkeydown = listKey;
  PANES.forEach((element, pane) => {
    element.onkeydown = (event) => paneKey(pane, event);
    element.onmouseover = (event) => hover(rowOf(event));
    element.onmouseleave = () => hover(undefined);
    element.onclick = (event) => {
      const row = rowOf(event);
      if (row && !event.target.closest('a')) pin(row === pinned ? undefined : row);
    };
  });
  byId('help-button').onclick = () => byId('help').showModal();
  addEventListener('hashchange', openAddressed);
  addEventListener('keydown', (event) => {
    if (event.target.matches('input, select') || byId('help').open) return;
    if (event.key === '/') byId('search').focus();
    else if (event.key === '?') byId('help').showModal();
    else return;
    event.preventDefault();
  });
}

async function start() {
  data = await inflate(byId('data').textContent);
  data.functions.forEach((f, index) => {
    f.index = index;
    f.size = f.code.reduce((sum, [, bytes]) => sum + (bytes.length + 1) / 3, 0);
    f.samples = f.code.reduce((sum, row) => sum + (row[7] ?? 0), 0);
  });
  data.samples = data.functions.reduce((sum, f) => sum + f.samples, 0);
  data.byName = new Map(data.functions.map((f) => [f.name, f]));
  data.places = {};
  for (const { operators } of Object.values(data.wasm))
    for (const [offset, , , file, line] of operators) if (file >= 0) data.places[offset] = [file, line];
  const bytes = data.functions.reduce((sum, f) => sum + f.size, 0);
  byId('title').textContent = data.title;
  byId('facts').textContent =
    `${plural(data.functions.length, 'function')}, ${plural(bytes, 'byte')} of machine code`;
  fillOrders();
  listen();
  fillList();
  openAddressed();
  document.documentElement.dataset.ready = 'yes';
}

start();
