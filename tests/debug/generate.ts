// Random programs in AssemblyScript whose variables keep changing, a statement a line. A second version of the same lines tells
// before each statement, and after an assignment, what its variables are.

import type { Random } from '../translator/values.ts';

export interface Program {
  /** What is debugged. */
  plain: string;
  /** The same with calls of the imports `line`, and `i32`, `i64` or `f64` for each variable, in the order of `names`. */
  telling: string;
  /** Of the variables in scope, by line. */
  names: Map<number, string[]>;
}

type Type = 'i32' | 'i64' | 'f64';

interface Variable {
  name: string;
  type: Type;
}

interface Callee {
  name: string;
  params: Variable[];
  result: Type;
}

const TYPES: readonly Type[] = ['i32', 'i32', 'i64', 'f64'];
const FUNCTIONS = 4;
const STATEMENTS = 14;
const DEPTH_MAX = 3;

export function generate(random: Random): Program {
  const writer = new Writer(random);
  for (let i = 0; i < FUNCTIONS; i++) writer.function(`f${i}`);
  writer.function('run');
  return { plain: writer.plain.join('\n'), telling: writer.telling.join('\n'), names: writer.names };
}

class Writer {
  readonly plain = [''];
  readonly telling = [
    `${TYPES.slice(1)
      .map((type) => `declare function ${type}_(value: ${type}): void;`)
      .join(' ')} declare function line_(number: i32): void;`,
  ];
  readonly names = new Map<number, string[]>();
  private readonly random: Random;
  private readonly callees: Callee[] = [];
  /** In scope; of several with one name the last one is meant. */
  private variables: Variable[] = [];
  private next = 0;
  private result: Type = 'i32';

  constructor(random: Random) {
    this.random = random;
  }

  function(name: string): void {
    const last = name === 'run';
    const params = last
      ? [this.variable('i32')]
      : Array.from({ length: 1 + this.random.below(4) }, () => this.variable());
    this.result = last ? 'i32' : this.random.pick(TYPES);
    this.variables = [...params];
    const list = params.map((p) => `${p.name}: ${p.type}`).join(', ');
    this.line(`${last ? 'export ' : ''}function ${name}(${list}): ${this.result} {`);
    this.block(STATEMENTS, 0);
    this.statement(`return ${this.expression(this.result, 2)};`);
    this.line('}');
    this.callees.push({ name, params, result: this.result });
  }

  private variable(type = this.random.pick(TYPES)): Variable {
    return { name: `v${this.next++}`, type };
  }

  private line(text: string): void {
    this.plain.push(text);
    this.telling.push(text);
  }

  private statement(text: string): void {
    const number = this.plain.length + 1;
    const meant = new Map(this.variables.map((v) => [v.name, v]));
    this.names.set(number, [...meant.keys()]);
    const told = [...meant.values()].map(({ name, type }) => `${type}_(${name});`).join(' ');
    this.plain.push(text);
    const state = `line_(${number}); ${told}`;
    // What is left of an assignment's line, as a jump behind it, comes after the assignment.
    this.telling.push(/^\w+ \+?= /.test(text) ? `${state} ${text} ${state}` : `${state} ${text}`);
  }

  private block(statements: number, depth: number): void {
    const outside = this.variables.length;
    for (let i = 0; i < statements; i++) this.anyStatement(depth);
    this.variables.length = outside;
  }

  private anyStatement(depth: number): void {
    const { random } = this;
    const kind = random.below(10);
    if (kind < 3) this.declare(random.chance(0.3) ? `t${random.below(2)}` : undefined);
    else if (kind < 7) this.assign();
    else if (kind === 7) {
      const width = random.pick(['u8', 'u16', 'i32']);
      this.statement(
        `store<${width}>(${16 + 4 * random.below(4)}, <${width}>(${this.expression('i32', 2)}));`,
      );
    } else if (depth < DEPTH_MAX) {
      if (kind === 8) this.choice(depth + 1);
      else this.loop(depth + 1);
    }
  }

  private declare(name: string | undefined): void {
    const type = this.random.pick(TYPES);
    const inBlock = this.variables.some((v) => v.name === name);
    const { name: fresh } = this.variable();
    const variable = { name: name === undefined || inBlock ? fresh : name, type };
    this.statement(`let ${variable.name}: ${type} = ${this.expression(type, 3)};`);
    this.variables.push(variable);
  }

  private assign(): void {
    const { name, type } = this.random.pick(this.variables);
    // A loop's counter is left alone.
    if (name.startsWith('n')) return;
    const meant = this.variables.findLast((v) => v.name === name)!;
    this.statement(`${name} = ${this.expression(meant.type ?? type, 3)};`);
  }

  private choice(depth: number): void {
    this.statement(`if (${this.expression('i32', 2)}) {`);
    this.block(3, depth);
    this.line('} else {');
    this.block(2, depth);
    this.line('}');
  }

  private loop(depth: number): void {
    const counter: Variable = { name: `n${this.next++}`, type: 'i32' };
    this.statement(`let ${counter.name}: i32 = 0;`);
    this.variables.push(counter);
    this.line('while (true) {');
    this.statement(`if (${counter.name} >= ${1 + this.random.below(4)}) break;`);
    this.block(3, depth);
    this.statement(`${counter.name} += 1;`);
    this.line('}');
  }

  private expression(type: Type, depth: number): string {
    const { random } = this;
    const known = this.variables.filter((v, i) => v.type === type && !this.isHidden(v, i));
    if (depth === 0 || random.chance(0.2)) {
      if (known.length > 0 && random.chance(0.8)) return random.pick(known).name;
      return type === 'f64' ? `${random.below(100)}.5` : `${random.below(1000)}`;
    }
    const callees = this.callees.filter((c) => c.result === type);
    if (depth === 3 && callees.length > 0 && random.chance(0.25)) {
      const { name, params } = random.pick(callees);
      return `${name}(${params.map((p) => this.expression(p.type, 1)).join(', ')})`;
    }
    const [a, b] = [this.expression(type, depth - 1), this.expression(type, depth - 1)];
    if (type === 'f64') {
      if (random.chance(0.2)) return `<f64>(${this.expression('i32', depth - 1)})`;
      return `(${a} ${random.pick(['+', '-', '*'])} ${b})`;
    }
    switch (random.below(8)) {
      case 0:
        return `<${type}>(${this.expression(type === 'i32' ? 'i64' : 'i32', depth - 1)})`;
      case 1:
        return `(${a} & ${random.pick([0xff, 0xffff, 1, 0x7fff_ffff])})`;
      case 2:
        return `<${type}>(${a} < ${b})`;
      case 3:
        return `(${a} ${random.pick(['/', '%'])} ${1 + random.below(20)})`;
      case 4:
        return type === 'i32'
          ? `load<${random.pick(['u8', 'i8', 'i32'])}>(${16 + 4 * random.below(4)})`
          : `(${a} >> 3)`;
      default:
        return `(${a} ${random.pick(['+', '-', '*', '^', '|'])} ${b})`;
    }
  }

  private isHidden({ name }: Variable, at: number): boolean {
    return this.variables.findLastIndex((v) => v.name === name) !== at;
  }
}
