// The page of a profile in a headless Chromium, where there is one: what is drawn where, by mouse and keyboard, in light and dark.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { out } from '../../build/paths.ts';
import { profilePage } from '../../build/profile/page.ts';
import { type Profile, profileOf } from '../../build/profile/profile.ts';
import { findBrowser, Page } from '../listing/browser.ts';

const folder = join(out, 'tests/profile');

/** Two CPUs: on one, main calls outer 6 times, which is in inner 4 times of them, and other 2 times; the other one is idle. */
function sampled(): Profile {
  const [main, outer, inner, other] = ['main', 'One#outer<u32>', 'inner', 'other'].map((name, i) => ({
    name: `kernel/x/${i < 2 ? 'first' : 'second'}/${name}`,
    line: 10 + i,
  }));
  const places = new Map([main, outer, inner, other].map((place, i) => [BigInt(i), [place!]]));
  const stack = (count: number, ...calls: bigint[]) =>
    Array.from({ length: count }, () => ({ cpu: 0, calls }));
  const idle = Array.from({ length: 2 }, () => ({ cpu: 1, calls: undefined }));
  const samples = [...stack(2, 1n, 0n), ...stack(4, 2n, 1n, 0n), ...stack(2, 3n, 0n), ...idle];
  return profileOf({ samples, ran_ms: 100 }, places);
}

const browser = findBrowser();
if (!browser) console.log('the page is not tried: no Chromium here (Debian: apt-get install chromium)');

describe.skipIf(!browser)('in Chromium', () => {
  let page: Page;

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'page.html');
    writeFileSync(path, profilePage(sampled(), 'a </script> & a profile'));
    page = new Page(browser!);
    await page.open(pathToFileURL(path).href);
  });

  afterAll(() => page?.close());

  const text = (id: string) => page.value<string>(`document.getElementById('${id}').textContent`);
  /** Name, row and share of the width of each call that is drawn. */
  const calls = () =>
    page.value<[string, number, number][]>(
      `[...document.querySelectorAll('.call')].map((e) => [e.textContent, parseInt(e.style.top) / 20, Math.round(parseFloat(e.style.width))])`,
    );
  const focused = () => page.value<string>('document.activeElement.textContent');

  test('draws calls under their callers, as wide as their share', async () => {
    expect(await calls()).toEqual([
      ['all', 0, 100],
      ['CPU 0', 1, 80],
      ['main', 2, 80],
      ['One#outer<u32>', 3, 60],
      ['inner', 4, 40],
      ['other', 3, 20],
      ['CPU 1', 1, 20],
      ['(idle)', 2, 20],
    ]);
    expect(await page.value('document.title')).toBe('a </script> & a profile');
  });

  test('tells what is under the mouse, and zooms by a click', async () => {
    await page.mouse('.call[aria-label^="One#outer"]', false);
    expect(await text('told')).toMatch(/^One#outer<u32> .*: 6 samples, 60\.0 %; itself 2, 20\.0 %$/);
    await page.mouse('.call[aria-label^="One#outer"]', true);
    expect((await calls()).map(([name, , width]) => [name, width])).toEqual([
      ...['all', 'CPU 0', 'main', 'One#outer<u32>'].map((name) => [name, 100]),
      ['inner', 67],
    ]);
    await page.key('Escape');
    expect((await calls()).length).toBe(8);
  });

  test('goes by the keyboard', async () => {
    expect(await focused()).toBe('all');
    for (const [key, name] of [
      ['ArrowDown', 'CPU 0'],
      ['ArrowRight', 'CPU 1'],
      ['ArrowLeft', 'CPU 0'],
      ['ArrowDown', 'main'],
      ['ArrowDown', 'One#outer<u32>'],
      ['ArrowUp', 'main'],
    ]) {
      await page.key(key!);
      expect(await focused()).toBe(name);
    }
    await page.key('Enter');
    expect((await calls()).map(([, , width]) => width)).toEqual([100, 100, 100, 75, 50, 25]);
    await page.key('Escape');
  });

  test('finds by name and file, and counts each sample once', async () => {
    await page.key('/');
    await page.type('second');
    expect(await text('found')).toBe('60.0 % of the samples match');
    expect(
      await page.value("[...document.querySelectorAll('.call.mark')].map((e) => e.textContent)"),
    ).toEqual(['inner', 'other']);
    await page.key('Enter');
    expect(await focused()).toBe('inner');
    await page.key('Escape');
    await page.mouse('#hottest tbody button', true);
    expect(await text('found')).toBe('40.0 % of the samples match');
    await page.key('Escape');
  });

  test('is readable in light and dark, and needs no network', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      await page.scheme(scheme);
      const [back, front] = await page.value<string[]>(
        "['backgroundColor', 'color'].map((what) => getComputedStyle(document.body)[what])",
      );
      const light = (color: string) =>
        /\d+/g[Symbol.match](color)!.reduce((sum, part) => sum + Number(part), 0);
      expect(Math.abs(light(back!) - light(front!))).toBeGreaterThan(400);
      expect(light(back!) > light(front!)).toBe(scheme === 'light');
      writeFileSync(join(folder, `${scheme}.png`), await page.screenshot());
    }
    expect(page.complaints).toEqual([]);
  });
});
