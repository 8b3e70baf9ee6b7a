// The calls protocol of hosted programs (contract: PROG EXPORT ARG…, PROG -): arguments, results, names, errors,
// traps of every kind and what is left after them. Float bits are Node's.

import { beforeAll, describe, expect, it } from 'vitest';
import { ask, makeProgram, run } from './program.ts';

const I32S = Array.from({ length: 40 }, (_, i) => `p${i}`);

/** A function of many parameters that gives them back in reverse order. */
function reverser(name: string, types: string[]): string {
  const params = types.map((t, i) => `(param $p${i} ${t})`).join(' ');
  const results = types.toReversed().join(' ');
  const body = types.map((_, i) => `(local.get $p${types.length - 1 - i})`).join(' ');
  return `(func $${name} (export "${name}") ${params} (result ${results}) ${body})`;
}

const MIXED = I32S.map((_, i) => ['i32', 'f32', 'i64', 'f64', 'externref'][i % 5]);

const SOURCE = `(module
  (type $unary (func (param i32) (result i32)))
  (memory (export "memory") 1 5)
  (table $t (export "table") 8 10 funcref)
  (table $x 2 4 externref)
  (global $state (export "state") (mut i64) (i64.const -2))
  (global (export "pi") f32 (f32.const 3.25))
  (global $ref (export "ref") (mut externref) (ref.null extern))
  (elem (i32.const 0) $twice $nothing)
  (func $twice (export "twice") (type $unary) (i32.mul (local.get 0) (i32.const 2)))
  (func $nothing (export "nothing"))
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "externref") (param externref) (result externref) (local.get 0))
  (func (export "funcref") (param funcref) (result funcref) (local.get 0))
  (func (export "two") (result i32 f64) (i32.const 42) (f64.const 0.5))
  (func (export "count") (result i64)
    (global.set $state (i64.add (global.get $state) (i64.const 1))) (global.get $state))
  (func (export "with space") (result i32) (i32.const 1))
  (func (export "") (result i32) (i32.const 2))
  (func (export "nul\\00!") (result i32) (i32.const 3))
  (func (export "\\"q\\"") (result i32) (i32.const 4))
  (func (export "-") (result i32) (i32.const 5))
  (func (export "\\c3\\bc\\f0\\9f\\99\\82") (result i32) (i32.const 6))
  (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "rem64") (param i64 i64) (result i64) (i64.rem_u (local.get 0) (local.get 1)))
  (func (export "div64") (param i64 i64) (result i64) (i64.div_s (local.get 0) (local.get 1)))
  (func (export "trunc") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "load_far") (param i32) (result i64) (i64.load offset=0xffffffff (local.get 0)))
  (func (export "store") (param i32 i64) (i64.store (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) (memory.size))
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "indirect") (param i32) (result i32)
    (call_indirect $t (type $unary) (i32.const 21) (local.get 0)))
  (func (export "get") (param i32) (result funcref) (table.get $t (local.get 0)))
  (func (export "table_grow") (param i32) (result i32) (table.grow $t (ref.func $twice) (local.get 0)))
  (func (export "xset") (param i32 externref) (table.set $x (local.get 0) (local.get 1)))
  (func (export "xget") (param i32) (result externref) (table.get $x (local.get 0)))
  (func (export "xgrow") (param externref i32) (result i32) (table.grow $x (local.get 0) (local.get 1)))
  (func (export "keep") (param externref) (global.set $ref (local.get 0)))
  (func (export "unreachable") unreachable)
  (func $depth (export "depth") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $depth (i32.sub (local.get 0) (i32.const 1)))))
      (else (i32.const 0))))
  (func $forever (export "forever") (result i32) (i32.add (call $forever) (i32.const 1)))
  (func $spin (export "spin") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (return_call $spin (i32.sub (local.get 0) (i32.const 1))))
      (else (i32.const 7))))
  ${reverser('reverse', MIXED)}
  ${reverser(
    'hundreds',
    Array.from({ length: 300 }, () => 'i64'),
  )}
  (func (export "hundreds_called") (result ${'i64 '.repeat(300)})
    ${Array.from({ length: 300 }, (_, i) => `(i64.const ${i})`).join(' ')} (call $hundreds))
  (func $start (i32.store (i32.const 8) (i32.const 99)))
  (start $start)
  (data (i32.const 16) "\\01\\02\\03\\04")
)`;

let program: string;

