// Reads the text form of print.ts. A test's input, so errors are plain exceptions with the line's number. Values may
// be used before the line that defines them; numbers of blocks and values are kept.

import { Block, Func, Inst, type Op, type Rmw, type Sig, type TrapName, type Type } from './ir.ts';
import { hasId } from './print.ts';

export function parseFunc(text: string): Func {
  return new Parser(text).func();
}

const TOKEN = /"(?:[^"\\]|\\.)*"|\w+=\([^)]*\)->\([^)]*\)|b\d+\([^)]*\)|[^\s"]+/g;

class Parser {
  private readonly lines: string[];
  private line = 0;
  private f!: Func;
  private readonly values = new Map<number, Inst>();
  private readonly blocks = new Map<number, Block>();
  private readonly unnumbered: Inst[] = [];

  constructor(text: string) {
    this.lines = text.split('\n');
  }

  func(): Func {
    let block: Block | undefined;
    for (; this.line < this.lines.length; this.line++) {
      const text = this.lines[this.line].trim();
      if (text === '' || text.startsWith('//')) continue;
      if (text.startsWith('func ')) this.header(text);
      else if (/^b\d+ .*:$/.test(text)) block = this.block(text);
      else if (block) block.insts.push(this.inst(text, block));
      else this.fail('an instruction outside a block');
    }
    if (!this.f) this.fail('no function');
    for (const [id, b] of this.blocks) if (!this.f.blocks.includes(b)) this.fail(`b${id} is not defined`);
    for (const [id, v] of this.values) if (!v.block) this.fail(`v${id} is not defined`);
    for (const v of this.unnumbered) v.id = this.f.nextValue++;
    return this.f;
  }

  private fail(message: string): never {
    throw new Error(`line ${this.line + 1}: ${message}`);
  }

  private header(text: string): void {
    const m = text.match(
      /^func ("(?:[^"\\]|\\.)*") index=(-?\d+) \((.*?)\) -> \((.*?)\)(?: slots=\((.*?)\))?$/,
    );
    if (!m) this.fail('expected: func "name" index=N (types) -> (types) slots=(types)');
    this.f = new Func(JSON.parse(m[1]), Number(m[2]), { params: typeList(m[3]), results: typeList(m[4]) });
    this.f.slots = typeList(m[5] ?? '');
  }

  private block(text: string): Block {
    const m = text.match(/^b(\d+) depth=(\d+) \((.*)\):$/);
    if (!m) this.fail('expected: bN depth=D (vN: type, …):');
    const block = this.blockNumbered(Number(m[1]));
    block.loopDepth = Number(m[2]);
    for (const p of m[3].matchAll(/v(\d+)(?: ("(?:[^"\\]|\\.)*"))?: (\w+)/g)) {
      const param = this.define(Number(p[1]), 'param', p[3] as Type, p[2]);
      param.block = block;
      param.index = block.params.length;
      block.params.push(param);
    }
    this.f.blocks.push(block);
    return block;
  }

  private inst(text: string, block: Block): Inst {
    const tokens = text.match(TOKEN)!;
    let id = -1;
    let name: string | undefined;
    if (/^v\d+$/.test(tokens[0])) {
      id = Number(tokens.shift()!.slice(1));
      if (tokens[0].startsWith('"')) name = tokens.shift();
      if (tokens.shift() !== '=') this.fail('expected =');
    }
    const [op, type] = tokens.shift()!.split('.') as [Op, Type | undefined];
    const inst = id >= 0 ? this.define(id, op, type ?? 'none', name) : new Inst(-1, op, type ?? 'none', []);
    if (id < 0) this.unnumbered.push(inst);
    inst.block = block;
    for (const t of tokens) this.token(inst, t);
    if (hasId(inst) !== id >= 0) this.fail('a result without a name, or a name without a result');
    return inst;
  }

  private token(inst: Inst, t: string): void {
    const edge = t.match(/^b(\d+)\((.*)\)$/);
    if (edge) {
      const args = [...edge[2].matchAll(/v(\d+)/g)].map((m) => this.valueNumbered(Number(m[1])));
      inst.targets.push({ block: this.blockNumbered(Number(edge[1])), args });
    } else if (/^v\d+$/.test(t)) inst.args.push(this.valueNumbered(Number(t.slice(1))));
    else if (t.startsWith('@')) inst.loc = Number(t.slice(1));
    else if (t === 'signed') inst.signed = true;
    else if (t === 'immutable') inst.mutable = false;
    else if (t.includes('=')) this.attribute(inst, t);
    else inst.imm = inst.type === 'i64' || inst.type === 'f64' ? BigInt(t) : Number(t);
  }

  private attribute(inst: Inst, t: string): void {
    const [key] = t.split('=', 1);
    const value = t.slice(key.length + 1);
    if (key === 'offset' || key === 'width' || key === 'index') inst[key] = Number(value);
    else if (key === 'trap') inst.trap = value as TrapName;
    else if (key === 'sym' || key === 'intrinsic') inst[key] = value;
    else if (key === 'rmw') inst.rmw = value as Rmw;
    else if (key === 'sig') inst.sig = parseSig(value);
    else this.fail(`unknown attribute ${key}`);
  }

  private define(id: number, op: Op, type: Type, name: string | undefined): Inst {
    const inst = this.valueNumbered(id);
    if (inst.op !== PENDING) this.fail(`v${id} is defined twice`);
    inst.op = op;
    inst.type = type;
    if (name !== undefined) this.f.valueNames.set(inst, JSON.parse(name));
    return inst;
  }

  private valueNumbered(id: number): Inst {
    let inst = this.values.get(id);
    if (!inst) {
      inst = new Inst(id, PENDING, 'none', []);
      this.values.set(id, inst);
      this.f.nextValue = Math.max(this.f.nextValue, id + 1);
    }
    return inst;
  }

  private blockNumbered(id: number): Block {
    let block = this.blocks.get(id);
    if (!block) {
      block = new Block(id);
      this.blocks.set(id, block);
      this.f.nextBlock = Math.max(this.f.nextBlock, id + 1);
    }
    return block;
  }
}

/** The operation of a value that has been used but not defined yet. */
const PENDING = '' as Op;

function typeList(text: string): Type[] {
  return text
    .split(',')
    .map((t) => t.trim())
    .filter((t) => t !== '') as Type[];
}

function parseSig(text: string): Sig {
  const m = text.match(/^\((.*)\)->\((.*)\)$/)!;
  return { params: typeList(m[1]), results: typeList(m[2]) };
}
