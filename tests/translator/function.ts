// Writes the body of one function of a random program: statements and expressions of bounded size, valid by
// construction. program.ts puts them together.

import { OPERATORS, type Operator } from './operators.ts';
import type { NumType, Random } from './values.ts';
import {
  access,
  type Bytes,
  constant,
  END,
  get,
  i32,
  type ModuleBuilder,
  op,
  refNull,
  set,
  tee,
  type ValType,
} from './wasm.ts';

export const NUMBERS: NumType[] = ['i32', 'i64', 'f32', 'f64'];
export const REFERENCES = ['funcref', 'externref'] as const;
export const TABLE_SLOTS = 8;
/** Programs use the second of two pages: a Linux process cannot map the first one at address 0 (fixed.test.ts). */
export const MEMORY_BASE = 0x10000;
const NAN = { f32: 0x7fc00000n, f64: 0x7ff8000000000000n };
const STATEMENT_DEPTH_MAX = 5;
const EXPRESSION_DEPTH_MAX = 7;

const BY_RESULT = Object.fromEntries(
  NUMBERS.map((t) => [t, OPERATORS.filter((o) => o.result === t)]),
) as Record<NumType, Operator[]>;
const RMW = ['add', 'sub', 'and', 'or', 'xor', 'xchg'];

export const isFloat = (type: ValType): type is 'f32' | 'f64' => type === 'f32' || type === 'f64';
const isNumber = (type: ValType): type is NumType => !type.endsWith('ref');

/** What all programs of a module share. */
export interface Shared {
  module: ModuleBuilder;
  fuel: number;
  /** Two mutable globals of each type. */
  globals: Record<NumType, number[]>;
  /** Table slots handed out, 8 a program. */
  slots: number[];
}

/** The value, or the one canonical NaN if it is any; `local` is a spare one of the type. */
export function canonical(type: 'f32' | 'f64', value: Bytes, local: number): Bytes {
  const self = [...get(local), ...get(local), ...op(`${type}.eq`)];
  return [...value, ...tee(local), ...constant(type, NAN[type]), ...self, ...op('select')];
}

export interface Callee {
  index: number;
  params: ValType[];
  results: ValType[];
}

export class FunctionWriter {
  readonly locals: ValType[] = [];
  private readonly shared: Shared;
  private readonly random: Random;
  private readonly callees: Callee[];
  private readonly slot: number;
  private readonly params: ValType[];
  private readonly results: ValType[];
  /** What a branch to each enclosing label takes, the innermost last; undefined: it must not be a target. */
  private readonly labels: (ValType[] | undefined)[] = [];
  private budget: number;
  private readonly spare: Record<'f32' | 'f64', number>;
  /** Locals that statements may write: not the loops' counters. */
  private readonly writable: number[];

  constructor(shared: Shared, random: Random, callees: Callee[], slot: number, self: Callee) {
    this.shared = shared;
    this.random = random;
    this.callees = callees;
    this.slot = slot;
    this.params = self.params;
    this.results = self.results;
    this.budget = random.chance(0.1) ? 400 : 20 + random.below(120);
    const count = random.chance(0.15) ? 40 : random.below(10);
    for (let i = 0; i < count; i++) this.addLocal(this.anyType());
    this.writable = Array.from({ length: this.params.length + count }, (_, i) => i);
    this.spare = { f32: this.addLocal('f32'), f64: this.addLocal('f64') };
  }

  addLocal(type: ValType): number {
    return this.params.length + this.locals.push(type) - 1;
  }

  body(): Bytes {
    this.labels.push(this.results);
    const stop = [...this.burn(), ...this.fuelLeft(), ...op('i32.eqz'), ...op('if'), 0x40];
    const leave = [...this.results.flatMap((t) => this.leaf(t)), ...op('br', 1), ...END];
    return [...stop, ...leave, ...this.statements(0), ...this.ending()];
  }

  private anyType(): ValType {
    return this.random.chance(0.06) ? this.random.pick(REFERENCES) : this.random.pick(NUMBERS);
  }

  private typeOf(local: number): ValType {
    return local < this.params.length ? this.params[local] : this.locals[local - this.params.length];
  }

  private burn(): Bytes {
    const { fuel } = this.shared;
    return [...op('global.get', fuel), ...i32(1), ...op('i32.sub'), ...op('global.set', fuel)];
  }

