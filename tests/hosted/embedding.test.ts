// docs/embedding.md is true: its example is taken from the document, built with its own commands as C11 and as C++,
// and prints what the document says.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { out, root } from '../../build/paths.ts';
import { wat } from '../wasm/wat.ts';

const directory = join(out, 'tests/embedding');
const text = readFileSync(join(root, 'docs/embedding.md'), 'utf8');

/** The first fenced blocks of a language. */
function block(language: string): string {
  return new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'm').exec(text)![1];
}

function sh(command: string): string {
  const env = { ...process.env, PATH: `${out}:${process.env.PATH}` };
  const done = spawnSync('sh', ['-c', command], { cwd: directory, env, encoding: 'utf8' });
  expect([command, done.stderr, done.status]).toEqual([command, '', 0]);
  return done.stdout;
}

beforeAll(() => {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  symlinkSync(join(root, 'runtime'), join(directory, 'runtime'));
  symlinkSync(join(out, 'libyaosrt.a'), join(directory, 'libyaosrt.a'));
  writeFileSync(join(directory, 'account.wasm'), wat(block('wat'), 'account.wat'));
  writeFileSync(join(directory, 'host.c'), block('c'));
});

describe('the example in docs/embedding.md', () => {
  const commands = block('console')
    .split('\n')
    .filter((line) => line.startsWith('$ ') && !line.includes('wat2wasm'))
    .map((line) => line.slice(2));

  it('does what it says', () => {
    for (const command of commands.slice(0, -1)) sh(command);
    expect(sh(commands.at(-1)!)).toBe(block('text'));
  });

  const cxx = spawnSync('g++', ['--version']).status === 0;
  it.each([['gcc', '-std=c11'], ...(cxx ? [['g++', '-std=c++11 -x c++']] : [])])(
    'compiles without a warning: %s',
    (compiler, options) => {
      const link = '-x none account.o libyaosrt.a -pthread';
      sh(`${compiler} ${options} -O2 -Wall -Wextra -pedantic -Werror -Iruntime -o other host.c ${link}`);
      expect(sh('./other')).toBe(block('text'));
    },
  );

  it('has a library form', () => {
    writeFileSync(join(directory, 'library.c'), '#define ACCOUNT_API\n#include "account.h"\n');
    sh('gcc -std=c11 -Wall -Wextra -pedantic -Werror -Iruntime -c library.c');
    expect(sh('nm library.o')).toMatch(/ T account_deposit$/m);
  });

  const rust = spawnSync('rustc', ['--version']).status === 0;
  it.skipIf(!rust)('works from Rust', () => {
    writeFileSync(join(directory, 'main.rs'), block('rust'));
    sh('rustc -A warnings -o rust main.rs -C link-args="library.o account.o libyaosrt.a"');
    expect(sh('./rust')).toBe('70\n');
  });
});
