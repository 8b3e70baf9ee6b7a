// Statements of random programs that a pass looks for and that chance would seldom make: the same read before and
// after a call, branches on what is already decided, values that are made narrow again and again, several values at a
// join.

import type { NumType } from '../translator/values.ts';
import { DEVICE } from './device.ts';
import { COMPARE, Expressions, isFloat, type Signature } from './expressions.ts';

const TYPES: NumType[] = ['i32', 'i32', 'i64', 'i64', 'f32', 'f64'];

export abstract class Patterns extends Expressions {
  protected abstract store(): string;

  protected target(type: NumType): string {
    return this.writableOf(type) ?? this.addLocal(type);
  }

  protected callStatement(): string {
    const callee: Signature = this.random.pick(this.callees);
    const sets = callee.results.toReversed().map((t) => {
      const local = this.random.chance(0.8) ? this.writableOf(t) : undefined;
      return local ? `(local.set ${local})` : '(drop)';
    });
    return [this.call(callee, 1), ...sets].join(' ');
  }

  /** One place or global read twice, and something between that may write it. */
  protected around(): string {
    const r = this.random;
    const type = r.pick(TYPES);
    const read = r.chance(0.5) ? `(global.get $${type}_${r.below(2)})` : this.simpleLoad(type);
    const [a, b] = [this.target(type), this.target(type)];
    const between = r.pick([
      () => this.callStatement(),
      () => this.callStatement(),
      () => this.store(),
      () => `(global.set $${type}_${r.below(2)} ${this.expression(type, 2)})`,
      () => '',
    ])();
    const operator = isFloat(type) ? 'add' : r.pick(['add', 'xor', 'sub']);
    const sum = `(${type}.${operator} (local.get ${a}) ${read})`;
    return `(local.set ${a} ${read}) ${between} (local.set ${b} ${sum}) ${this.show(type, b)}`;
  }

  /** A load that can be written down twice. */
  private simpleLoad(type: NumType): string {
    const r = this.random;
    const at = r.chance(0.7) ? `(local.get ${r.pick(this.pointers)})` : `(i32.const ${r.below(64)})`;
    const width = isFloat(type) || r.chance(0.6) ? '' : r.pick(['8_s', '8_u', '16_s', '16_u']);
    return `(${type}.load${width} ${this.offset(r.below(4) * 4)}${at})`;
  }

  /** A variable that stays within a few bits. */
  protected narrow(): string {
    const r = this.random;
    const type = r.pick(['i32', 'i64'] as const);
    const local = this.target(type);
    const n = r.pick(type === 'i32' ? [8, 16, 24] : [8, 16, 32, 40]);
    const value = `(${type}.${r.pick(['add', 'sub', 'mul', 'or'])} (local.get ${local}) ${this.expression(type, 2)})`;
    const shifted = `(${type}.shl ${value} (${type}.const ${n}))`;
    const ways = [
      `(${type}.and ${value} (${type}.const ${r.pick([1, 127, 255, 65535, 0x7fffffff])}))`,
      `(${type}.shr_${r.pick(['s', 'u'])} ${shifted} (${type}.const ${n}))`,
      `(${type}.extend${r.pick([8, 16])}_s ${value})`,
      type === 'i64'
        ? `(i64.extend_i32_${r.pick(['s', 'u'])} (i32.${r.pick(['extend8_s', 'extend16_s', 'clz'])} (i32.wrap_i64 ${value})))`
        : `(i32.wrap_i64 (i64.shr_${r.pick(['s', 'u'])} (i64.extend_i32_${r.pick(['s', 'u'])} ${value}) (i64.const ${n})))`,
    ];
    return `(local.set ${local} ${r.pick(ways)}) ${r.chance(0.5) ? this.show(type, local) : ''}`;
  }

  /** Branches on comparisons of the same two values, one inside or behind the other. */
  protected decided(): string {
    const r = this.random;
    const type = r.pick(['i32', 'i64'] as const);
    // Of few values, so that they are equal now and then, and neighbours, and of both signs.
    const few = () => `(${type}.sub (${type}.and ${this.leaf(type)} (${type}.const 3)) (${type}.const 1))`;
    const [x0, y0] = [this.addLocal(type, false), this.addLocal(type, false)];
    const a = `(local.get ${x0})`;
    const b = r.chance(0.5) ? `(local.get ${y0})` : `(${type}.const ${r.below(4) - 1})`;
    const set = `(local.set ${x0} ${few()}) (local.set ${y0} ${few()})`;
    const condition = (): string => {
      const [x, y] = r.chance(0.75) ? [a, b] : [b, a];
      const plain = `(${type}.${r.pick(COMPARE)} ${x} ${y})`;
      if (r.chance(0.15)) return `(i32.eqz ${plain})`;
      return r.chance(0.2) ? `(i32.${r.pick(['and', 'or', 'xor'])} ${plain} ${this.condition(3)})` : plain;
    };
    const effect = () => (r.chance(0.3) ? this.store() : this.mark());
    const branch = () => `(if ${condition()} (then ${effect()}) (else ${effect()}))`;
    const value = `(local.set ${this.target(type)} (select ${this.leaf(type)} ${this.leaf(type)} ${condition()}))`;
    const whole = `(if ${condition()} (then ${branch()}) (else ${branch()} ${value}))`;
    return `${set} ${whole} ${r.chance(0.4) ? branch() : ''}`;
  }

  /** What becomes of a local's value can be seen in the end, whatever happens to it later. */
  private show(type: NumType, local: string): string {
    const value = `(local.get ${local})`;
    const i64 = type === 'i64' ? value : type === 'i32' ? `(i64.extend_i32_s ${value})` : undefined;
    if (i64 === undefined) return '';
    return `(global.set $shown (i64.add (i64.rotl (global.get $shown) (i64.const 7)) ${i64}))`;
  }

  /** Shows that this place was passed. */
  private mark(): string {
    return `(global.set $shown (i64.add (i64.mul (global.get $shown) (i64.const 31)) (i64.const ${this.random.below(100)})))`;
  }

  /** A volatile access to a register of the device. */
  protected device(): string {
    const r = this.random;
    const width = r.pick([8, 16, 32, 64]);
    const type = width === 64 ? 'i64' : 'i32';
    const within = (r.below(64 / width) * width) / 8;
    const at = r.chance(0.5)
      ? `(i32.const ${DEVICE + r.below(8) * 8 + within})`
      : `(i32.add (i32.and ${this.leaf('i32')} (i32.const 0xf8)) (i32.const ${DEVICE + within}))`;
    if (r.chance(0.5)) return `(call $store${width} ${at} ${this.expression(type, 3)})`;
    return r.chance(0.7)
      ? `(local.set ${this.target(type)} (call $load${width} ${at}))`
      : `(drop (call $load${width} ${at}))`;
  }

  /** Several values out of a block or of both ways of a branch. */
  protected joined(): string {
    const r = this.random;
    const types = Array.from({ length: 2 + r.below(2) }, () => r.pick(TYPES));
    const values = () => types.map((t) => this.expression(t, 2)).join(' ');
    const result = `(result ${types.join(' ')})`;
    const take = types.toReversed().map((t) => `(local.set ${this.target(t)})`);
    const label = `$j${this.locals.length}_${r.below(1_000_000)}`;
    const text = r.chance(0.5)
      ? `(if ${result} ${this.condition(2)} (then ${values()}) (else ${values()}))`
      : `(block ${label} ${result} ${values()} (br_if ${label} ${this.condition(2)}) ${types.map(() => '(drop)').join(' ')} ${values()})`;
    return `${text} ${take.join(' ')}`;
  }
}
