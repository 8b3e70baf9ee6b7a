// The listing's page: its data against wabt's text and against the source map, and the page itself in a headless Chromium, where
// there is one.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import wabtModule from 'wabt';
import { makePage, sourceText } from '../../build/listing/page.ts';
import type { PageData } from '../../build/listing/page-data.ts';
import { readProfile } from '../../build/listing/profile.ts';
import { wasmLines } from '../../build/listing/wasm-lines.ts';
import { readElf } from '../../build/object/elf-reader.ts';
import { readSourceMap } from '../../build/object/sourcemap.ts';
import { out } from '../../build/paths.ts';
import { translate } from '../../build/translate.ts';
import { operatorName } from '../../build/wasm/operator-names.ts';
import { readModule } from '../../build/wasm/validate.ts';
import { wat } from '../wasm/wat.ts';
import { findBrowser, Page } from './browser.ts';

const KERNEL = readFileSync(join(out, 'kernel.wasm'));
const folder = join(out, 'tests/listing');
/** A method whose body calls CALLED. */
const HOT = 'kernel/sched/event/Event#wait';
const CALLED = 'kernel/sched/scheduler/suspend';
const FILE = 'kernel/sched/event.ts';
const SECOND = 'kernel/sched/scheduler/idle';
const ELF = join(out, 'kernel.elf');
let data: PageData;

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  const profile = join(folder, 'profile.json');
  const { symbols } = readElf(readFileSync(ELF));
  const at = (name: string) =>
    `0x${symbols.find((s) => s.name === name && s.type === 2)!.value.toString(16)}`;
  const addresses = { [at(HOT)]: 15, [at(SECOND)]: 3, '0xffffffff80100000': 100 };
  writeFileSync(profile, JSON.stringify({ addresses }));
  const page = { title: 'kernel.wasm', read: sourceText, profile: readProfile(profile, ELF) };
  const sourceMap = readSourceMap(join(out, 'kernel.wasm.map'));
  data = translate(KERNEL, { memory: 'fixed', sourceMap, page }).page!;
});

const wabt = await wabtModule();

