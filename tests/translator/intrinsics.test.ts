// Machine intrinsics and imports in the fixed memory model: the instruction in place of the call, and what is refused.

import { expect, test } from 'vitest';
import { readElf } from '../../build/object/elf-reader.ts';
import { translate } from '../../build/translate.ts';
import { INTRINSICS } from '../../build/x64/intrinsics.ts';
import { wat } from '../wasm/wat.ts';

async function fixed(text: string): Promise<Uint8Array> {
  return translate(await wat(text), { memory: 'fixed', verify: true }).object;
}

function undefinedSymbols(object: Uint8Array): string[] {
  return readElf(object)
    .symbols.filter((s) => s.section === 0 && s.name !== '')
    .map((s) => s.name);
}

const type = ({ params, results }: { params: string[]; results: string[] }): string =>
  `(param ${params.join(' ')}) (result ${results.join(' ')})`;

test('every intrinsic becomes instructions, with no symbol left', async () => {
  const functions = Object.entries(INTRINSICS).map(([name, { signature }]) => {
    const args = signature.params.map((_, i) => `local.get ${i}`).join(' ');
    return {
      imported: `(import "x86" "${name}" (func $${name} ${type(signature)}))`,
      called: `(func (export "call_${name}") ${type(signature)} ${args} call $${name})`,
    };
  });
  const text = [...functions.map((f) => f.imported), ...functions.map((f) => f.called)].join('\n');
  expect(undefinedSymbols(await fixed(`(module ${text})`))).toEqual([]);
});

test('other functions of x86 and of other modules are symbols', async () => {
  const object = await fixed(`(module
    (import "x86" "map" (func $map (param i32)))
    (import "asm" "other" (func $other (result i64)))
    (func (export "f") (result i64) i32.const 1 call $map call $other))`);
  expect(undefinedSymbols(object).sort()).toEqual(['asm.other', 'x86.map']);
});

test('interrupts save the float registers only if some function uses them', async () => {
  const usesFloat = async (body: string) => {
    const object = await fixed(
      `(module (func $g) (func (export "f") (result f64) call $g ${body}) (memory 1))`,
    );
    return Number(readElf(object).symbols.find((s) => s.name === 'yaos_uses_float')!.value);
  };
  expect(await usesFloat('i32.const 8 call $g unreachable')).toBe(0);
  expect(await usesFloat('i32.const 8 f64.load')).toBe(1);
});

test.each([
  ['(import "x86" "in8" (func (param i64) (result i32)))', /"x86\.in8": .* type \(i32\) -> \(i32\)/],
  ['(import "x86" "hlt" (func (result i32)))', /"x86\.hlt": .* type \(\) -> \(\)/],
  ['(import "x86" "hlt" (func $h)) (export "h" (func $h))', /"x86\.hlt": .*no address/],
  ['(import "m" "t" (table 1 funcref))', /imported table "m\.t": the fixed memory model/],
  ['(func (export "yaos_init"))', /export "yaos_init": .*rename/],
  ['(func (export "a\\00b"))', /cannot hold a NUL/],
  ['(import "x\\00y" "f" (func))', /cannot hold a NUL/],
  ['(import "m" "g" (global i32))', /imported global "m\.g": the fixed memory model/],
])('refused: %s', async (text, message) => {
  await expect(fixed(`(module ${text})`)).rejects.toThrow(message);
});
