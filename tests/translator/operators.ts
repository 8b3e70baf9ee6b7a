// The numeric operators of WebAssembly 1.0, sign extension and saturating truncation, as a table: what they take,
// what they give, what the specification says of their NaNs and traps.

import type { Call } from './node.ts';
import { type Bits, isCanonicalNan, isNan, type NumType } from './values.ts';

export interface Operator {
  name: string;
  params: NumType[];
  result: NumType;
  /** A NaN that it returns has bits of the engine's choice (WebAssembly core 4.3.3.2). */
  freeNan: boolean;
}

const INT_UNARY = ['clz', 'ctz', 'popcnt', 'extend8_s', 'extend16_s'];
const INT_BINARY = 'add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr'.split(' ');
const INT_COMPARE = 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'.split(' ');
const FLOAT_UNARY = 'abs neg ceil floor trunc nearest sqrt'.split(' ');
const FLOAT_BINARY = 'add sub mul div min max copysign'.split(' ');
const FLOAT_COMPARE = 'eq ne lt gt le ge'.split(' ');
const EXACT = new Set(['abs', 'neg', 'copysign']);

export const OPERATORS: Operator[] = [];

function add(name: string, params: NumType[], result: NumType, freeNan = false): void {
  OPERATORS.push({ name, params, result, freeNan });
}

for (const type of ['i32', 'i64'] as const) {
  for (const name of INT_UNARY) add(`${type}.${name}`, [type], type);
  for (const name of INT_BINARY) add(`${type}.${name}`, [type, type], type);
  for (const name of INT_COMPARE) add(`${type}.${name}`, [type, type], 'i32');
  add(`${type}.eqz`, [type], 'i32');
  for (const from of ['f32', 'f64'] as const) {
    for (const sign of ['s', 'u']) {
      add(`${type}.trunc_${from}_${sign}`, [from], type);
      add(`${type}.trunc_sat_${from}_${sign}`, [from], type);
    }
  }
}
for (const type of ['f32', 'f64'] as const) {
  for (const name of FLOAT_UNARY) add(`${type}.${name}`, [type], type, !EXACT.has(name));
  for (const name of FLOAT_BINARY) add(`${type}.${name}`, [type, type], type, !EXACT.has(name));
  for (const name of FLOAT_COMPARE) add(`${type}.${name}`, [type, type], 'i32');
  for (const from of ['i32', 'i64'] as const) {
    for (const sign of ['s', 'u']) add(`${type}.convert_${from}_${sign}`, [from], type);
  }
}
add('i64.extend32_s', ['i64'], 'i64');
add('i32.wrap_i64', ['i64'], 'i32');
add('i64.extend_i32_s', ['i32'], 'i64');
add('i64.extend_i32_u', ['i32'], 'i64');
add('f32.demote_f64', ['f64'], 'f32', true);
add('f64.promote_f32', ['f32'], 'f64', true);
add('i32.reinterpret_f32', ['f32'], 'i32');
add('i64.reinterpret_f64', ['f64'], 'i64');
add('f32.reinterpret_i32', ['i32'], 'f32');
add('f64.reinterpret_i64', ['i64'], 'f64');

/** A call of an export that does what `operator` does to `operands`; `args` if it takes others. */
export function operatorCall(
  name: string,
  operator: Operator,
  operands: bigint[],
  args: Bits[] = operands,
): Call {
  const call: Call = { name, args };
  if (operator.freeNan) {
    const free = operator.params.some(
      (type, i) => isNan(type, operands[i]) && !isCanonicalNan(type, operands[i]),
    );
    call.nan = free ? 'arithmetic' : 'canonical';
  }
  if (/\.trunc_f/.test(operator.name)) {
    const nan = isNan(operator.params[0], operands[0]);
    call.trap = nan ? 'invalid conversion to integer' : 'integer overflow';
  }
  return call;
}

/** All tuples of operands from `lists`, one list a parameter. */
export function tuples(lists: readonly (readonly bigint[])[]): bigint[][] {
  return lists.reduce<bigint[][]>((all, list) => all.flatMap((t) => list.map((v) => [...t, v])), [[]]);
}