  private fuelLeft(): Bytes {
    return [...op('global.get', this.shared.fuel), ...i32(0), ...op('i32.gt_s')];
  }

  /** The results, or a tail call that returns them. */
  private ending(): Bytes {
    const fitting = this.callees.filter((c) => c.results.join() === this.results.join());
    if (fitting.length === 0 || this.random.chance(0.7)) return this.values(this.results, 0);
    return this.call(this.random.pick(fitting), 0, 'return_');
  }

  private values(types: ValType[], depth: number): Bytes {
    return types.flatMap((t) => this.expression(t, depth));
  }

  private statements(depth: number): Bytes {
    const bytes: Bytes = [];
    const count = 1 + this.random.below(depth === 0 ? 12 : 5);
    for (let i = 0; i < count && --this.budget > 0; i++) bytes.push(...this.statement(depth));
    return bytes;
  }

  private statement(depth: number): Bytes {
    const plain = [
      this.assign,
      this.assign,
      this.store,
      this.setGlobal,
      this.callStatement,
      this.bulk,
      this.drops,
    ];
    const nested = [this.ifStatement, this.block, this.loop, this.branchIf, this.branchTable, this.leave];
    return this.random.pick(depth < STATEMENT_DEPTH_MAX ? [...plain, ...nested] : plain).call(this, depth);
  }

  private assign(depth: number): Bytes {
    if (this.writable.length === 0) return [];
    const local = this.random.pick(this.writable);
    return [...this.expression(this.typeOf(local), depth), ...set(local)];
  }

  private drops(depth: number): Bytes {
    return [...this.expression(this.anyType(), depth), ...op('drop')];
  }

  private setGlobal(depth: number): Bytes {
    const type = this.random.pick(NUMBERS);
    return [
      ...this.expression(type, depth),
      ...op('global.set', this.random.pick(this.shared.globals[type])),
    ];
  }

  /** An address and an offset in the second page, in bounds with few exceptions. */
  private place(depth: number, align = 1): { address: Bytes; offset: number } {
    const r = this.random;
    const value = this.expression('i32', depth + 1);
    const inPage = [...i32(MEMORY_BASE), ...op('i32.or')];
    const small = (r.chance(0.9) ? r.below(64) : r.chance(0.3) ? r.below(70000) : 0) & -align;
    if (r.chance(0.01)) return { address: [...value, ...inPage], offset: small };
    const masked = [...value, ...i32((r.chance(0.5) ? 0xff : 0xffff) & -align), ...op('i32.and')];
    if (r.chance(0.5)) return { address: masked, offset: MEMORY_BASE + small };
    return { address: [...masked, ...inPage], offset: small };
  }

  /** In bounds whatever the size: in the fixed memory model only mapping bounds the bulk operators. */
  private pointer(depth: number): Bytes {
    const low = [...this.expression('i32', depth + 1), ...i32(0x7fff), ...op('i32.and')];
    return [...low, ...i32(MEMORY_BASE), ...op('i32.or')];
  }

  private store(depth: number): Bytes {
    const type = this.random.pick(NUMBERS);
    const widths = type === 'i32' ? ['', '8', '16'] : type === 'i64' ? ['', '8', '16', '32'] : [''];
    const name = `${type}.store${this.random.pick(widths)}`;
    const { address, offset } = this.place(depth);
    return [...address, ...this.shown(type, depth + 1), ...access(name, offset)];
  }

  /** An expression whose bits are seen. */
  private shown(type: NumType, depth: number): Bytes {
    const value = this.expression(type, depth);
    return isFloat(type) ? canonical(type, value, this.spare[type]) : value;
  }

  private bulk(depth: number): Bytes {
    const size = [...this.expression('i32', depth + 2), ...i32(0x7f), ...op('i32.and')];
    const to = this.pointer(depth);
    if (this.random.chance(0.5))
      return [...to, ...this.expression('i32', depth + 1), ...size, ...op('memory.fill', 0)];
    return [...to, ...this.pointer(depth), ...size, ...op('memory.copy', 0, 0)];
  }

  private callStatement(depth: number): Bytes {
    const callee = this.random.pick(this.callees);
    return [...this.call(callee, depth), ...this.consume(callee.results)];
  }

