// `yaos listing`: one HTML page, which needs no network, with the source, the WebAssembly and the machine code of a module side
// by side. What stands in page/ is put into it, and the data, deflated.

import { readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { deflateSync } from 'node:zlib';
import { readInput } from '../files.ts';
import { root } from '../paths.ts';
import type { PageData } from './page-data.ts';

const FOLDER = join(root, 'build/listing/page');

export function makePage(data: PageData): string {
  const file = (name: string) => new TextDecoder().decode(readInput(join(FOLDER, name)));
  const parts: Record<string, string> = {
    title: data.title.replaceAll('&', '&amp;').replaceAll('<', '&lt;'),
    style: file('page.css'),
    script: file('page.js'),
    data: deflateSync(JSON.stringify(data), { level: 9 }).toString('base64'),
  };
  return file('page.html').replace(/(?:\/\* )?\{\{(\w+)\}\}(?: \*\/)?/g, (_, name) => parts[name]);
}

/** asc's library, whose sources the map calls `~lib/…`. */
const LIBRARY_NAMES = '~lib/';
const LIBRARY = join(root, 'node_modules/assemblyscript/std/assembly');

/**
 * The text of a source, by its name in the map: of a file below the working directory, or in asc's library. No other is read, wherever
 * links lead: whoever made the module has chosen the names, and the page may be shown to anybody.
 */
export function sourceText(name: string): string | undefined {
  const inLibrary = name.startsWith(LIBRARY_NAMES);
  const folder = inLibrary ? LIBRARY : process.cwd();
  try {
    const path = realpathSync(resolve(folder, inLibrary ? name.slice(LIBRARY_NAMES.length) : name));
    const way = relative(realpathSync(folder), path);
    if (isAbsolute(way) || /^\.\.(\/|$)/.test(way) || !statSync(path).isFile()) return undefined;
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not there, or not to be read
  }
}
