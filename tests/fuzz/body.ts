// Writes one function of a random program as WebAssembly text. It is made of what the translator's passes look for:
// counted loops that walk memory, accesses that alias or lie at memory's end, addresses that wrap, divisions by constants,
// masks and conversions, globals between calls, values that live long, interpreters, every kind of call.

import type { NumType, Random } from '../translator/values.ts';
import type { Signature, Surroundings } from './expressions.ts';
import { Patterns } from './patterns.ts';

const DEPTH_MAX = 3;
/** The product of the trip counts of nested loops. */
const TRIPS_MAX = 400;
const POINTERS = 3;
const TYPES: NumType[] = ['i32', 'i64', 'f32', 'f64'];

export class Body extends Patterns {
  private trips = 1;
  private labels: string[] = [];
  private labelCount = 0;

  constructor(random: Random, self: Signature, callees: readonly Signature[], surroundings: Surroundings) {
    super(random, self, callees, surroundings);
    const count = this.large || random.chance(0.1) ? 24 : 1 + random.below(5);
    for (let i = 0; i < count; i++) this.addLocal(random.pick(TYPES));
    for (let i = 0; i < POINTERS; i++) this.pointers.push(this.addLocal('i32', false));
  }

  /** The function; `header` goes between its name and its type. */
  text(header: string): string {
    const { self } = this;
    const zeros = self.results.map((t) => `(${t}.const 0)`).join(' ');
    const stop = `(if (i32.le_s (global.get $fuel) (i32.const 0)) (then (return ${zeros})))
    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))`;
    const pointers = this.pointers.map((p) => `(local.set ${p} ${this.masked(1)})`);
    const statements = [
      stop,
      ...pointers,
      ...this.statements(0, (this.large ? 8 : 2) + this.random.below(6)),
      this.ending(),
    ];
    const locals = this.locals.map(({ name, type }) => `(local ${name} ${type})`).join(' ');
    const params = self.params.map((t, i) => `(param $x${i} ${t})`).join(' ');
    const results = self.results.length > 0 ? `(result ${self.results.join(' ')})` : '';
    return `(func ${self.name} ${header} ${params} ${results} ${locals}\n    ${statements.join('\n    ')})`;
  }

  private ending(): string {
    const r = this.random;
    const { results } = this.self;
    const fitting = this.callees.filter((c) => c.results.join() === results.join());
    if (fitting.length > 0 && r.chance(0.15)) return this.call(r.pick(fitting), 1, 'return_');
    // Everything that was kept shows.
    if (results.join() === 'i64' && r.chance(0.6)) {
      const terms = this.readable('i64').map((l) => `(local.get ${l})`);
      const small = this.readable('i32').map((l) => `(i64.extend_i32_u (local.get ${l}))`);
      const sum = [...terms, ...small].reduce((a, b) => `(i64.add (i64.rotl ${a} (i64.const 7)) ${b})`);
      return sum;
    }
    return results.map((t) => this.expression(t, 0)).join(' ');
  }

  private statements(depth: number, count: number): string[] {
    return Array.from({ length: this.spent() ? 1 : count }, () => this.statement(depth));
  }

  private nested(depth: number): string {
    const first = this.random.chance(0.15) ? this.around() : '';
    return [first, ...this.statements(depth + 1, 1 + this.random.below(3))].join(' ');
  }

  private statement(depth: number): string {
    const plain = [this.assign, this.assign, this.assign, this.store, this.store, this.store, this.global];
    const rare = [this.pointer, this.callStatement, this.bulk, this.update, this.leave, this.atomic];
    const sought = [this.around, this.around, this.narrow, this.decided, this.joined, this.callStatement];
    if (this.base > 0) rare.push(this.device, this.device);
    const deep = [
      this.counted,
      this.counted,
      this.choose,
      this.choose,
      this.block,
      this.dispatch,
      this.states,
      this.carried,
    ];
    const list =
      depth < DEPTH_MAX + Number(this.large) && !this.spent()
        ? [...plain, ...plain, ...rare, ...sought, ...deep, ...deep]
        : [...plain, ...rare, ...sought];
    return this.random.pick(list).call(this, depth);
  }

  private assign(): string {
    const local = this.random.pick(this.locals.filter((l) => l.writable));
    return `(local.set ${local.name} ${this.expression(local.type, 0)})`;
  }

  private global(): string {
    const type = this.random.pick(TYPES);
    return `(global.set $${type}_${this.random.below(2)} ${this.expression(type, 0)})`;
  }

  private pointer(): string {
    const p = this.random.pick(this.pointers);
    if (this.random.chance(0.5)) return `(local.set ${p} ${this.masked(1)})`;
    return `(local.set ${p} (i32.add (local.get ${p}) (i32.const ${this.random.pick([1, 4, 8, -4])})))`;
  }

