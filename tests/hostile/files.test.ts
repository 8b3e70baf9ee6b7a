// Damaged files of other kinds: ELF programs, source maps, profiles, kernels for an image, the memory that a trace is read from, modules for a
// header. Each is read, or refused in one line.

import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { UserError } from '../../build/error.ts';
import { makeFolder, readInput } from '../../build/files.ts';
import { makeHeader } from '../../build/host/header.ts';
import { makeImage } from '../../build/image.ts';
import { sourceText } from '../../build/listing/page.ts';
import { readProfile } from '../../build/listing/profile.ts';
import { parseSourceMap } from '../../build/object/sourcemap.ts';
import { readRecording } from '../../build/trace/memory.ts';
import { root } from '../kernel/compile.ts';
import { Random } from '../translator/values.ts';
import { smallModules } from './corpus.ts';
import { changeBytes, mutate } from './mutate.ts';
import type { Bytes } from './parts.ts';

const LIBRARY = join(root, 'node_modules/assemblyscript/std/assembly');
const SEED = Number(process.env.SEED ?? 1);
const COUNT = 60;
const directory = mkdtempSync(join(tmpdir(), 'yaos-files-'));
afterAll(() => rmSync(directory, { recursive: true }));

const out = (name: string): Bytes => new Uint8Array(readFileSync(join(root, 'out', name)));
const path = (name: string) => join(directory, name);
const elf = out('kernel.elf');
const map = out('kernel.wasm.map');
const modules = smallModules();
const profile = Buffer.from('{ "addresses": { "0xffffffff80110000": 5, "0xffffffff80110010": 7 } }');

/** Where a format has its numbers: at the beginning, mostly. */
function damage(bytes: Bytes, random: Random): Bytes {
  if (random.chance(0.5)) return changeBytes(bytes, random);
  const changed = bytes.slice();
  for (let n = 1 + random.below(4); n > 0; n--)
    changed[random.below(Math.min(changed.length, 512))] = random.below(256);
  return changed;
}

const READERS: Record<string, (random: Random) => void> = {
  'a profiled program': (random) => {
    writeFileSync(path('linked'), damage(elf, random));
    writeFileSync(path('profile'), profile);
    readProfile(path('profile'), path('linked'));
  },
  'a profile': (random) => {
    writeFileSync(path('whole'), elf);
    writeFileSync(path('profile'), damage(profile, random));
    readProfile(path('profile'), path('whole'));
  },
  'a source map': (random) => {
    const text = Buffer.from(damage(map, random)).toString();
    const positions = parseSourceMap(text, 'map');
    for (let at = 0; at < 2000; at += 7) positions.positionAt(at);
  },
  'a kernel for an image': (random) => {
    makeImage(new Uint8Array(1536), damage(elf, random));
  },
  'memory with a trace': (random) => {
    const memory = damage(new Uint8Array(Buffer.from('ystrace1'.repeat(500))), random);
    const read = (address: number, bytes: number) =>
      memory.subarray(address - 0x80_0000, address - 0x80_0000 + bytes);
    readRecording({ read });
  },
  'a module for a header': (random) => {
    writeFileSync(path('in.wasm'), mutate(random.pick(modules), modules, random));
    makeHeader(path('in.wasm'), path('out.h'), undefined);
  },
};

test.each(Object.keys(READERS))(`%s, from SEED=${SEED} on`, (name) => {
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    try {
      READERS[name]!(new Random(seed));
    } catch (error) {
      const told = error instanceof UserError && !error.message.includes('\n');
      expect(told, `SEED=${seed}: ${(error as Error).stack}`).toBe(true);
    }
  }
});

test('a page shows no files but those below the working directory and of the library', () => {
  const elsewhere = path('secret');
  writeFileSync(elsewhere, 'secret');
  const link = join(root, 'out', `link-${process.pid}`);
  symlinkSync(elsewhere, link);
  try {
    for (const name of [
      ...[elsewhere, relative(root, elsewhere), `~lib/${relative(LIBRARY, elsewhere)}`],
      ...[relative(root, link), '..', '.', 'build', '', 'a\0b', '/dev/zero'],
    ])
      expect(sourceText(name), name).toBeUndefined();
  } finally {
    rmSync(link);
  }
  expect(sourceText('build/cli.ts')).toBe(readFileSync(join(root, 'build/cli.ts'), 'utf8'));
  expect(sourceText('~lib/array.ts')).toBe(readFileSync(join(LIBRARY, 'array.ts'), 'utf8'));
});

test('files without an end, and larger than any module', () => {
  expect(() => readInput('/dev/zero')).toThrow('yaos: /dev/zero: it is larger than 1 GiB');
  writeFileSync(path('huge'), '');
  truncateSync(path('huge'), 2 ** 30 + 1);
  expect(() => readInput(path('huge'))).toThrow(/huge: it is larger than 1 GiB$/);
});

test('a folder that cannot be made', () => {
  writeFileSync(path('plain'), '');
  expect(() => makeFolder(path('plain/below'))).toThrow(
    new UserError(`yaos: ${path('plain/below')}: what stands before a / is no directory`),
  );
});

test('nothing in a file reaches the terminal as it is', () => {
  writeFileSync(path('escapes'), 'x\n\x1b[31m');
  for (const read of [
    () => parseSourceMap('x\n\x1b[31m', 'map'),
    () => readProfile(path('escapes'), join(root, 'out/kernel.elf')),
  ])
    expect(read).toThrow(/^yaos: [^\p{Cc}]*$/u);
});