beforeAll(async () => {
  program = await makeProgram('calls', SOURCE);
});

/** Each line with the answer it must get, in one run. */
function expectAnswers(pairs: [string, string][]): void {
  const answers = ask(
    program,
    pairs.map(([line]) => line),
  );
  expect(pairs.map(([line], i) => [line, answers[i]])).toEqual(pairs);
}

const f32Bits = (x: number): string => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, x);
  return `f32:0x${view.getUint32(0).toString(16).padStart(8, '0')}`;
};
const f64Bits = (x: number): string => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  return `f64:0x${view.getBigUint64(0).toString(16).padStart(16, '0')}`;
};

describe('arguments and results', () => {
  it('takes integers in decimal and hexadecimal, signed and unsigned', () => {
    expectAnswers([
      ['i32 42', 'i32:0x0000002a'],
      ['i32 -1', 'i32:0xffffffff'],
      ['i32 +7', 'i32:0x00000007'],
      ['i32 4294967295', 'i32:0xffffffff'],
      ['i32 -2147483648', 'i32:0x80000000'],
      ['i32 0xDeadBeef', 'i32:0xdeadbeef'],
      ['i32 -0x1', 'i32:0xffffffff'],
      ['i64 -1', 'i64:0xffffffffffffffff'],
      ['i64 18446744073709551615', 'i64:0xffffffffffffffff'],
      ['i64 -9223372036854775808', 'i64:0x8000000000000000'],
      ['i64 0x0123456789abcdef', 'i64:0x0123456789abcdef'],
    ]);
  });

  it('takes floats as literals and as bit patterns, exactly', () => {
    const literals = [
      ...['0', '-0', '1', '3.14159', '1e-3', '123456789', '.5', '5.', '1e30', '-7.0E+2'],
      ...['16777217', '0.1', '1.17549435e-38', '1e-45', '9007199254740993', '1e-30'],
    ];
    expectAnswers(literals.map((l) => [`f32 ${l}`, f32Bits(Number(l))]));
    expectAnswers(literals.map((l) => [`f64 ${l}`, f64Bits(Number(l))]));
    expectAnswers([
      ['f64 4.9406564584124654e-324', f64Bits(Number.MIN_VALUE)],
      ['f64 1.7976931348623157e308', f64Bits(Number.MAX_VALUE)],
      ['f64 2.4703282292062328e-324', f64Bits(Number.MIN_VALUE)],
      ['f32 0x7fc00001', 'f32:0x7fc00001'],
      ['f32 0x7fa00000', 'f32:0x7fa00000'],
      ['f64 0x7ff0000000000001', 'f64:0x7ff0000000000001'],
      ['f32 0x1.8p1', f32Bits(3)],
      ['f64 -0x1p-1074', f64Bits(-Number.MIN_VALUE)],
      ['f32 0x1.000001p0', f32Bits(1)], // exactly between two: to even
      ['f32 0x1.0000011p0', 'f32:0x3f800001'],
      ['f32 inf', 'f32:0x7f800000'],
      ['f64 -infinity', 'f64:0xfff0000000000000'],
      ['f32 nan', 'f32:0x7fc00000'],
      ['f64 -nan', 'f64:0xfff8000000000000'],
      ['f32 nan:0x200000', 'f32:0x7fa00000'],
      ['f64 nan:canonical', 'f64:0x7ff8000000000000'],
    ]);
  });

  it('passes references', () => {
    expectAnswers([
      ['externref 7', 'externref:7'],
      ['externref 0', 'externref:0'],
      ['externref -3', 'externref:-3'],
      ['externref null', 'externref:null'],
      ['funcref null', 'funcref:null'],
      ['get 0', 'funcref:0'],
      ['get 1', 'funcref:1'],
      ['get 7', 'funcref:null'],
      ['xset 1 12', ''],
      ['xget 1', 'externref:12'],
      ['xget 0', 'externref:null'],
      ['xgrow 5 2', 'i32:0x00000002'],
      ['xget 3', 'externref:5'],
      ['xgrow 5 1', 'i32:0xffffffff'],
    ]);
  });

  it('answers several results, none, and the value of a global', () => {
    expectAnswers([
      ['two', 'i32:0x0000002a f64:0x3fe0000000000000'],
      ['nothing', ''],
      ['pi', f32Bits(3.25)],
      ['state', 'i64:0xfffffffffffffffe'],
      ['ref', 'externref:null'],
      ['keep 9', ''],
      ['ref', 'externref:9'],
    ]);
  });

  it('keeps the state between calls, and has run the start function', () => {
    expectAnswers([
      ['count', 'i64:0xffffffffffffffff'],
      ['count', 'i64:0x0000000000000000'],
      ['state', 'i64:0x0000000000000000'],
      ['load 8', 'i32:0x00000063'],
      ['load 16', 'i32:0x04030201'],
    ]);
  });

  it('passes values by the dozen and by the hundred', () => {
    const args = MIXED.map((t, i) => (t.startsWith('f') ? `${i}.5` : `${i}`));
    const shown = MIXED.map((t, i) => {
      if (t === 'f32') return f32Bits(i + 0.5);
      if (t === 'f64') return f64Bits(i + 0.5);
      if (t === 'externref') return `externref:${i}`;
      return `${t}:0x${i.toString(16).padStart(t === 'i32' ? 8 : 16, '0')}`;
    });
    const numbers = Array.from({ length: 300 }, (_, i) => i);
    const reversed = numbers.toReversed().map((n) => `i64:0x${n.toString(16).padStart(16, '0')}`);
    expectAnswers([
      [`reverse ${args.join(' ')}`, shown.toReversed().join(' ')],
      [`hundreds ${numbers.join(' ')}`, reversed.join(' ')],
      ['hundreds_called', reversed.join(' ')],
    ]);
  });
});