  protected store(): string {
    const r = this.random;
    const type = r.pick(TYPES);
    const widths = { i32: ['', '', '8', '16'], i64: ['', '', '8', '16', '32'], f32: [''], f64: [''] }[type];
    return `(${type}.store${r.pick(widths)} ${this.place(0)} ${this.shown(type, 0)})`;
  }

  /** Load, operate, store at one address. */
  private update(): string {
    const r = this.random;
    const type = r.pick(['i32', 'i64'] as const);
    const offset = this.offset(r.below(16));
    const at = `(local.get ${r.pick(this.pointers)})`;
    const operator = r.pick(['add', 'sub', 'and', 'or', 'xor', 'shl', 'mul']);
    const value = `(${type}.${operator} (${type}.load ${offset} ${at}) ${this.expression(type, 1)})`;
    return `(${type}.store ${offset} ${at} ${value})`;
  }

  private atomic(): string {
    const r = this.random;
    if (r.chance(0.2)) return '(atomic.fence)';
    const type = r.pick(['i32', 'i64'] as const);
    const at = `${this.offset(r.below(8) * 8)} (i32.and ${this.expression('i32', 2)} (i32.const 0x3f8))`;
    const operator = r.pick(['add', 'sub', 'and', 'or', 'xor', 'xchg']);
    if (r.chance(0.3)) return `(${type}.atomic.store ${at} ${this.expression(type, 2)})`;
    const rmw = `(${type}.atomic.rmw.${operator} ${at} ${this.expression(type, 2)})`;
    const local = this.writableOf(type);
    return local && r.chance(0.7) ? `(local.set ${local} ${rmw})` : `(drop ${rmw})`;
  }

  private bulk(): string {
    const r = this.random;
    const size = r.chance(0.6) ? `(i32.const ${r.below(r.chance(0.2) ? 300 : 40)})` : this.small(63);
    if (r.chance(0.06)) return `(drop (memory.grow (i32.const ${r.below(2)})))`;
    // In the fixed model the fault would come in the middle of a copy, in code that has no entry in the trap table.
    const within = () =>
      `(i32.add (i32.and ${this.expression('i32', 2)} (i32.const 0x7ff8)) (i32.const ${this.base}))`;
    const place = () => (this.base > 0 ? within() : this.address(1));
    if (r.chance(0.5)) return `(memory.fill ${place()} ${this.expression('i32', 2)} ${size})`;
    return `(memory.copy ${place()} ${place()} ${size})`;
  }

  /** Return, branch or trap, now and then. */
  private leave(): string {
    const r = this.random;
    const condition = `(i32.eq ${this.small(r.pick([3, 15]))} (i32.const 3))`;
    if (this.labels.length > 0 && r.chance(0.6)) return `(br_if ${r.pick(this.labels)} ${condition})`;
    if (r.chance(0.15)) return `(if ${condition} (then (unreachable)))`;
    const values = this.self.results.map((t) => this.expression(t, 3)).join(' ');
    return `(if ${condition} (then (return ${values})))`;
  }

  private choose(depth: number): string {
    const otherwise = this.random.chance(0.6) ? `(else ${this.nested(depth)})` : '';
    return `(if ${this.condition(1)} (then ${this.nested(depth)}) ${otherwise})`;
  }

  private label(): string {
    return `$l${this.labelCount++}`;
  }

  private block(depth: number): string {
    const label = this.label();
    this.labels.push(label);
    const inside = `${this.nested(depth)} (br_if ${label} ${this.condition(1)}) ${this.nested(depth)}`;
    this.labels.pop();
    return `(block ${label} ${inside})`;
  }

  /** What counts, from where to where, by how much; the counter is for addresses inside. */
  private counted(depth: number): string {
    const r = this.random;
    const room = Math.floor(TRIPS_MAX / this.trips);
    const trips = 1 + r.below(Math.min(room, r.chance(0.1) ? TRIPS_MAX : 20));
    if (room < 2) return this.assign();
    const type = r.chance(0.85) ? 'i32' : 'i64';
    const counter = this.addLocal(type, false);
    const step = r.pick([1, 1, 1, 2, 4, 8, 16, 3]);
    const start = r.chance(0.6) ? 0 : r.below(64);
    const label = this.label();
    if (type === 'i32') this.counters.push(counter);
    this.trips *= trips;
    const inside = this.nested(depth);
    this.trips /= trips;
    if (type === 'i32') this.counters.pop();
    const n = `(local.get ${counter})`;
    const set = (value: number) => `(local.set ${counter} (${type}.const ${value}))`;
    const add = (by: number) => `(${type}.add ${n} (${type}.const ${by}))`;
    const last = start + trips * step;
    switch (r.below(4)) {
      case 0:
        return `${set(start)} (loop ${label} ${inside} (br_if ${label} (${type}.lt_u (local.tee ${counter} ${add(step)}) (${type}.const ${last}))))`;
      case 1:
        return `${set(trips * step)} (loop ${label} ${inside} (local.set ${counter} ${add(-step)}) (br_if ${label} (${type}.ne ${n} (${type}.const 0))))`;
      case 2: {
        const limit = this.addLocal(type, false);
        const bound = `(${type}.and ${this.expression(type, 2)} (${type}.const ${trips}))`;
        const out = this.label();
        return `${set(0)} (local.set ${limit} ${bound}) (block ${out} (loop ${label} (br_if ${out} (${type}.ge_s ${n} (local.get ${limit}))) ${inside} (local.set ${counter} ${add(1)}) (br ${label})))`;
      }
      default:
        return `${set(last)} (loop ${label} (local.set ${counter} ${add(-step)}) ${inside} (br_if ${label} (${type}.gt_s ${n} (${type}.const ${start}))))`;
    }
  }