/** The operators of each function with a body, by wabt. */
function operatorsByWabt(bytes: Uint8Array): string[][] {
  const module = wabt.readWasm(bytes, { threads: true, readDebugNames: false });
  const text = module.toText({ foldExprs: false });
  module.destroy();
  return text
    .split(/^ {2}\(func /m)
    .slice(1)
    .map((body) => {
      const end = body.search(/^ {2}\(/m);
      const lines = (end < 0 ? body : body.slice(0, end)).split('\n').slice(1);
      const operators = lines
        .map((line) => line.trim().split(/[\s)]/)[0])
        .filter((word) => /^[a-z]/.test(word));
      return [...operators, 'end'];
    });
}

describe('operators', () => {
  test('of the kernel have the names that wabt gives them', () => {
    const module = readModule(KERNEL);
    const ours = module.funcs
      .filter((f) => f.body)
      .map((f) => wasmLines(module, f).map((l) => l.text.split(' ')[0]));
    expect(ours).toEqual(operatorsByWabt(KERNEL));
  });

  test('of every opcode have the names that wabt reads', () => {
    const codes = Array.from({ length: 256 }, (_, code) => [code, 0]);
    for (let sub = 0; sub < 0x4f; sub++) codes.push([0xfc, sub], [0xfe, sub]);
    const names = [...new Set(codes.map(([code, sub]) => operatorName(code, sub)))].filter((name) =>
      name.includes('.'),
    );
    expect(names.length).toBeGreaterThan(240);
    const immediates = (name: string): string => {
      if (/const$/.test(name)) return '1';
      if (/^(local|global|table|data|elem)\./.test(name)) return name === 'table.copy' ? '0 0' : '0';
      if (/^ref\.(null|func)/.test(name)) return name === 'ref.null' ? 'func' : '0';
      return name === 'memory.init' ? '0' : '';
    };
    const text = names.map(
      (name) => `(func (local i32) unreachable ${name} ${immediates(name)} unreachable)`,
    );
    const bytes =
      wat(`(module (memory 1) (table 1 funcref) (global (mut i32) (i32.const 0)) (func) (elem declare func 0)
      (elem func 0) (data "x") ${text.join('\n')})`);
    const module = readModule(bytes);
    const read = module.funcs.slice(1).map((f) => wasmLines(module, f)[1].text.split(' ')[0]);
    expect(read).toEqual(names);
  });
});

describe('data', () => {
  test('of each instruction names an operator of one of its parts', () => {
    for (const { name, parts, code } of data.functions) {
      const offsets = parts.map((part) => new Set(data.wasm[part].operators.map(([offset]) => offset)));
      for (const [at, , text, operator, part] of code)
        if (operator >= 0) expect(offsets[part].has(operator), `${name} ${at} ${text}`).toBe(true);
    }
  });

  test('has lines from the declaration to the end', () => {
    const { parts } = data.functions.find((f) => f.name === HOT)!;
    const { file, first, last } = data.wasm[parts[0]];
    expect(data.files[file].path).toBe(FILE);
    const lines = readFileSync(FILE, 'utf8').split('\n');
    expect(lines[first - 1]).toMatch(/^ {2}wait\(/);
    expect(lines[last - 1]).toBe('  }');
  });

  test.each([
    ['{', /not a profile: /],
    ['{}', /not a profile: it has no "addresses"$/],
    ['{"addresses":{"0x10":"x"}}', /not a profile: "addresses" has "0x10": "x"$/],
  ])('a profile like %s is refused', (text, message) => {
    const path = join(folder, 'bad.json');
    writeFileSync(path, text);
    expect(() => readProfile(path, ELF)).toThrow(message);
  });
});

const browser = findBrowser();
if (!browser) console.log('the page is not tried: no Chromium here (Debian: apt-get install chromium)');

describe.skipIf(!browser)('in Chromium', () => {
  let page: Page;

  beforeAll(async () => {
    const path = join(folder, 'page.html');
    writeFileSync(path, makePage(data));
    page = new Page(browser!);
    await page.open(pathToFileURL(path).href);
    await page.value(
      'new Promise((r) => { const go = () => (document.documentElement.dataset.ready ? r() : setTimeout(go, 10)); go(); })',
    );
  });

  afterAll(() => page?.close());

  const texts = (selector: string) =>
    page.value<string[]>(
      `[...document.querySelectorAll(${JSON.stringify(selector)})].map((e) => e.textContent)`,
    );
  const name = () => page.value<string>("document.getElementById('name').textContent");
  /** The page handles a new address in a task of its own. */
  const settle = () => page.value('new Promise((r) => setTimeout(r))');
  const openNamed = async (wanted: string) => {
    const key = data.functions.find((f) => f.name === wanted)!.key;
    await page.value(`location.hash = ${JSON.stringify(key)}`);
    await settle();
  };

  test('lists every function, the hottest first', async () => {
    expect(await page.value('document.querySelectorAll("#functions .item").length')).toBe(
      data.functions.length,
    );
    const titles = await page.value<string[]>(
      '[...document.querySelectorAll("#functions .name")].map((e) => e.title)',
    );
    expect(titles.slice(0, 2)).toEqual([HOT, SECOND]);
    expect(await name()).toBe(HOT);
    expect((await texts('#functions .number'))[0]).toBe('83.3 %');
    expect((await texts('#x86 .heat')).slice(0, 2)).toEqual(['100 %', '']);
  });

  test('shows the function as it is in its source and in the module', async () => {
    const { parts, code } = data.functions.find((f) => f.name === HOT)!;
    const { file, first, last } = data.wasm[parts[0]];
    const lines = await texts('#ts .text');
    expect(lines.slice(0, last - first + 1)).toEqual(data.files[file].lines.slice(first - 1, last));
    expect((await texts('#x86 .text')).map((t) => t.trim())).toEqual(code.map(([, , text]) => text));
    expect((await texts('#wasm .row')).length).toBe(
      parts.reduce((sum, p) => sum + data.wasm[p].operators.length, 0),
    );
  });

  test('links lines by hover and click, both ways', async () => {
    const { code } = data.functions.find((f) => f.name === HOT)!;
    const index = code.findIndex(([, , text]) => text === `call   ${CALLED}`);
    await page.mouse(`#x86-${index} .text`, false);
    expect(await texts('#ts .row.on .text')).toEqual([expect.stringMatching(/\bsuspend\(/)]);
    expect(await texts('#wasm .row.on .text')).toEqual([expect.stringMatching(`^ *call ${CALLED}$`)]);
    const line = await page.value<string>("document.querySelector('#ts .row.on').id");
    await page.mouse(`#${line} .text`, true);
    expect(await texts('#x86 .row.pin .text')).toContain(code[index][2]);
    expect((await texts('#wasm .row.pin .text')).length).toBeGreaterThan(1);
    await page.mouse(`#${line} .text`, true);
    expect(await texts('.row.pin')).toEqual([]);
  });

  test('finds functions by parts of their names', async () => {
    await page.mouse('h2', true);
    await page.key('/');
    await page.type('lock spin');
    const found = await page.value<string[]>(
      '[...document.querySelectorAll("#functions .name")].map((e) => e.title)',
    );
    const wanted = data.functions.map((f) => f.name).filter((n) => /lock/i.test(n) && /spin/i.test(n));
    expect(found.toSorted()).toEqual(wanted.toSorted());
    await page.key('ArrowDown');
    await settle();
    expect(await name()).toBe(found[0]);
    await page.key('/');
    await page.key('Escape');
    expect(await page.value('document.querySelectorAll("#functions .item").length')).toBe(
      data.functions.length,
    );
  });

  test('is used by the keyboard alone', async () => {
    await openNamed(HOT);
    await page.value("document.getElementById('functions').focus()");
    await page.key('ArrowRight');
    for (let i = 0; i < 10; i++) await page.key('ArrowDown');
    await page.key('ArrowUp');
    const { parts } = data.functions.find((f) => f.name === HOT)!;
    const at = await page.value<string>("document.querySelector('.row.at').id");
    expect(at).toMatch(/^ts-\d+$/);
    await page.key('End');
    expect((await texts('.row.at .margin'))[0]).toBe(
      String(parts.map((p) => data.wasm[p]).findLast((part) => part.file >= 0)!.last),
    );
    const call = data.functions
      .find((f) => f.name === HOT)!
      .code.findIndex(([, , text]) => text === `call   ${CALLED}`);
    await page.key('ArrowRight');
    await page.key('ArrowRight');
    await page.key('Home');
    for (let i = 0; i < call; i++) await page.key('ArrowDown');
    expect(await page.value("document.querySelector('.row.at').id")).toBe(`x86-${call}`);
    await page.key('Enter');
    await settle();
    expect(await name()).toBe(CALLED);
    await page.value(
      'new Promise((r) => { addEventListener("hashchange", r, { once: true }); history.back(); })',
    );
    expect(await name()).toBe(HOT);
  });

  test('opens the largest functions, and every kind', async () => {
    const largest = data.functions.toSorted((a, b) => b.code.length - a.code.length).slice(0, 5);
    const bare = data.functions.filter((f) => f.parts.length === 0);
    for (const f of [...largest, ...bare]) {
      await openNamed(f.name);
      expect(await name()).toBe(f.name);
      expect((await texts('#x86 .row')).length).toBe(f.code.length);
    }
  });

  test('is light or dark as the reader wants it, and fits a small window', async () => {
    await openNamed(HOT);
    await page.mouse('#ts-3 .text', true);
    const colours = [];
    for (const scheme of ['light', 'dark'] as const) {
      await page.scheme(scheme);
      writeFileSync(join(folder, `${scheme}.png`), await page.screenshot());
      const colour = await page.value<string>(
        "getComputedStyle(document.querySelector('#ts')).backgroundColor",
      );
      colours.push(Number(/\d+/.exec(colour)![0]));
    }
    expect(colours[0]).toBeGreaterThan(200);
    expect(colours[1]).toBeLessThan(60);
    await page.size(700, 900);
    writeFileSync(join(folder, 'small.png'), await page.screenshot());
    expect(await page.value('document.documentElement.scrollWidth')).toBeLessThanOrEqual(700);
  });

  test('asks for nothing and complains of nothing', () => {
    expect(page.complaints).toEqual([]);
  });
});
