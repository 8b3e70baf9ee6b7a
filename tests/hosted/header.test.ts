// `yaos header` of modules with unusual names and interfaces: what it prints is C and C++ without a warning, each
// name once, and a header does not work with another module's object.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compileFile, moduleName } from '../../build/compile.ts';
import { headerText, makeHeader } from '../../build/host/header.ts';
import { out, root } from '../../build/paths.ts';
import { decode } from '../../build/wasm/decode.ts';
import { wat } from '../wasm/wat.ts';
import { run } from './program.ts';

const directory = join(out, 'tests/header');
mkdirSync(directory, { recursive: true });

const hasCxx = spawnSync('g++', ['--version']).status === 0;
const COMPILERS = [['gcc', '-std=c11'], ...(hasCxx ? [['g++', '-std=c++11', '-xc++']] : [])];

function compile(name: string, source: string): void {
  const path = join(directory, `${name}.c`);
  writeFileSync(path, source);
  for (const [compiler, ...options] of COMPILERS) {
    const flags = [...options, '-Wall', '-Wextra', '-pedantic', '-Werror', '-fsyntax-only'];
    const args = [...flags, `-I${directory}`, `-I${join(root, 'runtime')}`, path];
    const done = spawnSync(compiler, args, { encoding: 'utf8' });
    expect([compiler, done.stderr, done.status]).toEqual([compiler, '', 0]);
  }
}

const types = (count: number) =>
  Array.from({ length: count }, (_, i) => ['i32', 'f64', 'i64', 'f32', 'externref', 'funcref'][i % 6]).join(
    ' ',
  );

const MODULES: Record<string, string> = {
  empty: '(module)',
  unusual_names: `(module
    (import "*/" "?\\22\\5c" (func (param i32)))
    (import "" "" (func (result f32)))
    (import "" "int128" (global i64)) (import "import" "_int128" (global i64))
    (import "a" "b_c" (func)) (import "a_b" "c" (func))
    (func (export "") (param i32)) (func (export "new")) (func (export "free")) (func (export "imports"))
    (func (export "last_error")) (func (export "import_0"))
    (func (export "a b")) (func (export "a-b")) (func (export "a_b")) (func (export "a_b_extern"))
    (func (export "\\c3\\bc*/\\22??/\\00\\0a9")) (func (export "int")) (func (export "class") (result i32) (i32.const 1)))`,
  all_types: `(module
    (import "host" "in" (func (param ${types(13)}) (result ${types(7)})))
    (import "host" "memory" (memory 1 2 shared)) (import "host" "table" (table 0 externref))
    (import "host" "g" (global (mut funcref)))
    (global (export "g1") (mut externref) (ref.null extern)) (global (export "g2") f32 (f32.const 1))
    (table (export "t") 1 2 externref) (export "m" (memory 0))
    (func (export "f") (param ${types(13)}) (result ${types(7)}) unreachable))`,
};

describe('a header', () => {
  it.each(Object.keys(MODULES))('compiles without a warning: %s', (name) => {
    const text = headerText(decode(wat(MODULES[name])), name, `${name}.wasm`);
    writeFileSync(join(directory, `${name}.h`), text);
    compile(name, `#include "${name}.h"\nint main(void) { return 0; }\n`);
    const defined = [...text.matchAll(/^[A-Z_]+_API .*?(\w+)\(/gm)].map((m) => m[1]);
    expect(new Set(defined).size).toBe(defined.length);
  });

  it('names a module as C can', () => {
    const name = (path: string) => moduleName('header', path, undefined);
    expect(['a/my-lib.wasm', '7zip.wasm', 'int.wasm', 'x.y.wasm', 'yaos.wasm', 'a.txt'].map(name)).toEqual([
      'my_lib',
      '_7zip',
      'int_',
      'x_y',
      'yaos_',
      'a_txt',
    ]);
  });

  it('does not take the object of another version of the module', () => {
    const path = join(directory, 'version');
    writeFileSync(`${path}.wasm`, wat('(module (func (export "f")))'));
    makeHeader(`${path}.wasm`, `${path}.h`, undefined);
    writeFileSync(`${path}.wasm`, wat('(module (func (export "f") (param i32)))'));
    compileFile(`${path}.wasm`, `${path}.o`, 'register');
    const source = `#include <stdio.h>
      #include "version.h"
      int main(void) {
        struct yaos_error error;
        if (version_new(NULL, &error) == NULL)
          puts(error.message);
        return 0;
      }`;
    writeFileSync(`${path}.c`, source);
    const include = [`-I${directory}`, `-I${join(root, 'runtime')}`];
    const files = [`${path}.c`, `${path}.o`, join(out, 'libyaosrt.a')];
    expect(spawnSync('gcc', [...include, '-o', path, ...files, '-pthread']).status).toBe(0);
    expect(run(path, []).stdout).toBe('version: the header and the object were made of different modules\n');
  });
});
