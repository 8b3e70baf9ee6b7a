// The hosted runtime's reader of the tables beside the code, against plain lists: seeded random functions, asked about every
// offset of their code. The kernel's tables are packed: tests/kernel/tables.test.ts.

import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { TrapKind, type TrapName } from '../../build/ir/ir.ts';
import { ElfObject } from '../../build/object/elf.ts';
import type { FunctionEntry, LineEntry, Place, TrapEntry } from '../../build/object/function-info.ts';
import { writeTables } from '../../build/object/tables.ts';
import { generator } from '../kernel/random.ts';
import { inFolder } from './binutils.ts';

const SEED = Number(process.env.YAOS_SEED ?? 1);
const RUNTIME = fileURLToPath(new URL('../../runtime', import.meta.url));
const FUNCTIONS = 40;

const below = generator(SEED);
const pick = <T>(list: readonly T[]): T => list[below(list.length)];
const KINDS = Object.keys(TrapKind) as TrapName[];
const FILES = ['kernel/a.ts', 'kernel/b.ts', '~lib/c.ts', undefined];
const NAMES = ['one', 'two', 'three#four'];

function randomPlace(depth: number): Place {
  const file = pick(FILES);
  const line = file === undefined ? undefined : 1 + below(pick([10, 300, 100_000]));
  const inlined = depth > 0 && below(2) ? { name: pick(NAMES), call: randomPlace(depth - 1) } : undefined;
  return { file, line, inlined };
}

interface Plain extends FunctionEntry {
  traps: TrapEntry[];
  lines: LineEntry[];
}

function randomFunction(start: number, number: number): Plain {
  const size = 1 + below(pick([4, 100, 700]));
  const offsets = Array.from({ length: size }, (_, i) => start + i);
  const traps = offsets.filter(() => below(8) === 0).map((offset) => ({ offset, kind: pick(KINDS) }));
  const places = Array.from({ length: 8 }, () => randomPlace(4));
  const lines = offsets.filter(() => below(6) === 0).map((offset) => ({ offset, ...pick(places) }));
  return { start, size, frame: 8 * below(1000), pop: 16 * below(4), name: `f${number}`, traps, lines };
}

function randomFunctions(): Plain[] {
  const functions: Plain[] = [];
  for (let start = below(20); functions.length < FUNCTIONS; ) {
    const f = randomFunction(start, functions.length);
    functions.push(f);
    start += f.size + below(20);
  }
  return functions;
}

const functions = randomFunctions();
const end = functions.at(-1)!.start + functions.at(-1)!.size;
const elf = new ElfObject();
const all = <K extends 'traps' | 'lines'>(what: K) => functions.flatMap((f): Plain[K][number][] => f[what]);
writeTables(elf, { functions, traps: all('traps'), lines: all('lines') as LineEntry[] }, 'global');
const object = elf.toBytes();

/** What each offset is, as the reader below prints it. */
function expected(): string[] {
  return Array.from({ length: end + 10 }, (_, offset) => {
    const f = functions.find((g) => offset >= g.start && offset < g.start + g.size);
    const trap = f?.traps.find((t) => t.offset === offset);
    const place = f?.lines.findLast((l) => l.offset <= offset);
    return `${trap ? TrapKind[trap.kind] : 0} ${f ? callOf(f.name, place ?? {}) : '-'}`;
  });
}

/** The innermost, which is all that it tells. */
function callOf(name: string, { file, line, inlined }: Place): string {
  return `${inlined?.name ?? name}${file === undefined ? '' : ` (${file}:${line})`}`;
}

test(`the runtime's reader (seed ${SEED})`, () => {
  const output = inFolder(({ write, run }) => {
    write('tables.o', object);
    write(
      'main.c',
      `#include <stdio.h>
      #include "instance.h"
      extern const uint32_t yaos_funcs[], yaos_funcs_end[];
      extern const uint8_t yaos_info[], yaos_info_end[];
      extern const char yaos_strings[];
      int main(void) {
        struct yaos_module m = { .funcs = yaos_funcs, .funcs_end = yaos_funcs_end, .info = yaos_info,
          .info_end = yaos_info_end, .strings = yaos_strings };
        for (uint32_t at = 0; at < ${end + 10}; at++) {
          struct yaos_error e = { 0 };
          yaos_place_at(&m, at, &e);
          printf("%u %s", yaos_trap_at(&m, at), e.function ? e.function : "-");
          if (e.file) printf(" (%s:%u)", e.file, e.line);
          puts("");
        }
      }`,
    );
    run('gcc', '-Wall', '-Werror', '-I', RUNTIME, '-o', 'main', 'main.c', `${RUNTIME}/tables.c`, 'tables.o');
    return run('./main');
  });
  expect(output.trimEnd().split('\n')).toEqual(expected());
}, 60_000);
