// out/profile.html: the profile as a flame graph, callers above what they call, and a table of the hottest functions.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { escapeHtml, pageHtml } from '../page/page.ts';
import { out } from '../paths.ts';
import type { FlameData, FlameNode } from './flame-data.ts';
import { hottest, hottestLine, type Profile, type ProfiledFunction } from './profile.ts';

const ROWS = 40;
const PLAIN = -1;
/** Compiled by make, from page/flame.ts. */
const SCRIPT = join(out, 'build/profile/page/flame.js');

const STYLE = `#graph { position: relative; margin: 12px 16px; }
.call { position: absolute; height: 19px; text-indent: 4px; line-height: 19px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis;
  border-right: 1px solid var(--back); cursor: pointer; color: var(--on-heat);
  background: hsl(var(--hue) var(--heat-saturation) var(--heat-lightness)); }
.call.plain { background: var(--raised); color: var(--quiet); }
.call.around { opacity: 0.6; }
.call:hover { filter: brightness(1.08); }
.call.mark { background: var(--mark); }
#told { min-height: 1.5em; padding: 8px 16px 0; }
section { padding: 4px 16px 24px; }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-align: left; }`;

export function profilePage(profile: Profile, title: string): string {
  const cpus = new Set(profile.stacks.map(({ cpu }) => cpu)).size;
  const body = `<header>
<h1>${escapeHtml(title)}</h1>
<span class="quiet">${profile.stacks.length} samples of ${cpus} CPUs, ${profile.idle} of them idle</span>
<input id="search" type="search" placeholder="function or file" aria-label="Search">
<span id="found" class="quiet" role="status"></span>
<span class="quiet"><kbd>←↑↓→</kbd> move, <kbd>Enter</kbd> zoom, <kbd>Esc</kbd> all, <kbd>/</kbd> search</span>
</header>
<main>
<div id="told" class="code" role="status"></div>
<div id="graph" role="tree" aria-label="Flame graph"></div>
<section>
<table id="hottest">
<thead><tr><th class="number">itself</th><th class="number">with calls</th><th>function</th><th>hottest line</th></tr></thead>
<tbody>
${hottest(profile)
  .slice(0, ROWS)
  .map((each) => row(each, profile.stacks.length))
  .join('\n')}
</tbody>
</table>
</section>
</main>`;
  return pageHtml({
    title,
    body,
    style: STYLE,
    data: flameData(profile, cpus),
    script: readFileSync(SCRIPT, 'utf8'),
  });
}

function row(each: ProfiledFunction, samples: number): string {
  const share = (count: number) => `<td class="number">${((count / samples) * 100).toFixed(1)} %</td>`;
  const name = escapeHtml(each.name);
  return `<tr>${share(each.self)}${share(each.total)}<td class="code"><button data-name="${name}">${name}</button></td><td class="code quiet">${escapeHtml(placeOf(each))}</td></tr>`;
}

function placeOf(each: ProfiledFunction): string {
  const line = hottestLine(each);
  return each.file === undefined ? '' : `${each.file}${line === undefined ? '' : `:${line}`}`;
}

/** One row for all, then one for the CPUs, if there are several. */
function flameData({ functions, stacks }: Profile, cpus: number): FlameData {
  const table = functions.map((f) => ({ name: f.name, place: placeOf(f), hue: hueOf(f.file) }));
  const extra = (name: string) => table.push({ name, place: '', hue: PLAIN }) - 1;
  const root: FlameNode = { f: extra('all'), n: 0, c: [] };
  const tracks = new Map<number, number>();
  for (const { cpu, stack } of stacks) {
    if (cpus > 1 && !tracks.has(cpu)) tracks.set(cpu, extra(`CPU ${cpu}`));
    let node = root;
    node.n++;
    for (const f of [...(cpus > 1 ? [tracks.get(cpu)!] : []), ...stack]) {
      let child = node.c.find((each) => each.f === f);
      if (child === undefined) {
        child = { f, n: 0, c: [] };
        node.c.push(child);
      }
      child.n++;
      node = child;
    }
  }
  sort(root, table);
  return { root, functions: table };
}

/** By name, so that two profiles can be compared; CPUs by number. */
function sort(node: FlameNode, functions: FlameData['functions']): void {
  const collator = new Intl.Collator('en', { numeric: true });
  node.c.sort((a, b) => collator.compare(functions[a.f].name, functions[b.f].name));
  for (const child of node.c) sort(child, functions);
}

/** What lies in one folder has one colour. */
function hueOf(file: string | undefined): number {
  if (file === undefined) return PLAIN;
  let hash = 0;
  for (const character of file.slice(0, file.lastIndexOf('/')))
    hash = (hash * 31 + character.charCodeAt(0)) % 360;
  return hash;
}