describe('names and errors', () => {
  it('finds exports by plain and by JSON names', () => {
    expectAnswers([
      ['"with space"', 'i32:0x00000001'],
      ['""', 'i32:0x00000002'],
      ['"nul\\u0000!"', 'i32:0x00000003'],
      ['"\\"q\\""', 'i32:0x00000004'],
      ['-', 'i32:0x00000005'],
      ['"\\u00fc\\ud83d\\ude42"', 'i32:0x00000006'],
      ['ü🙂', 'i32:0x00000006'],
      ['  "twice"\t 3 \r', 'i32:0x00000006'],
    ]);
  });

  it('answers what is wrong, and goes on', () => {
    expectAnswers([
      ['missing 1', 'error: no export named "missing"'],
      ['"mis\\nsing"', 'error: no export named "mis\\u000asing"'],
      ['twice', 'error: "twice" takes 1 argument, not 0'],
      ['div 1 2 3', 'error: "div" takes 2 arguments, not 3'],
      ['state 1', 'error: "state" takes 0 arguments, not 1'],
      ['memory', 'error: "memory" is a memory, not a function'],
      ['table', 'error: "table" is a table, not a function'],
      ['', 'error: the line is empty'],
      ['"twice', "error: the export's name is not a JSON string"],
      ['"\\x"', "error: the export's name is not a JSON string"],
      ['"\\ud83d"', "error: the export's name is not a JSON string"],
      ['"twice"3', "error: the export's name is not a JSON string"],
      ['twice 5', 'i32:0x0000000a'],
    ]);
  });

  it('refuses what is no value of the type', () => {
    const bad: [string, string[]][] = [
      ['i32', ['', '4294967296', '-2147483649', '0x', '1.5', '0x1g', '1e3', '--1', 'null', '0x100000000']],
      ['i64', ['18446744073709551616', '-9223372036854775809', 'x']],
      [
        'f32',
        ['0x100000000', '1e39', 'nan:0x0', 'nan:0x800000', '-0x1', 'infinit', '1..2', '0x1.8pp', '1f', '+-1'],
      ],
      ['f64', ['1e309', '0x1ffffffffffffffff', 'nan:', 'NaN']],
      ['externref', ['0x', 'nil', '9223372036854775808', '18446744073709551615']],
      ['funcref', ['0', '1', 'nil']],
    ];
    expectAnswers(
      bad.flatMap(([type, texts]) =>
        texts
          .filter(Boolean)
          .map((text): [string, string] => [
            `${type} ${text}`,
            `error: "${type}": argument 1, "${text}", is not an ${type}`,
          ]),
      ),
    );
    expect(run(program, ['i32', ''])).toMatchObject({ stdout: '', status: 1 });
  });

  it('makes a single call, with its status', () => {
    expect(run(program, ['twice', '21'])).toEqual({ stdout: 'i32:0x0000002a\n', stderr: '', status: 0 });
    expect(run(program, ['nothing'])).toEqual({ stdout: '\n', stderr: '', status: 0 });
    expect(run(program, ['"nul\\u0000!"'])).toMatchObject({ stdout: 'i32:0x00000003\n', status: 0 });
    expect(run(program, ['"q"'])).toMatchObject({ stdout: 'i32:0x00000004\n', status: 0 });
    expect(run(program, ['"-"'])).toMatchObject({ stdout: 'i32:0x00000005\n', status: 0 });
    expect(run(program, ['unreachable'])).toEqual({ stdout: '', stderr: 'trap: unreachable\n', status: 3 });
    const missing = { stdout: '', stderr: `${program}: no export named "missing"\n`, status: 1 };
    expect(run(program, ['missing'])).toEqual(missing);
    const count = { stdout: '', stderr: `${program}: "twice" takes 1 argument, not 2\n`, status: 1 };
    expect(run(program, ['twice', '1', '2'])).toEqual(count);
    const usage = run(program, []);
    expect(usage).toMatchObject({ stdout: '', status: 1 });
    expect(usage.stderr).toMatch(/^usage: .*\n$/);
  });
});

