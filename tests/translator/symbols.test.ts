// What binutils see of an object, for both memory models: each function under its source's name with its size, nothing
// of .text outside a function, every instruction decodable, no relocation or undefined symbol that a link cannot serve.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileFile } from '../../build/compile.ts';
import { wat } from '../wasm/wat.ts';
import { programPath } from './harness.ts';
import { addProgram, finishModule, startModule } from './program.ts';
import { Random } from './values.ts';

const RUNTIME = /^(yaos_(memory_grow|table_grow|table_fill|wait32|wait64|notify)|memmove|memset)$/;

interface Symbol {
  name: string;
  type: string;
  value: number;
  size: number;
}

function objectOf(name: string, bytes: Uint8Array, memory: string): string {
  const path = programPath(`${name}-${memory}`);
  writeFileSync(`${path}.wasm`, bytes);
  compileFile(`${path}.wasm`, `${path}.o`, memory);
  return `${path}.o`;
}

/** Of `nm --portability`: name, type, value, size. A name may have spaces. */
function symbolsOf(object: string): Symbol[] {
  const text = execFileSync('nm', ['-P', '-n', object], { encoding: 'utf8' });
  return [...text.matchAll(/^(.*) ([A-Za-z]) ([0-9a-f]+)? ?([0-9a-f]+)?$/gm)].map(
    ([, name, type, value, size]) => ({
      name,
      type,
      value: Number.parseInt(value ?? '0', 16),
      size: Number.parseInt(size ?? '0', 16),
    }),
  );
}

const NAMED = wat(
  `(module
  (memory 2) (table 2 funcref) (elem (i32.const 0) $add $"~lib/rt/tlsf/insert")
  (func $add (export "sum") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func $"~lib/rt/tlsf/insert" (param f64) (result f64) (f64.sqrt (local.get 0)))
  (func (param i64) (result i64) (i64.load (i32.wrap_i64 (local.get 0))))
  (func $add.1 (export "two words") (call $add (i32.const 1) (i32.const 2)) (drop)))`.replace(
    /\$"~lib\/rt\/tlsf\/insert"/g,
    '$~lib/rt/tlsf/insert',
  ),
);

test.each(['fixed', 'register'])('symbols: names and sizes of functions, %s model', (memory) => {
  const symbols = symbolsOf(objectOf('symbols', NAMED, memory));
  const functions = symbols.filter(({ type, size }) => /[tT]/.test(type) && size > 0);
  for (const name of ['add', '~lib/rt/tlsf/insert', 'func[2]', 'add.1']) {
    expect(functions.filter((f) => f.name === name && f.type === 't')).toHaveLength(1);
  }
  const exported = ['sum', 'two words'].map((name) => functions.find((f) => f.name === name)?.type);
  expect(exported).toEqual(memory === 'fixed' ? ['T', 'T'] : [undefined, undefined]);
});

test.each(['fixed', 'register'])('symbols: random programs as binutils see them, %s model', (memory) => {
  const shared = startModule();
  for (let seed = 0; seed < 10; seed++) addProgram(shared, new Random(seed), `program ${seed}`);
  const object = objectOf('symbols-random', finishModule(shared).build(), memory);
  const symbols = symbolsOf(object);
  const undefinedNames = symbols.filter((s) => s.type === 'U').map((s) => s.name);
  expect(undefinedNames.filter((name) => !RUNTIME.test(name))).toEqual([]);

  const functions = symbols.filter(({ type, size }) => /[tT]/.test(type) && size > 0);
  const end = symbols.find((s) => s.name === 'yaos_text_end')!.value;
  let at = 0;
  for (const f of functions.filter((f, i) => f.value !== functions[i - 1]?.value)) {
    // Padding before a function is less than its alignment.
    expect([f.name, f.value - at >= 0 && f.value - at < 32]).toEqual([f.name, true]);
    at = f.value + f.size;
  }
  expect(at).toBe(end);

  const options = { encoding: 'utf8', maxBuffer: 1 << 28 } as const;
  const listing = execFileSync('objdump', ['-d', '-w', '--no-show-raw-insn', object], options);
  expect(listing.split('\n').filter((line) => line.includes('(bad)'))).toEqual([]);
  expect(execFileSync('readelf', ['-S', '-W', object], options)).not.toMatch(/ WAX /);
  const linked = execFileSync('ld', ['-r', '-o', `${object}.linked`, object], options);
  expect(linked).toBe('');
});
