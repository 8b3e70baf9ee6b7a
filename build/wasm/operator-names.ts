// The names of operators as the text format has them (WebAssembly core 6.5, threads proposal), by opcode.

const COMPARISONS = ['eq', 'ne', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u'];
const FLOAT_COMPARISONS = ['eq', 'ne', 'lt', 'gt', 'le', 'ge'];
const ARITHMETIC = [
  ...['clz', 'ctz', 'popcnt', 'add', 'sub', 'mul', 'div_s', 'div_u', 'rem_s', 'rem_u', 'and', 'or', 'xor'],
  ...['shl', 'shr_s', 'shr_u', 'rotl', 'rotr'],
];
const FLOAT_ARITHMETIC = [
  ...['abs', 'neg', 'ceil', 'floor', 'trunc', 'nearest', 'sqrt', 'add', 'sub', 'mul', 'div', 'min', 'max'],
  'copysign',
];
const CONVERSIONS =
  'i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u i64.extend_i32_s i64.extend_i32_u ' +
  'i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u f32.convert_i32_s f32.convert_i32_u ' +
  'f32.convert_i64_s f32.convert_i64_u f32.demote_f64 f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s ' +
  'f64.convert_i64_u f64.promote_f32 i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64 ' +
  'i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s';
const ACCESSES =
  'i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load8_s i64.load8_u ' +
  'i64.load16_s i64.load16_u i64.load32_s i64.load32_u i32.store i64.store f32.store f64.store i32.store8 i32.store16 ' +
  'i64.store8 i64.store16 i64.store32 memory.size memory.grow i32.const i64.const f32.const f64.const';
const TRUNCATIONS =
  'i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u i64.trunc_sat_f32_s ' +
  'i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u memory.init data.drop memory.copy memory.fill table.init ' +
  'elem.drop table.copy table.grow table.size table.fill';
const ATOMIC_WIDTHS = ['i32.atomic.S', 'i64.atomic.S', 'i32.atomic.S8_u', 'i32.atomic.S16_u'].concat([
  ...['i64.atomic.S8_u', 'i64.atomic.S16_u', 'i64.atomic.S32_u'],
]);

const PLAIN: string[] = [];
const PREFIXED: Record<number, string[]> = { 252: TRUNCATIONS.split(' '), 254: [] };

const put = (table: string[], first: number, names: readonly string[]) =>
  names.forEach((name, i) => {
    table[first + i] = name;
  });
const typed = (type: string, names: readonly string[]) => names.map((name) => `${type}.${name}`);

put(PLAIN, 0x00, ['unreachable', 'nop', 'block', 'loop', 'if', 'else']);
put(PLAIN, 0x0b, ['end', 'br', 'br_if', 'br_table', 'return', 'call', 'call_indirect']);
put(PLAIN, 0x12, ['return_call', 'return_call_indirect']);
put(PLAIN, 0x1a, ['drop', 'select', 'select']);
put(PLAIN, 0x20, [
  'local.get',
  'local.set',
  'local.tee',
  'global.get',
  'global.set',
  'table.get',
  'table.set',
]);
put(PLAIN, 0x28, ACCESSES.split(' '));
put(PLAIN, 0x45, ['i32.eqz', ...typed('i32', COMPARISONS), 'i64.eqz', ...typed('i64', COMPARISONS)]);
put(PLAIN, 0x5b, [...typed('f32', FLOAT_COMPARISONS), ...typed('f64', FLOAT_COMPARISONS)]);
put(PLAIN, 0x67, [...typed('i32', ARITHMETIC), ...typed('i64', ARITHMETIC)]);
put(PLAIN, 0x8b, [...typed('f32', FLOAT_ARITHMETIC), ...typed('f64', FLOAT_ARITHMETIC)]);
put(PLAIN, 0xa7, CONVERSIONS.split(' '));
put(PLAIN, 0xd0, ['ref.null', 'ref.is_null', 'ref.func']);
put(PREFIXED[0xfe], 0x00, [
  'memory.atomic.notify',
  'memory.atomic.wait32',
  'memory.atomic.wait64',
  'atomic.fence',
]);
['load', 'store', 'rmw.add', 'rmw.sub', 'rmw.and', 'rmw.or', 'rmw.xor', 'rmw.xchg', 'rmw.cmpxchg'].forEach(
  (action, i) => {
    const [verb, rest = ''] = action.split(/(?=\.)/);
    const names = ATOMIC_WIDTHS.map((name) => {
      const [, type, bits, unsigned] = /^(i\d\d)\.atomic\.S(\d*)(_u)?$/.exec(name)!;
      // Loads and stores have the width behind, read-modify-writes behind the word; stores are not unsigned.
      return `${type}.atomic.${verb}${bits}${rest}${verb === 'store' ? '' : (unsigned ?? '')}`;
    });
    put(PREFIXED[0xfe], 0x10 + 7 * i, names);
  },
);

/** `sub`: what stands behind a prefix. */
export function operatorName(opcode: number, sub = 0): string {
  const name = PREFIXED[opcode] ? PREFIXED[opcode][sub] : PLAIN[opcode];
  return name ?? `0x${opcode.toString(16)}`;
}