  private call(callee: Callee, depth: number, tail = ''): Bytes {
    const r = this.random;
    const args = this.values(callee.params, depth + 2);
    if (r.chance(0.6)) return [...args, ...op(`${tail}call`, callee.index)];
    const own = Array.from({ length: TABLE_SLOTS }, (_, i) => this.slot + i);
    const right = own.filter((s) => this.shared.slots[s] === callee.index);
    const slot = right.length > 0 && r.chance(0.95) ? r.pick(right) : this.slot + r.below(TABLE_SLOTS);
    const type = this.shared.module.type(callee.params, callee.results);
    return [...args, ...i32(slot), ...op(`${tail}call_indirect`, type, 0)];
  }

  private nest(opener: Bytes, label: ValType[] | undefined, inside: () => Bytes): Bytes {
    this.labels.push(label);
    const bytes = [...opener, ...inside(), ...END];
    this.labels.pop();
    return bytes;
  }

  private blockResults(): ValType[] {
    return Array.from({ length: this.random.chance(0.5) ? 0 : this.random.below(4) }, () => this.anyType());
  }

  /** Takes values off the stack, into locals where some fit. */
  private consume(types: ValType[]): Bytes {
    return types.toReversed().flatMap((t) => {
      const fitting = this.writable.filter((l) => this.typeOf(l) === t);
      return fitting.length > 0 && this.random.chance(0.8) ? set(this.random.pick(fitting)) : op('drop');
    });
  }

  private block(depth: number): Bytes {
    const types = this.blockResults();
    const opener = [...op('block'), ...this.shared.module.blockType([], types)];
    const inside = () => [...this.statements(depth + 1), ...this.values(types, depth + 1)];
    return [...this.nest(opener, types, inside), ...this.consume(types)];
  }

  private ifStatement(depth: number): Bytes {
    const types = this.blockResults();
    const opener = [
      ...this.expression('i32', depth + 1),
      ...op('if'),
      ...this.shared.module.blockType([], types),
    ];
    const arm = () => [...this.statements(depth + 1), ...this.values(types, depth + 1)];
    if (types.length === 0 && this.random.chance(0.4)) return this.nest(opener, [], arm);
    return [...this.nest(opener, types, () => [...arm(), ...op('else'), ...arm()]), ...this.consume(types)];
  }

  /** A few rounds while there is fuel. Nothing inside may start a round, or fuel would not bound the loop. */
  private loop(depth: number): Bytes {
    const types = this.blockResults();
    const counter = this.addLocal('i32');
    const count = [
      ...get(counter),
      ...i32(1),
      ...op('i32.sub'),
      ...tee(counter),
      ...i32(0),
      ...op('i32.gt_s'),
    ];
    const start = [...i32(1 + this.random.below(8)), ...set(counter), ...this.values(types, depth + 1)];
    const loop = this.nest([...op('loop'), ...this.shared.module.blockType(types, types)], undefined, () => [
      ...[
        ...this.consume(types),
        ...this.burn(),
        ...this.statements(depth + 1),
        ...this.values(types, depth + 1),
      ],
      ...[...count, ...this.fuelLeft(), ...op('i32.and'), ...op('br_if', 0)],
    ]);
    return [...start, ...loop, ...this.consume(types)];
  }

  /** A label to branch to: its depth from here, and what it takes. */
  private target(types?: ValType[]): { index: number; types: ValType[] } {
    const possible = this.labels.flatMap((label, at) => {
      if (label === undefined || (types && label.join() !== types.join())) return [];
      return [{ index: this.labels.length - 1 - at, types: label }];
    });
    return this.random.pick(possible);
  }

  private branchIf(depth: number): Bytes {
    const { index, types } = this.target();
    const taken = [
      ...this.values(types, depth + 1),
      ...this.expression('i32', depth + 1),
      ...op('br_if', index),
    ];
    return [...taken, ...this.consume(types)];
  }

  private branchTable(depth: number): Bytes {
    return this.unlikely(depth, () => {
      const { index, types } = this.target();
      const targets = Array.from({ length: this.random.below(6) }, () => this.target(types).index);
      const selector = this.expression('i32', depth + 1);
      const small = this.random.chance(0.8) ? [...i32(7), ...op('i32.and')] : [];
      const table = op('br_table', targets.length, ...targets, index);
      return [...this.values(types, depth + 1), ...selector, ...small, ...table];
    });
  }