  /** A loop whose variables are on the operand stack. */
  private carried(depth: number): string {
    const r = this.random;
    const trips = 2 + r.below(6);
    if (this.trips * trips > TRIPS_MAX) return this.assign();
    const types = Array.from({ length: 1 + r.below(3) }, () => r.pick(TYPES));
    const counter = this.addLocal('i32', false);
    const label = this.label();
    const signature = `(param ${types.join(' ')}) (result ${types.join(' ')})`;
    const take = types.toReversed().map((t) => `(local.set ${this.writableOf(t) ?? this.addLocal(t)})`);
    const start = types.map((t) => this.expression(t, 2)).join(' ');
    this.trips *= trips;
    const inside = this.nested(depth);
    this.trips /= trips;
    const next = types.map((t) => this.expression(t, 2)).join(' ');
    const again = `(local.tee ${counter} (i32.sub (local.get ${counter}) (i32.const 1)))`;
    const back = `${next} (br_if ${label} ${again})`;
    const count = `(local.set ${counter} (i32.const ${trips}))`;
    return `${count} ${start} (loop ${label} ${signature} ${take.join(' ')} ${inside} ${back}) ${take.join(' ')}`;
  }

  /** An interpreter of a few bytes of memory, or a switch. */
  private dispatch(depth: number): string {
    const r = this.random;
    const cases = 2 + r.below(4);
    const trips = 8;
    const loops = this.trips * trips <= TRIPS_MAX && r.chance(0.5);
    const out = this.label();
    const labels = Array.from({ length: cases }, () => this.label());
    const counter = loops ? this.addLocal('i32', false) : '';
    const code = `(i32.load8_u ${this.offset(0)} (i32.add (local.get ${r.pick(this.pointers)}) (local.get ${counter})))`;
    const selector = loops ? `(i32.and ${code} (i32.const 7))` : this.small(7);
    this.trips *= loops ? trips : 1;
    const targets = Array.from({ length: cases + r.below(4) }, () => r.pick(labels));
    let text = `(br_table ${targets.join(' ')} ${out} ${selector})`;
    for (const label of labels) {
      const end = r.chance(0.8) ? `(br ${out})` : '';
      text = `(block ${label} ${text}) ${this.nested(depth)} ${end}`;
    }
    this.trips /= loops ? trips : 1;
    if (!loops) return `(block ${out} ${text})`;
    const label = this.label();
    const again = `(br_if ${label} (i32.lt_s (local.tee ${counter} (i32.add (local.get ${counter}) (i32.const 1))) (i32.const ${trips})))`;
    return `(local.set ${counter} (i32.const 0)) (loop ${label} (block ${out} ${text}) ${again})`;
  }

  /** A state machine with a jump table: each state ends in the number of the next, a constant mostly. */
  private states(depth: number): string {
    const r = this.random;
    const trips = 8;
    if (this.trips * trips > TRIPS_MAX) return this.dispatch(depth);
    const [state, counter] = [this.addLocal('i32', false), this.addLocal('i32', false)];
    const [again, out] = [this.label(), this.label()];
    const labels = Array.from({ length: 4 + r.below(3) }, () => this.label());
    const targets = Array.from({ length: 9 + r.below(4) }, () => r.pick(labels));
    this.trips *= trips;
    const one = `(br_if ${out} (i32.eq (local.get ${state}) (i32.const ${r.below(targets.length)})))`;
    const round = `(local.tee ${counter} (i32.add (local.get ${counter}) (i32.const 1)))`;
    const test = `${r.chance(0.3) ? one : ''} (br_if ${out} (i32.gt_u ${round} (i32.const ${trips})))`;
    let text = `${test} (br_table ${targets.join(' ')} ${out} (local.get ${state}))`;
    for (const label of labels) {
      const next = r.chance(0.8) ? `(i32.const ${r.below(targets.length + 1)})` : this.small(15);
      const work = r.chance(0.3) ? this.nested(depth) : this.store();
      text = `(block ${label} ${text}) ${work} (local.set ${state} ${next}) (br ${again})`;
    }
    this.trips /= trips;
    const start = `(local.set ${counter} (i32.const 0)) (local.set ${state} ${this.small(15)})`;
    return `${start} (block ${out} (loop ${again} ${text}))`;
  }
}
