// Writes the small functions of a random program as WebAssembly text: those that the translator copies to where they are
// called, and into themselves. A few effects, loops, early ways out and traps, which depend on the parameters.

import type { NumType, Random } from '../translator/values.ts';
import { Expressions, type Signature, type Surroundings } from './expressions.ts';

const COUNTER = '$k';
/** How often a recursive one still calls itself. */
const ROUNDS = '$n';

export class Small extends Expressions {
  private loops = 0;
  private looping = false;

  /** `callees` are small functions too, and not this one. */
  constructor(random: Random, self: Signature, callees: readonly Signature[], surroundings: Surroundings) {
    super(random, self, callees, surroundings);
    for (const type of ['i32', 'i64'] as const) this.addLocal(type);
    this.pointers.push(COUNTER);
  }

  text(): string {
    const { self, random: r } = this;
    const recursive = r.chance(0.25);
    const statements = Array.from({ length: r.below(recursive ? 2 : 3) }, () => this.step());
    if (recursive) statements.unshift(this.bottom());
    const end = recursive ? this.again() : this.values();
    const params = self.params.map((t, i) => `(param $x${i} ${t})`).join(' ');
    const results = self.results.length > 0 ? `(result ${self.results.join(' ')})` : '';
    const locals = this.locals.map(({ name, type }) => `(local ${name} ${type})`).join(' ');
    const body = [...statements, end].join('\n    ');
    return `(func ${self.name} ${params} ${results} ${locals} (local ${COUNTER} i32) (local ${ROUNDS} i32)\n    ${body})`;
  }

  private step(): string {
    const plain = [this.effect, this.guard, this.keep, this.choice, this.cases];
    return this.random.pick([...plain, this.loop, this.loop, this.loop]).call(this);
  }

  /** One operator at most. */
  private tiny(type: NumType): string {
    return this.random.chance(0.5) ? this.expression(type, 4) : this.leaf(type);
  }

  protected override leaf(type: NumType): string {
    const params = this.self.params.flatMap((t, i) => (t === type ? [`(local.get $x${i})`] : []));
    return params.length > 0 && this.random.chance(0.5) ? this.random.pick(params) : super.leaf(type);
  }

  private values(): string {
    return this.self.results.map((t) => this.tiny(t)).join(' ');
  }

  private spot(): string {
    const r = this.random;
    return `${this.offset(r.below(4) * 4)} (i32.and ${this.leaf('i32')} (i32.const ${r.pick([0x3c, 0xff8])}))`;
  }

  private effect(): string {
    const r = this.random;
    const type = r.pick(['i32', 'i32', 'i64'] as const);
    const global = `$${type}_${r.below(2)}`;
    if (this.callees.length > 0 && r.chance(0.25)) return this.nested();
    if (r.chance(0.4)) return `(${type}.store ${this.spot()} ${this.tiny(type)})`;
    if (r.chance(0.2)) return `(global.set ${global} ${this.tiny(type)})`;
    return `(global.set ${global} (${type}.${r.pick(['add', 'xor', 'mul'])} (global.get ${global}) ${this.tiny(type)}))`;
  }

  private nested(): string {
    const callee = this.random.pick(this.callees);
    return `${this.call(callee)} ${callee.results.map(() => '(drop)').join(' ')}`;
  }

  /** Never through the table, where there might be its own callers. */
  protected override call(callee: Signature): string {
    return `(call ${callee.name} ${callee.params.map((t) => this.leaf(t)).join(' ')})`;
  }

  private keep(): string {
    const { name, type } = this.random.pick(this.locals);
    const value = this.random.chance(0.5) ? `(${type}.load ${this.spot()})` : this.tiny(type);
    return `(local.set ${name} ${value})`;
  }

  /** True now and then. */
  private seldom(): string {
    const r = this.random;
    // In one round of a loop, mostly after others.
    if (this.looping && r.chance(0.6)) {
      const round = `(i32.and (local.get $x0) (i32.const ${r.pick([3, 7])}))`;
      return `(i32.eq (local.get ${COUNTER}) ${r.chance(0.3) ? round : `(i32.or ${round} (i32.const ${r.pick([1, 2])}))`})`;
    }
    const value = r.pick([this.leaf('i32'), '(local.get $x0)', `(local.get ${COUNTER})`]);
    const mask = r.pick([3, 15, 15, 63]);
    if (r.chance(0.3)) return `(i32.${r.pick(['gt_u', 'lt_s', 'ge_s'])} ${value} ${this.leaf('i32')})`;
    return `(i32.eq (i32.and ${value} (i32.const ${mask})) (i32.const ${r.below(mask + 1)}))`;
  }

