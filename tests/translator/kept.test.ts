// Code that is kept from one translation to the next: the object is the same, byte for byte, as one that is made from nothing.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { KeptCode, NEEDS_OTHERS } from '../../build/kept/kept.ts';
import { readSourceMap } from '../../build/object/sourcemap.ts';
import { type TranslateOptions, translate } from '../../build/translate.ts';
import { wat } from '../wasm/wat.ts';

const OPTIONS = { memory: 'fixed', name: 'm', disabledPasses: NEEDS_OTHERS } as const;
/** Not a static import: binaryen.js brings types that clash with the project's. */
const BINARYEN: string = 'assemblyscript/binaryen';

interface Parts {
  /** Before everything else. */
  types?: string;
  imports?: string;
  globals?: string;
  extra?: string;
  memory?: string;
  table?: string;
  constant?: string;
  first?: string;
  result?: string;
}

/** A caller, jump tables, constants of floats, atomics, types of blocks, a call through a table, globals; parts of it differ. */
const module = ({
  types = '',
  imports = '',
  globals = '',
  extra = '',
  memory = '1 1 shared',
  table = '$far',
  constant = '77',
  first = '',
  result = '(i32.const 3)',
}: Parts): Uint8Array =>
  wat(`(module ${types} ${imports} (memory ${memory}) (type $t (func (param i32) (result i32)))
    (table 2 funcref) (elem (i32.const 0) ${table} $last) ${globals}
    (global $g (mut i32) (i32.const 5)) (global $c i32 (i32.const ${constant})) (global $wide (mut i64) (i64.const 1))
    ${extra}
    (func $changed (export "changed") (param i32) (result i32) ${first} (i32.add (local.get 0) ${result}))
    (func $floats (export "floats") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 3.25)))
    (func $jumps (export "jumps") (param i32) (result i32)
      (block $c (block $b (block $a (br_table $a $b $c $a $b (local.get 0))) (return (i32.const 7)))
        (return (call $changed (i32.const 9)))) (global.get $g))
    (func $far (param i32) (result i32) (i32.load offset=16 (call $last (local.get 0))))
    (func $last (param i32) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 1)))
    (func $globals (export "globals") (result i32) (global.set $g (i32.const 300)) (i32.add (global.get $c)
      (i32.wrap_i64 (i64.shr_u (global.get $wide) (i64.const 32)))))
    (func $blocks (export "blocks") (param i32) (result i32) (local.get 0) (block (type $t) (i32.const 1) (i32.add)))
    (func $waits (export "waits") (param i32) (result i32) (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const 1)))
    (func $fills (export "fills") (memory.fill (i32.const 0) (i32.const 1) (memory.size)))
    (func $unused (export "late") (result i32) (call $far (i32.div_u (i32.const 1) (global.get $g)))))`);

/** The names of the functions that were compiled, beside the object. */
function translated(
  bytes: Uint8Array,
  options: TranslateOptions,
): { object: Uint8Array; compiled: string[] } {
  const compiled: string[] = [];
  const trace = {
    mir: ({ name }: { name: string }, stage: string) => void (stage === 'select' && compiled.push(name)),
  };
  return { object: translate(bytes, { ...options, trace }).object, compiled };
}

const CHANGES: [string, Parts, string[]][] = [
  ['nothing', {}, []],
  ['a body', { first: '(drop (i32.div_s (local.get 0) (local.get 0)))' }, ['changed']],
  ['whom a body calls', { result: '(call $last (local.get 0))' }, ['changed']],
  ['the table', { table: '$changed' }, []],
  ['a global behind the others', { extra: '(global $h (mut i64) (i64.const 1))' }, []],
  ['a global before the others', { globals: '(global $h (mut i64) (i64.const 1))' }, []],
  ['the value of a constant', { constant: '78' }, ['globals']],
  ['a function before the others', { extra: '(func $more (param i64))' }, ['more']],
  ['an import', { imports: '(import "x" "y" (func $y (param f32)))' }, []],
  // A call through a table compares the number of the type.
  ['a type before the others', { types: '(type $new (func (param f64 i32)))' }, ['last']],
  ['memory that is not shared', { memory: '1 1' }, ['*']],
];

test.each(CHANGES)('after a change of %s and back', (_, parts, expected) => {
  const kept = new KeptCode();
  const all = translated(module({}), { ...OPTIONS, kept }).compiled;
  for (const [bytes, names] of [
    [module(parts), expected],
    [module(parts), []],
    [module({}), expected.filter((name) => name !== 'more')],
  ] as const) {
    const { object, compiled } = translated(bytes, { ...OPTIONS, kept });
    expect(Buffer.compare(object, translate(bytes, OPTIONS).object)).toBe(0);
    expect(compiled).toEqual(names[0] === '*' ? all : [...names, 'yaos_init']);
  }
});

test('of the kernel when all indexes have moved', { timeout: 240_000 }, async () => {
  const { default: binaryen } = await import(BINARYEN);
  binaryen.setDebugInfo(true);
  const wasm = binaryen.readBinary(readFileSync('out/kernel.wasm'));
  wasm.setFeatures(binaryen.Features.All);
  const before: Uint8Array = wasm.emitBinary();
  wasm.addFunctionImport('added', 'added', 'added', binaryen.i32, binaryen.none);
  wasm.addGlobal('added', binaryen.i64, true, wasm.i64.const(1n));
  const now: Uint8Array = wasm.emitBinary();
  const options = () => ({ ...OPTIONS, sourceMap: readSourceMap('out/kernel.wasm.map') });
  const kept = new KeptCode();
  translate(before, { ...options(), kept });
  const { object, compiled } = translated(now, { ...options(), kept });
  expect(Buffer.compare(object, translate(now, options()).object)).toBe(0);
  expect(compiled.length).toBeLessThan(10);
});
