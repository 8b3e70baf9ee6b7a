// The text form and the verifier.

import { describe, expect, it } from 'vitest';
import { parseFunc } from '../../build/ir/parse.ts';
import { printFunc } from '../../build/ir/print.ts';
import { verify } from '../../build/ir/verify.ts';

const EXAMPLE = `func "an \\"example\\"" index=3 (i32, i64) -> (f64) slots=(i32, f64)
b0 depth=0 (v0 "n": i32, v1: i64):
  v2 = const.i32 -5 @10
  v3 = const.i64 -9223372036854775808
  v4 = const.f32 0x7fa00000
  v5 = const.f64 0xfff8000000000001
  v6 "x" = load.i32 v0 offset=4294967295 width=2 signed @52
  store v0 v6 width=4
  v7 = ctxload.i64 offset=-40 width=8 immutable
  v8 = nload.i32 v7 offset=8 width=4 immutable trap=uninitializedElement
  trapif v8 trap=signature
  v9 = armw.i32 v0 v2 width=1 rmw=xchg
  v10 = symaddr.i64 sym=yaos_data_0
  v11 = call v0 index=7 sig=(i32)->(i64,f64)
  v12 = result.i64 v11
  v13 = result.f64 v11 index=1
  v14 = x86.i32 v0 intrinsic=in8
  slotstore v14 width=4
  v18 = slotload.f64 width=8 index=1
  jump b1(v2, v13)
b1 depth=1 (v15: i32, v16: f64):
  v17 = add.i32 v15 v0
  switch v17 b1(v17, v5) b2() b1(v2, v16)
b2 depth=0 ():
  return v16
`;

describe('the text form', () => {
  it('round-trips', () => {
    const func = parseFunc(EXAMPLE);
    verify(func, 'as parsed');
    expect(printFunc(func)).toBe(EXAMPLE);
  });

  it('names the line of an error', () => {
    expect(() => parseFunc('func "f" index=0 () -> ()\nb0 depth=0 ():\n  v1 add.i32')).toThrow(
      'line 3: expected =',
    );
    expect(() => parseFunc('func "f" index=0 () -> ()\nb0 depth=0 ():\n  jump b1()')).toThrow(
      'b1 is not defined',
    );
    expect(() => parseFunc('func "f" index=0 () -> (i32)\nb0 depth=0 ():\n  return v9')).toThrow(
      'v9 is not defined',
    );
  });
});

describe('the verifier', () => {
  const body = (text: string) => `func "f" index=0 (i32) -> (i32)\nb0 depth=0 (v0: i32):\n${text}`;
  const cases: [string, string, RegExp][] = [
    [
      'a use before the definition',
      '  v1 = add.i32 v2 v2\n  v2 = clz.i32 v0\n  return v1',
      /v2 does not dominate/,
    ],
    [
      'a definition on one path only',
      '  br v0 b1() b2()\nb1 depth=0 ():\n  v1 = clz.i32 v0\n  jump b2()\nb2 depth=0 ():\n  return v1',
      /v1 does not dominate/,
    ],
    ['operand types', '  v1 = add.i64 v0 v0\n  return v0', /argument 0 has type i32/],
    ['result types', '  v1 = eqz.i64 v0\n  return v0', /wrong result type/],
    ['a return of the wrong type', '  v1 = sext.i64 v0\n  return v1', /results/],
    [
      'the number of edge arguments',
      '  jump b1(v0)\nb1 depth=0 ():\n  return v0',
      /wrong number of arguments/,
    ],
    [
      'the type of edge arguments',
      '  jump b1(v0)\nb1 depth=0 (v1: i64):\n  return v0',
      /argument 0 has type i32/,
    ],
    ['a missing terminator', '  v1 = clz.i32 v0', /not a terminator/],
    ['a terminator in the middle', '  return v0\n  return v0', /a terminator inside/],
    ['a block that cannot be reached', '  return v0\nb1 depth=0 ():\n  return v0', /cannot be reached/],
    ['a jump to the entry', '  jump b0(v0)', /entry/],
    [
      'a loop with two entries',
      '  br v0 b1() b2()\nb1 depth=1 ():\n  jump b2()\nb2 depth=1 ():\n  br v0 b1() b3()\nb3 depth=0 ():\n  return v0',
      /leads back/,
    ],
    ['a width that does not fit', '  v1 = load.i32 v0 width=8\n  return v1', /width 8/],
    ['a slot that there is not', '  v1 = slotload.i32 width=4\n  return v1', /slot 0 has type undefined/],
    ['a result of no call', '  v1 = result.i32 v0\n  return v1', /no such result/],
    ['a call without a signature', '  v1 = call v0\n  return v0', /no signature/],
    ['a call with wrong arguments', '  v1 = call.i32 v0 sig=(i64)->(i32)\n  return v1', /arguments/],
  ];
  for (const [name, text, message] of cases) {
    it(`sees ${name}`, () => expect(() => verify(parseFunc(body(text)), 'as parsed')).toThrow(message));
  }
});
