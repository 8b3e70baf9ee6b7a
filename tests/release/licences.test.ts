// docs/licences.md names every package that is installed with yaos or asked for by package.json, as package-lock.json pins it, and
// every licence that there is.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Pinned {
  version: string;
  license: string;
  dev?: boolean;
}

const text = readFileSync('docs/licences.md', 'utf8');
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Record<string, Pinned>;
};
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const pinned = Object.entries(packages)
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({ ...entry, name: path.slice('node_modules/'.length) }));

test('packages', () => {
  const named = [...text.matchAll(/^\| `(.+)` \| (.+?) \| (.+?) \|/gm)].map((row) => row.slice(1).join(' '));
  const wanted = pinned
    .filter(({ name, dev }) => !dev || name in manifest.devDependencies)
    .map(({ name, version, license }) => `${name} ${version} ${license}`);
  expect(named.sort()).toEqual(wanted.sort());
});

test('licences', () => {
  const licences = new Set(pinned.flatMap(({ license }) => license.split(' OR ')));
  expect([...licences].filter((name) => !text.includes(name))).toEqual([]);
});