describe('traps', () => {
  const TRAPS: [string, string][] = [
    ['div 1 0', 'trap: integer divide by zero'],
    ['div -2147483648 -1', 'trap: integer overflow'],
    ['rem64 5 0', 'trap: integer divide by zero'],
    ['div64 -9223372036854775808 -1', 'trap: integer overflow'],
    ['trunc 2147483648', 'trap: integer overflow'],
    ['trunc nan', 'trap: invalid conversion to integer'],
    ['load 65533', 'trap: out of bounds memory access'],
    ['load -1', 'trap: out of bounds memory access'],
    ['load_far -1', 'trap: out of bounds memory access'],
    ['store 65529 1', 'trap: out of bounds memory access'],
    ['fill 65535 1 2', 'trap: out of bounds memory access'],
    ['indirect 1', 'trap: indirect call type mismatch'],
    ['indirect 2', 'trap: uninitialized element'],
    ['indirect 8', 'trap: undefined element'],
    ['get 8', 'trap: out of bounds table access'],
    ['unreachable', 'trap: unreachable'],
    ['forever', 'trap: call stack exhausted'],
  ];

  it('has the official message for each kind, and serves the next call', () => {
    expectAnswers(TRAPS.flatMap((t): [string, string][] => [t, ['twice 4', 'i32:0x00000008']]));
  });

  it('traps ten thousand times', () => {
    const cheap = TRAPS.filter(([line]) => line !== 'forever');
    const lines = Array.from({ length: 10_000 }, (_, i) => cheap[i % cheap.length]);
    expectAnswers([...lines, ['count', 'i64:0xffffffffffffffff']]);
  });

  it('recovers from an exhausted stack again and again, whatever its size', () => {
    const env = { YAOS_STACK_BYTES: '1048576' };
    const lines = Array.from({ length: 2000 }, (_, i) => (i % 2 ? 'twice 1' : 'forever'));
    const answers = ask(program, lines, { env });
    expect(new Set(answers.filter((_, i) => i % 2 === 0))).toEqual(new Set(['trap: call stack exhausted']));
    expect(new Set(answers.filter((_, i) => i % 2 === 1))).toEqual(new Set(['i32:0x00000002']));
    const wrong = run(program, ['twice', '1'], { env: { YAOS_STACK_BYTES: '1 MiB' } });
    expect(wrong).toMatchObject({ stdout: '', status: 1 });
  });

  it('recurses a hundred thousand calls deep, and tail-calls without end', () => {
    expectAnswers([
      ['depth 100000', 'i32:0x000186a0'],
      ['spin 5000000', 'i32:0x00000007'],
    ]);
  });

  it('grows memory and tables up to their maximum', () => {
    expectAnswers([
      ['grow 1', 'i32:0x00000001'],
      ['load 65536', 'i32:0x00000000'],
      ['load 131069', 'trap: out of bounds memory access'],
      ['grow 4', 'i32:0xffffffff'],
      ['grow -1', 'i32:0xffffffff'],
      ['grow 3', 'i32:0x00000002'],
      ['size', 'i32:0x00000005'],
      ['grow 0', 'i32:0x00000005'],
      ['table_grow 3', 'i32:0xffffffff'],
      ['table_grow 2', 'i32:0x00000008'],
      ['indirect 9', 'i32:0x0000002a'],
      ['table_grow -1', 'i32:0xffffffff'],
    ]);
  });
});