  /** Return, branch, tail call or trap. */
  private leave(depth: number): Bytes {
    return this.unlikely(depth, () => {
      if (this.random.chance(0.1)) return op('unreachable');
      const { index, types } = this.target();
      if (this.random.chance(0.4)) return [...this.values(types, depth + 1), ...op('br', index)];
      const ending = this.ending();
      return [...ending, ...op('return')];
    });
  }

  /** Code that does not fall through, in a block that is left before it seven times out of eight or so. */
  private unlikely(depth: number, make: () => Bytes): Bytes {
    const mask = this.random.pick([1, 3, 7, 7]);
    const condition = [...this.expression('i32', depth + 1), ...i32(mask), ...op('i32.and')];
    return this.nest([...op('block'), 0x40], [], () => [
      ...condition,
      ...op('br_if', 0),
      ...make(),
      ...this.dead(),
    ]);
  }

  /** Dead code, whose operand stack is polymorphic (WebAssembly core 3.3.5). */
  private dead(): Bytes {
    if (this.random.chance(0.6)) return [];
    return this.random.pick([
      op('drop'),
      [...op('i32.add'), ...op('drop')],
      [...op('select'), ...op('drop')],
      [...op('f64.sqrt'), ...i32(1), ...op('drop'), ...op('f64.neg'), ...op('drop')],
      [...op('block'), 0x7f, ...i32(1), ...END, ...op('drop')],
      [...op('loop'), 0x40, ...op('br', 0), ...END],
      [...op('i32.eqz'), ...op('if'), 0x40, ...op('else'), ...op('unreachable'), ...END],
      [...op('unreachable'), ...access('i64.store')],
      [...op('br_table', 1, 0, 0)],
      [...op('return'), ...i32(1), ...op('br_if', 0)],
    ]);
  }

  /** Functions that `ref.func` may name: those in element segments (WebAssembly core 3.4.10). */
  private declared(): number[] {
    return this.shared.slots.slice(this.slot, this.slot + TABLE_SLOTS).filter((f) => f >= 0);
  }

  private leaf(type: ValType): Bytes {
    const r = this.random;
    const fitting = Array.from({ length: this.params.length + this.locals.length }, (_, l) => l).filter(
      (l) => this.typeOf(l) === type,
    );
    if (fitting.length > 0 && r.chance(0.7)) return get(r.pick(fitting));
    if (type === 'funcref' && r.chance(0.5)) return op('ref.func', r.pick(this.declared()));
    if (!isNumber(type)) return refNull(type);
    if (r.chance(0.2)) return op('global.get', r.pick(this.shared.globals[type]));
    return constant(type, r.bits(type));
  }

  private expression(type: ValType, depth: number): Bytes {
    const r = this.random;
    if (--this.budget <= 0 || depth >= EXPRESSION_DEPTH_MAX || r.chance(0.15)) return this.leaf(type);
    if (!isNumber(type)) return r.chance(0.3) ? this.select(type, depth) : this.leaf(type);
    const kinds = [
      this.operator,
      this.operator,
      this.operator,
      this.operator,
      this.load,
      this.select,
      this.tee,
    ];
    const rare = [this.ifExpression, this.blockExpression, this.callExpression, this.oddity];
    return r.pick(r.chance(0.8) ? kinds : rare).call(this, type, depth);
  }

  private operator(type: NumType, depth: number): Bytes {
    const r = this.random;
    const o = r.pick(BY_RESULT[type]);
    const left = o.name.includes('reinterpret_f')
      ? this.shown(o.params[0], depth + 1)
      : this.expression(o.params[0], depth + 1);
    if (o.params.length === 1) {
      const mayTrap = /\.trunc_f/.test(o.name) && !r.chance(0.1);
      return [...left, ...op(mayTrap ? o.name.replace('trunc_', 'trunc_sat_') : o.name)];
    }
    // A NaN's sign shows in copysign's result.
    const right = o.name.endsWith('copysign')
      ? this.shown(o.params[1], depth + 1)
      : this.expression(o.params[1], depth + 1);
    const nonzero =
      /div_|rem_/.test(o.name) && !r.chance(0.1) ? [...constant(type, 1n), ...op(`${type}.or`)] : [];
    return [...left, ...right, ...nonzero, ...op(o.name)];
  }

