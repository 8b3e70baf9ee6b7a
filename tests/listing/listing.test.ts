// The listing of `yaos compile -S` against GNU objdump: the same addresses, bytes, mnemonics and operands, for the
// kernel and for random programs; and its margin: the Wasm offset, the line, the stage.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSourceMap } from '../../build/object/sourcemap.ts';
import { out } from '../../build/paths.ts';
import { type TranslateOptions, translate } from '../../build/translate.ts';
import { addProgram, finishModule, startModule } from '../translator/program.ts';
import { Random } from '../translator/values.ts';
import { wat } from '../wasm/wat.ts';

const directory = join(out, 'tests/listing');

/** `ADDRESS: BYTES  MNEMONIC OPERANDS`, without what only one of the two can name: where branches and addresses go. */
function normal(line: string): string | undefined {
  const [, at, bytes, text] = /^ *([0-9a-f]+):\s+((?:[0-9a-f]{2} )+)\s*(.*)$/.exec(line) ?? [];
  if (text === undefined) return undefined;
  const plain = text
    .replace(/ +[#{].*$/, '')
    .replace(/\t.*R_X86_64.*$/, '')
    .replace(/^(call|j[a-z]+) +(?!.*PTR)(?!r[0-9a-z]+$).*$/, '$1')
    .replace(/\[rip\+.*\]/, '[rip]')
    .replace(/\s+/g, ' ')
    .trim();
  return `${at}: ${bytes.trim()} ${plain}`;
}

function bothWays(name: string, bytes: Uint8Array, options: TranslateOptions): [string[], string[], string] {
  mkdirSync(directory, { recursive: true });
  const { object, listing } = translate(bytes, { ...options, listing: true });
  writeFileSync(join(directory, `${name}.o`), object);
  writeFileSync(join(directory, `${name}.s`), listing!);
  const dump = execFileSync(
    'objdump',
    ['-d', '-w', '-M', 'intel', '-j', '.text', join(directory, `${name}.o`)],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  );
  const lines = (text: string) => text.split('\n').flatMap((line) => normal(line) ?? []);
  // Between functions there is padding, which the listing leaves out.
  const padding = /^[0-9a-f]+: cc int3$/;
  return [lines(listing!), lines(dump).filter((line) => !padding.test(line)), listing!];
}

describe('agrees with objdump', () => {
  it('on the kernel', () => {
    const sourceMap = readSourceMap(join(out, 'kernel.wasm.map'));
    const bytes = readFileSync(join(out, 'kernel.wasm'));
    const [ours, theirs, text] = bothWays('kernel', bytes, { memory: 'fixed', sourceMap });
    expect(theirs.length).toBeGreaterThan(5000);
    expect(ours).toEqual(theirs);
    expect(text).toMatch(/# @0x[0-9a-f]+ kernel\/virtio\/queue\.ts:\d+ gvn$/m);
  });

  it.each(['fixed', 'register'] as const)('on random programs, %s model', (memory) => {
    const shared = startModule();
    for (let seed = 0; seed < 20; seed++) addProgram(shared, new Random(seed), `program ${seed}`);
    const [ours, theirs] = bothWays(`random-${memory}`, finishModule(shared).build(), { memory });
    expect(theirs.length).toBeGreaterThan(2000);
    expect(ours).toEqual(theirs);
  });
});

it('says where each instruction comes from', () => {
  const bytes = wat(`(module (memory 1)
    (func $f (param i32) (result i32)
      (if (i32.eqz (local.get 0)) (then (unreachable)))
      (i32.xor (i32.load offset=8 (local.get 0)) (i32.mul (local.get 0) (i32.const 8)))))`);
  const [, , text] = bothWays('origin', bytes, { memory: 'register' });
  const lines = text.slice(text.indexOf('\nf:')).split('\n\n')[0].split('\n');
  const origin = (pattern: RegExp) =>
    lines.find((line) => pattern.test(line))?.replace(/^.*# @0x[0-9a-f]+ /, '');
  expect(text).toMatch(/^# function 0, \d+ bytes, frame of \d+ bytes\nf:$/m);
  expect(origin(/xor .*\[r15\+rdi\*1\+0x8\]/)).toBe('builder');
  // A multiplication that has become a shift.
  expect(origin(/shl /)).toBe('fold');
  expect(origin(/ud2/)).toMatch(/^(emit|builder)$/);
  expect(lines.some((line) => /^ .* j[a-z]+ +\.L[0-9a-f]+ /.test(line))).toBe(true);
});

it('is written by the command', () => {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'small');
  writeFileSync(`${path}.wasm`, wat('(module (func $answer (export "a") (result i32) (i32.const 42)))'));
  const listing = execFileSync(join(out, 'yaos'), ['compile', '-S', `${path}.wasm`], { encoding: 'utf8' });
  expect(listing).toMatch(/^answer:\n +0: b8 2a 00 00 00 +mov +eax,0x2a +# @0x\w+ builder$/m);
  execFileSync(join(out, 'yaos'), ['compile', '-S', `${path}.wasm`, '-o', `${path}.s`]);
  expect(readFileSync(`${path}.s`, 'utf8')).toBe(listing);
});
