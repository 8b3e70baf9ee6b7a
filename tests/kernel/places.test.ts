// Static data of one build after the other in a process, as `yaos watch` has it: what was there before is where it was, and nothing
// lies upon something else.

import { expect, test } from 'vitest';
import { readModule } from '../../build/wasm/validate.ts';
import { compileBytes } from './compile.ts';

/** Offsets by text, the array's under its name. */
async function build(...texts: string[]): Promise<Map<string, number>> {
  const functions = texts.map((text, i) => `export function text${i}(): string { return '${text}'; }`);
  const heap = "import './irq/vectors';\n"; // the target's, with what it needs
  const array = 'export const numbers: StaticArray<u32> = [0x11223344, 5, 6];\n';
  const { datas } = readModule(await compileBytes(heap + array + functions.join('\n'), 'watch'));
  const segments = datas.map(({ offset, bytes }) => {
    const [at] = offset!;
    return { start: at.op === 'const' ? Number(at.bits) : 0, bytes: Buffer.from(bytes) };
  });
  segments.sort((a, b) => a.start - b.start);
  segments.reduce((end, { start, bytes }) => {
    expect(start).toBeGreaterThanOrEqual(end);
    return start + bytes.length;
  }, 0);
  const find = (content: Buffer) => segments.find(({ bytes }) => bytes.includes(content))!.start;
  const places = texts.map((text) => [text, find(Buffer.from(text, 'utf16le'))] as const);
  return new Map([...places, ['numbers', find(Buffer.from([0x44, 0x33, 0x22, 0x11, 5]))]]);
}

test('stays where it was, until too much is unused', async () => {
  const first = await build('alpha one', 'beta two');
  const second = await build('new before', 'alpha one', 'beta two');
  for (const [name, offset] of first) expect(second.get(name)).toBe(offset);
  expect(second.get('new before')).toBeGreaterThan(first.get('beta two')!);
  await expect(build("'")).rejects.toThrow();
  expect(await build('new before', 'alpha one', 'beta two')).toEqual(second);
  expect(await build('alpha one')).toEqual(new Map([...first].filter(([name]) => name !== 'beta two')));

  const long = 'x'.repeat(70_000);
  const third = await build('alpha one', long, 'last');
  const unused = await build('alpha one', 'last');
  expect(unused.get('last')).toBe(third.get('last'));
  expect((await build('alpha one', 'last')).get('last')).toBeLessThan(third.get('last')!);
});