  private load(type: NumType, depth: number): Bytes {
    const widths =
      type === 'i32'
        ? ['', '8_s', '8_u', '16_s', '16_u']
        : ['', '8_s', '8_u', '16_s', '16_u', '32_s', '32_u'];
    const width = isFloat(type) ? '' : this.random.pick(widths);
    const { address, offset } = this.place(depth);
    return [...address, ...access(`${type}.load${width}`, offset)];
  }

  private select(type: ValType, depth: number): Bytes {
    const both = [...this.expression(type, depth + 1), ...this.expression(type, depth + 1)];
    const typed = !isNumber(type) || this.random.chance(0.2);
    const code = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, funcref: 0x70, externref: 0x6f }[type];
    return [
      ...both,
      ...this.expression('i32', depth + 1),
      ...(typed ? op('select_t', 1, code) : op('select')),
    ];
  }

  private tee(type: NumType, depth: number): Bytes {
    const fitting = this.writable.filter((l) => this.typeOf(l) === type);
    if (fitting.length === 0) return this.leaf(type);
    return [...this.expression(type, depth + 1), ...tee(this.random.pick(fitting))];
  }

  private ifExpression(type: NumType, depth: number): Bytes {
    const opener = [
      ...this.expression('i32', depth + 1),
      ...op('if'),
      ...this.shared.module.blockType([], [type]),
    ];
    const arm = () => this.expression(type, depth + 1);
    return this.nest(opener, [type], () => [...arm(), ...op('else'), ...arm()]);
  }

  private blockExpression(type: NumType, depth: number): Bytes {
    const opener = [...op('block'), ...this.shared.module.blockType([], [type])];
    return this.nest(opener, [type], () => [
      ...[...this.expression(type, depth + 1), ...this.expression('i32', depth + 1), ...op('br_if', 0)],
      ...[...op('drop'), ...this.expression(type, depth + 1)],
    ]);
  }

  private callExpression(type: NumType, depth: number): Bytes {
    const fitting = this.callees.filter((c) => c.results.length === 1 && c.results[0] === type);
    return fitting.length === 0 ? this.leaf(type) : this.call(this.random.pick(fitting), depth);
  }

  /** What only integers have: atomics, sizes, references that are null. */
  private oddity(type: NumType, depth: number): Bytes {
    const r = this.random;
    if (isFloat(type)) return this.leaf(type);
    if (type === 'i32' && r.chance(0.5)) {
      const ref = r.pick(REFERENCES);
      return r.pick([
        op('memory.size', 0),
        [...i32(0), ...op('memory.grow', 0)],
        op('table.size', 0),
        [...this.expression(ref, depth + 1), ...op('ref.is_null')],
        [...i32(this.slot + r.below(TABLE_SLOTS)), ...op('table.get', 0), ...op('ref.is_null')],
      ]);
    }
    const [width, log2] = r.pick<[string, number]>(
      type === 'i32'
        ? [
            ['8', 0],
            ['16', 1],
            ['', 2],
          ]
        : [
            ['8', 0],
            ['16', 1],
            ['32', 2],
            ['', 3],
          ],
    );
    return this.atomic(type, width, log2, depth);
  }

  private atomic(type: 'i32' | 'i64', width: string, log2: number, depth: number): Bytes {
    const r = this.random;
    const suffix = width === '' ? '' : '_u';
    const { address, offset } = this.place(depth, 8);
    const operand = () => (r.chance(0.2) ? constant(type, 1n) : this.expression(type, depth + 1));
    if (r.chance(0.2)) return [...address, ...access(`${type}.atomic.load${width}${suffix}`, offset, log2)];
    if (r.chance(0.2)) {
      const stored = [...address, ...operand(), ...access(`${type}.atomic.store${width}`, offset, log2)];
      return [...stored, ...this.leaf(type)];
    }
    const rmw = r.pick([...RMW, 'cmpxchg']);
    const operands = [...operand(), ...(rmw === 'cmpxchg' ? operand() : [])];
    return [...address, ...operands, ...access(`${type}.atomic.rmw${width}.${rmw}${suffix}`, offset, log2)];
  }
}