  /** A way out: a trap or a return. */
  private guard(): string {
    const r = this.random;
    const condition = this.seldom();
    const ways = [
      `(if ${condition} (then (unreachable)))`,
      `(if ${condition} (then (unreachable)))`,
      `(if ${condition} (then ${this.effect()} (unreachable)))`,
      `(drop (i32.div_u (i32.const 7) (i32.eqz ${condition})))`,
      `(drop (i32.load8_u ${this.offset(0)} (select (i32.const -1) (i32.const 8) ${condition})))`,
      `(if ${condition} (then (return ${this.values()})))`,
      `(if ${condition} (then ${this.effect()} (return ${this.values()})))`,
    ];
    return r.pick(ways);
  }

  private choice(): string {
    const otherwise = this.random.chance(0.5) ? `(else ${this.effect()})` : '';
    return `(if ${this.seldom()} (then ${this.effect()}) ${otherwise})`;
  }

  private loop(): string {
    const r = this.random;
    const label = `$l${this.loops++}`;
    this.looping = true;
    const inside = r.pick([
      () => [this.effect(), this.guard()],
      () => [this.guard(), this.effect()],
      () => [this.effect(), this.guard()],
      () => [this.guard(), this.effect()],
      () => [this.effect()],
      () => [this.keep(), this.effect()],
      () => [this.choice()],
    ])();
    this.looping = false;
    const k = `(local.get ${COUNTER})`;
    const next = `(local.tee ${COUNTER} (i32.add ${k} (i32.const 1)))`;
    const start = r.chance(0.7) ? '(i32.const 0)' : `(i32.and ${this.leaf('i32')} (i32.const 3))`;
    const last = r.chance(0.5) ? `(i32.const ${1 + r.below(5)})` : `(i32.and (local.get $x0) (i32.const 7))`;
    const again = `(br_if ${label} (i32.lt_s ${next} ${last}))`;
    return `(local.set ${COUNTER} ${start}) (loop ${label} ${inside.join(' ')} ${again})`;
  }

  private cases(): string {
    const value = `(i32.and ${this.leaf('i32')} (i32.const 3))`;
    const first = this.random.pick([
      () => this.effect(),
      () => this.guard(),
      () => `(return ${this.values()})`,
    ])();
    return `(block $b (block $a (br_table $a $b ${this.random.chance(0.5) ? '$a' : '$b'} ${value})) ${first}) ${this.effect()}`;
  }

  // --- recursion: the first parameter counts down ---

  private bottom(): string {
    return `(local.set ${ROUNDS} (i32.and (local.get $x0) (i32.const 7)))
    (if (i32.eqz (local.get ${ROUNDS})) (then (return ${this.values()})))`;
  }

  private again(): string {
    const { self, random: r } = this;
    const call = (by: number) => {
      const args = self.params.slice(1).map((t) => this.leaf(t));
      return `(call ${self.name} (i32.sub (local.get ${ROUNDS}) (i32.const ${by})) ${args.join(' ')})`;
    };
    const [type] = self.results;
    if (self.results.length !== 1) return call(1);
    const operator = type === 'i32' || type === 'i64' ? r.pick(['add', 'sub', 'xor']) : 'add';
    const second = r.chance(0.3)
      ? `(if (result ${type}) (i32.gt_s (local.get ${ROUNDS}) (i32.const 1)) (then ${call(2)}) (else ${this.leaf(type)}))`
      : this.leaf(type);
    return `(${type}.${operator} ${call(1)} ${second})`;
  }
}

/** A function that calls some of them in turn in a loop, and shows what comes back. */
export function driver(random: Random, small: readonly Signature[], header: string): string {
  const counter = () => `(i32.add (local.get $i) (i32.const ${random.below(8) - 1}))`;
  const argument = (type: NumType) => {
    const value = random.chance(0.3) ? `(i32.const ${random.below(16)})` : counter();
    if (type === 'i32') return value;
    return type === 'i64' ? `(i64.extend_i32_s ${value})` : `(${type}.convert_i32_s ${value})`;
  };
  const calls = Array.from({ length: 1 + random.below(2) }, () => random.pick(small)).map((callee) => {
    const [type] = callee.results;
    const call = `(call ${callee.name} ${callee.params.map(argument).join(' ')})`;
    if (callee.results.length !== 1 || type.startsWith('f'))
      return `${call} ${callee.results.map(() => '(drop)').join(' ')}`;
    const value = type === 'i64' ? call : `(i64.extend_i32_s ${call})`;
    return `(global.set $shown (i64.add (i64.rotl (global.get $shown) (i64.const 7)) ${value}))`;
  });
  const next = '(local.tee $i (i32.add (local.get $i) (i32.const 1)))';
  return `(func ${header} (local $i i32)
    (loop $l ${calls.join(' ')} (br_if $l (i32.lt_s ${next} (i32.const ${2 + random.below(12)})))))`;
}
