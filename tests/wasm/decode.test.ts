import { describe, expect, it } from 'vitest';
import { readModule } from '../../build/wasm/validate.ts';
import { wat } from './wat.ts';

describe('decode', () => {
  it('reads every section', () => {
    const m = readModule(
      wat(`(module
        (type $t (func (param i32 f64) (result i64)))
        (type $u (func (param i32 f64) (result i64)))
        (import "env" "f" (func $imported (type $u)))
        (import "env" "g" (global $g i32))
        (memory 1 3)
        (table $t0 2 10 funcref)
        (table $t1 1 externref)
        (global $nan f32 (f32.const nan:0x200001))
        (global $big f64 (f64.const -nan:0x4000000000001))
        (global $sum (mut i32) (i32.add (i32.const -5) (i32.mul (global.get $g) (i32.const 3))))
        (global $min i64 (i64.const -0x8000000000000000))
        (func $named (export "run") (type $t) (local $x i32) (local i64 i64) (i64.const 1))
        (func (export "two") (export "three"))
        (func)
        (elem (table $t0) (i32.const 0) func $named $imported)
        (elem $e funcref (ref.null func) (ref.func 3))
        (elem declare func 2)
        (data (i32.const 8) "abc")
        (data "\\00\\ff")
        (start 3))`),
    );
    expect(m.canonicalTypes[m.funcs[0].typeIndex]).toBe(m.funcs[1].typeIndex);
    expect(m.imports).toEqual([
      { module: 'env', name: 'f', kind: 'func', index: 0 },
      { module: 'env', name: 'g', kind: 'global', index: 0 },
    ]);
    expect(m.funcs.map((f) => f.name)).toEqual(['imported', 'named', 'two', 'func[3]']);
    expect(m.funcs[1].body?.locals).toEqual(['i32', 'i64', 'i64']);
    expect(m.funcs[1].localNames?.get(2)).toBe('x');
    expect(m.memories).toEqual([{ index: 0, min: 1, max: 3, shared: false }]);
    expect(m.tables).toEqual([
      { index: 0, element: 'funcref', min: 2, max: 10 },
      { index: 1, element: 'externref', min: 1 },
    ]);
    expect(m.globals[1].init).toEqual([{ op: 'const', type: 'f32', bits: 0x7fa00001 }]);
    expect(m.globals[2].init).toEqual([{ op: 'const', type: 'f64', bits: 0xfff4000000000001n }]);
    expect(m.globals[3].init).toEqual([
      { op: 'const', type: 'i32', bits: -5 },
      { op: 'global.get', index: 0 },
      { op: 'const', type: 'i32', bits: 3 },
      { op: 'mul', type: 'i32' },
      { op: 'add', type: 'i32' },
    ]);
    expect(m.globals[4].init).toEqual([{ op: 'const', type: 'i64', bits: -(2n ** 63n) }]);
    expect(m.elems.map((e) => e.mode)).toEqual(['active', 'passive', 'declarative']);
    expect(m.elems[1].items).toEqual([[{ op: 'ref.null', type: 'funcref' }], [{ op: 'ref.func', index: 3 }]]);
    expect(m.datas.map((d) => [d.mode, [...d.bytes]])).toEqual([
      ['active', [97, 98, 99]],
      ['passive', [0, 255]],
    ]);
    expect([...m.referencedFuncs].sort()).toEqual([0, 1, 2, 3]);
    expect(m.start).toBe(3);
  });
});
