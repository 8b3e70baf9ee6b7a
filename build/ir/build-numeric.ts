// Arithmetic, comparisons and conversions: each operator is one IR instruction, by table (WebAssembly core 5.4.7).

import type { FuncBuilder } from './build.ts';
import type { Op, Type } from './ir.ts';

interface Numeric {
  op: Op;
  arity: 1 | 2;
  result: Type;
}

const NUMERIC: Numeric[] = [];
const TRUNC_SAT: Numeric[] = [];

function row(first: number, arity: 1 | 2, result: Type, ops: string): void {
  ops.split(' ').forEach((op, i) => {
    NUMERIC[first + i] = { op: op as Op, arity, result };
  });
}

const INT_COMPARE = 'eq ne lts ltu gts gtu les leu ges geu';
const FLOAT_COMPARE = 'feq fne flt fgt fle fge';
const INT_UNARY = 'clz ctz popcnt';
const INT_BINARY = 'add sub mul divs divu rems remu and or xor shl shrs shru rotl rotr';
const FLOAT_UNARY = 'fabs fneg fceil ffloor ftrunc fnearest fsqrt';
const FLOAT_BINARY = 'fadd fsub fmul fdiv fmin fmax fcopysign';

row(0x45, 1, 'i32', 'eqz');
row(0x46, 2, 'i32', INT_COMPARE);
row(0x50, 1, 'i32', 'eqz');
row(0x51, 2, 'i32', INT_COMPARE);
row(0x5b, 2, 'i32', FLOAT_COMPARE);
row(0x61, 2, 'i32', FLOAT_COMPARE);
row(0x67, 1, 'i32', INT_UNARY);
row(0x6a, 2, 'i32', INT_BINARY);
row(0x79, 1, 'i64', INT_UNARY);
row(0x7c, 2, 'i64', INT_BINARY);
row(0x8b, 1, 'f32', FLOAT_UNARY);
row(0x92, 2, 'f32', FLOAT_BINARY);
row(0x99, 1, 'f64', FLOAT_UNARY);
row(0xa0, 2, 'f64', FLOAT_BINARY);
row(0xa7, 1, 'i32', 'wrap truncs truncu truncs truncu');
row(0xac, 1, 'i64', 'sext zext truncs truncu truncs truncu');
row(0xb2, 1, 'f32', 'converts convertu converts convertu demote');
row(0xb7, 1, 'f64', 'converts convertu converts convertu promote');
row(0xbc, 1, 'i32', 'bitcast');
row(0xbd, 1, 'i64', 'bitcast');
row(0xbe, 1, 'f32', 'bitcast');
row(0xbf, 1, 'f64', 'bitcast');
row(0xc0, 1, 'i32', 'extend8s extend16s');
row(0xc2, 1, 'i64', 'extend8s extend16s extend32s');

for (let i = 0; i < 8; i++) {
  TRUNC_SAT[i] = { op: i & 1 ? 'truncsatu' : 'truncsats', arity: 1, result: i < 4 ? 'i32' : 'i64' };
}

export function buildNumeric(b: FuncBuilder, opcode: number): void {
  build(b, NUMERIC[opcode]);
}

/** Operators behind the prefix 0xfc, numbers 0 to 7. */
export function buildTruncSat(b: FuncBuilder, opcode: number): void {
  build(b, TRUNC_SAT[opcode]);
}

function build(b: FuncBuilder, { op, arity, result }: Numeric): void {
  const last = b.pop();
  b.push(b.e.emit(op, result, arity === 1 ? [last] : [b.pop(), last]));
}
