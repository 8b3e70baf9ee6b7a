// Random expressions as WebAssembly text: what body.ts makes statements of.

import { type NumType, type Random, widthOf } from '../translator/values.ts';

export interface Signature {
  name: string;
  params: NumType[];
  results: NumType[];
  /** The name of its type, for calls through the table. */
  type: string;
}

/** What the functions of a program share. */
export interface Surroundings {
  table: string;
  /** Where the memory that it works on begins: 0, or behind the device's registers in the fixed model. */
  base: number;
}

const DEPTH_MAX = 5;
/** Elements of each program's table, the last of them null. */
export const TABLE_SLOTS = 8;
const MEMORY_BYTES = 0x10000;

const INTEGER = [
  'add',
  'add',
  'add',
  'sub',
  'mul',
  'and',
  'or',
  'xor',
  'shl',
  'shr_s',
  'shr_u',
  'rotl',
  'rotr',
];
const INTEGER_ONE = ['clz', 'ctz', 'popcnt', 'extend8_s', 'extend16_s'];
export const COMPARE = ['eq', 'ne', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u'];
const FLOAT = ['add', 'sub', 'mul', 'div', 'min', 'max'];
const FLOAT_ONE = ['abs', 'neg', 'sqrt', 'ceil', 'floor', 'trunc', 'nearest'];
const FLOAT_COMPARE = ['eq', 'ne', 'lt', 'gt', 'le', 'ge'];
const FLOATS = ['0', '-0', '1', '-1.5', '0.1', '3e9', '-2147483649', '1e19', '1e-320', 'inf', '-inf', 'nan'];
const DIVISORS = [
  1, 2, 3, 5, 7, 8, 10, 16, 60, 100, 255, 641, 1000, 65536, 0x7fffffff, -1, -2, -3, -7, -1000,
];

export const isFloat = (type: NumType): type is 'f32' | 'f64' => type === 'f32' || type === 'f64';

export class Expressions {
  protected readonly random: Random;
  protected readonly self: Signature;
  protected readonly callees: readonly Signature[];
  private readonly table: string;
  protected readonly base: number;
  protected readonly locals: { name: string; type: NumType; writable: boolean }[] = [];
  /** Locals that hold addresses well inside memory, so that accesses meet. */
  protected readonly pointers: string[] = [];
  /** Counters of the loops around. */
  protected readonly counters: string[] = [];
  /** Few functions are, or fuzzing would be slow; register allocation is bored by the others. */
  protected readonly large: boolean;
  private budget: number;

  constructor(random: Random, self: Signature, callees: readonly Signature[], { table, base }: Surroundings) {
    this.random = random;
    this.self = self;
    this.callees = callees;
    this.table = table;
    this.base = base;
    this.large = random.chance(0.04);
    this.budget = this.large ? 600 : random.chance(0.1) ? 200 : 20 + random.below(60);
  }

  protected addLocal(type: NumType, writable = true): string {
    const name = `$v${this.locals.length}`;
    this.locals.push({ name, type, writable });
    return name;
  }

  protected readable(type: NumType): string[] {
    const params = this.self.params.flatMap((t, i) => (t === type ? [`$x${i}`] : []));
    return [...params, ...this.locals.filter((l) => l.type === type).map((l) => l.name)];
  }

  protected writableOf(type: NumType): string | undefined {
    const list = this.locals.filter((l) => l.writable && l.type === type);
    return list.length > 0 ? this.random.pick(list).name : undefined;
  }

  /** An integer from 0 to the mask. */
  protected small(mask: number): string {
    return `(i32.and ${this.expression('i32', 2)} (i32.const ${mask}))`;
  }

  /** An address with room behind it. */
  protected masked(depth: number): string {
    const mask = this.random.pick([0xff, 0xff8, 0xfffc, 0x7ff0]);
    return `(i32.and ${this.expression('i32', depth + 1)} (i32.const ${mask}))`;
  }

  protected address(depth: number): string {
    const r = this.random;
    const counter = this.counters.length > 0 ? `(local.get ${r.pick(this.counters)})` : undefined;
    const base = `(local.get ${r.pick(this.pointers)})`;
    if (counter && r.chance(0.5)) {
      const scaled = r.pick([
        counter,
        `(i32.shl ${counter} (i32.const ${r.below(4)}))`,
        `(i32.mul ${counter} (i32.const ${r.pick([2, 3, 4, 8, 12, 24])}))`,
      ]);
      return r.pick([
        scaled,
        `(i32.add ${base} ${scaled})`,
        `(i32.add ${scaled} (i32.const ${r.below(2000)}))`,
      ]);
    }
    if (r.chance(0.6)) return base;
    if (r.chance(0.5)) return `(i32.add ${base} (i32.const ${r.pick([-8, -4, -1, 1, 4, 8, 256, 4096])}))`;
    if (r.chance(0.04)) return `(i32.add ${this.small(63)} (i32.const ${MEMORY_BYTES - r.below(80)}))`;
    if (r.chance(0.02)) return `(i32.add ${this.small(63)} (i32.const ${-r.below(32)}))`;
    return r.chance(0.005) ? this.expression('i32', depth + 1) : this.masked(depth);
  }

  /** Offset and address of a load or store. */
  protected place(depth: number): string {
    const r = this.random;
    const far = [0x7fffffff, 0x80000000, 0xfffffff0, 0xffff, 0xfff8];
    const near = r.chance(0.6) ? r.below(4) * 4 : r.below(r.chance(0.2) ? 4096 : 24);
    const offset = r.chance(0.004) ? r.pick(far) : near;
    return `${this.offset(offset)}${this.address(depth + 1)}`;
  }

  protected offset(bytes: number): string {
    const offset = Math.min(bytes + this.base, 0xffffffff);
    return offset > 0 ? `offset=${offset} ` : '';
  }

  /** A value whose bits show: an engine may choose a NaN's (WebAssembly core 4.3.3.2). */
  protected shown(type: NumType, depth: number): string {
    const value = this.expression(type, depth);
    return isFloat(type) ? `(call $canonical_${type} ${value})` : value;
  }

  protected condition(depth: number): string {
    const r = this.random;
    const type = r.pick<NumType>(['i32', 'i32', 'i32', 'i64', 'f32', 'f64']);
    if (r.chance(0.15)) return this.expression('i32', depth + 1);
    if (!isFloat(type) && r.chance(0.3)) {
      const few = `(${type}.and ${this.leaf(type)} (${type}.const ${r.pick([1, 3, 7])}))`;
      return `(${type}.${r.pick(COMPARE)} ${few} (${type}.const ${r.below(4)}))`;
    }
    if (r.chance(0.1)) return `(i32.eqz ${this.condition(depth + 1)})`;
    const compare = r.pick(isFloat(type) ? FLOAT_COMPARE : COMPARE);
    return `(${type}.${compare} ${this.expression(type, depth + 1)} ${this.expression(type, depth + 1)})`;
  }

  protected call(callee: Signature, depth: number, tail = ''): string {
    const r = this.random;
    const args = callee.params.map((t) => this.expression(t, depth + 2)).join(' ');
    if (r.chance(0.6)) return `(${tail}call ${callee.name} ${args})`;
    // Mostly the right one; now and then null, of another type or beyond the end.
    const slot = r.chance(0.85) ? `(i32.const ${this.callees.indexOf(callee)})` : this.small(r.pick([3, 15]));
    return `(${tail}call_indirect ${this.table} (type ${callee.type}) ${args} ${slot})`;
  }

  protected expression(type: NumType, depth: number): string {
    const r = this.random;
    if (this.spent() || depth >= DEPTH_MAX || r.chance(0.12)) return this.leaf(type);
    if (r.chance(0.15)) return this.load(type, depth);
    if (r.chance(0.12)) return this.compound(type, depth);
    return isFloat(type) ? this.float(type, depth) : this.integer(type, depth);
  }

  /** Spends one of the function's operators. */
  protected spent(): boolean {
    return --this.budget <= 0;
  }

  protected leaf(type: NumType): string {
    const r = this.random;
    const list = this.readable(type);
    if (list.length > 0 && r.chance(0.7)) return `(local.get ${r.pick(list)})`;
    if (r.chance(0.3)) return `(global.get $${type}_${r.below(2)})`;
    if (isFloat(type)) return `(${type}.const ${r.pick(FLOATS)})`;
    return `(${type}.const ${BigInt.asIntN(widthOf(type), r.bits(type))})`;
  }

  private load(type: NumType, depth: number): string {
    const i32 = ['', '', '8_s', '8_u', '16_s', '16_u'];
    const widths = { i32, i64: [...i32, '32_s', '32_u'], f32: [''], f64: [''] }[type];
    return `(${type}.load${this.random.pick(widths)} ${this.place(depth)})`;
  }

  /** What has control flow inside, or is rare. */
  private compound(type: NumType, depth: number): string {
    const r = this.random;
    const value = () => this.expression(type, depth + 1);
    const fitting = this.callees.filter((c) => c.results.length === 1 && c.results[0] === type);
    const local = this.writableOf(type);
    switch (r.below(5)) {
      case 0:
        return `(if (result ${type}) ${this.condition(depth)} (then ${value()}) (else ${value()}))`;
      case 1:
        if (fitting.length > 0) return this.call(r.pick(fitting), depth);
        return this.leaf(type);
      case 2:
        return local ? `(local.tee ${local} ${value()})` : this.leaf(type);
      case 3:
        return type === 'i32' && r.chance(0.2) ? '(memory.size)' : this.leaf(type);
      default:
        return `(select ${value()} ${value()} ${this.condition(depth)})`;
    }
  }

  private integer(type: 'i32' | 'i64', depth: number): string {
    const r = this.random;
    const value = () => this.expression(type, depth + 1);
    const constant = (n: number | bigint) => `(${type}.const ${n})`;
    const other = type === 'i32' ? 'i64' : 'i32';
    switch (r.below(10)) {
      case 0:
        return `(${type}.${r.pick(INTEGER_ONE)} ${value()})`;
      case 1: {
        const operator = r.pick(['div_s', 'div_u', 'rem_s', 'rem_u']);
        const divisor = r.chance(0.6) ? r.pick(DIVISORS) : BigInt.asIntN(widthOf(type), r.bits(type) || 1n);
        const by = r.chance(0.75) ? constant(divisor) : `(${type}.or ${value()} ${constant(1)})`;
        return `(${type}.${operator} ${value()} ${r.chance(0.04) ? value() : by})`;
      }
      case 2:
        return this.bits(type, value());
      case 3:
        if (r.chance(0.3))
          return type === 'i32' ? this.condition(depth) : `(i64.extend_i32_u ${this.condition(depth)})`;
        if (r.chance(0.2)) return this.fromFloat(type, depth);
        if (type === 'i32') return `(i32.wrap_i64 ${this.expression(other, depth + 1)})`;
        return `(i64.extend_i32_${r.pick(['s', 'u'])} ${this.expression(other, depth + 1)})`;
      case 4: // constants that add up, shift counts beyond the width
        return `(${type}.${r.pick(INTEGER)} ${value()} ${constant(r.pick([0, 1, -1, 2, 4, 31, 32, 33, 63, 64, 100, -16]))})`;
      default:
        return `(${type}.${r.pick(INTEGER)} ${value()} ${value()})`;
    }
  }

  /** Masks, extensions and shifts on one another, which look at some bits only. */
  private bits(type: 'i32' | 'i64', value: string): string {
    const r = this.random;
    const constant = (list: number[]) => `(${type}.const ${r.pick(list)})`;
    const masked = (of: string) =>
      `(${type}.and ${of} ${constant([1, 15, 255, 511, 0x80, 0x100, 65535, 0x1ffff, 0x7fffffff, -8, -256])})`;
    const n = r.pick([8, 16, 24]);
    const extended = r.pick([
      `(${type}.shr_s (${type}.shl ${value} (${type}.const ${n})) (${type}.const ${n}))`,
      `(${type}.extend8_s ${value})`,
      `(${type}.extend16_s ${value})`,
      type === 'i64' ? `(i64.extend32_s ${value})` : masked(value),
    ]);
    const operator = r.pick(['shl', 'shr_u', 'shr_s', 'rotl', 'xor', 'or']);
    const shifted = `(${type}.${operator} ${extended} ${constant([1, 7, 15, 16, 23, 24, 31])})`;
    return r.pick([masked(value), extended, masked(extended), shifted, masked(shifted)]);
  }

  private fromFloat(type: 'i32' | 'i64', depth: number): string {
    const r = this.random;
    const same = type === 'i32' ? 'f32' : 'f64';
    if (r.chance(0.4)) return `(${type}.reinterpret_${same} ${this.shown(same, depth + 1)})`;
    const from = r.pick(['f32', 'f64'] as const);
    const saturating = r.chance(0.9) ? '_sat' : '';
    return `(${type}.trunc${saturating}_${from}_${r.pick(['s', 'u'])} ${this.expression(from, depth + 1)})`;
  }

  private float(type: 'f32' | 'f64', depth: number): string {
    const r = this.random;
    const value = () => this.expression(type, depth + 1);
    if (r.chance(0.2)) return `(${type}.${r.pick(FLOAT_ONE)} ${value()})`;
    if (r.chance(0.06)) return `(${type}.copysign ${value()} ${this.shown(type, depth + 1)})`;
    if (r.chance(0.1))
      return type === 'f32'
        ? `(f32.demote_f64 ${this.expression('f64', depth + 1)})`
        : `(f64.promote_f32 ${this.expression('f32', depth + 1)})`;
    if (r.chance(0.25)) {
      const from = r.pick(['i32', 'i64'] as const);
      return `(${type}.convert_${from}_${r.pick(['s', 'u'])} ${this.expression(from, depth + 1)})`;
    }
    return `(${type}.${r.pick(FLOAT)} ${value()} ${value()})`;
  }
}
