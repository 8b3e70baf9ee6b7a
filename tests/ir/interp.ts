// Runs IR, so that the builder and the passes can be compared with Node's WebAssembly without a back end. An instance
// has two pieces of memory: `native` for what docs/abi.md §3 describes (context, tables, read-only data), at low
// addresses, and linear memory at MEMORY_BASE.

import { buildFunction } from '../../build/ir/build.ts';
import { dataSymbol } from '../../build/ir/build-memory.ts';
import type { ModuleEnv } from '../../build/ir/emitter.ts';
import { evaluate, fromFloat, toFloat, type Value } from '../../build/ir/evaluate.ts';
import { buildInit } from '../../build/ir/init.ts';
import {
  type Block,
  bytesOf,
  type Edge,
  type Func,
  type Inst,
  type TrapName,
  type Type,
} from '../../build/ir/ir.ts';
import { FIXED_FIELDS, FUNC_FIELDS, layOutContext, TABLE_FIELDS } from '../../build/object/layout.ts';
import type { ValType, WasmModule } from '../../build/wasm/module.ts';

const MEMORY_BASE = 2 ** 40;
const PAGE = 65536;
const TABLE_ELEMENTS_MAX = 4096;
const DEPTH_MAX = 200;

export class Trap extends Error {
  readonly kind: TrapName;
  constructor(kind: TrapName) {
    super(kind);
    this.kind = kind;
  }
}

/** The program ran for too long or too deep to be compared. */
export class GaveUp extends Error {}

export type HostFunction = (...args: Value[]) => Value[];

export class Interpreter {
  readonly module: WasmModule;
  readonly env: ModuleEnv;
  memory: DataView;
  private readonly native: DataView;
  private readonly context: number;
  private readonly symbols = new Map<string, number>();
  private readonly funcs = new Map<number, Func>();
  private readonly init: Func;
  private readonly imports: HostFunction[];
  private nativeUsed = 4096;
  private depth = 0;
  private steps: number;

  /** `transform` is applied to every function; `edgeArgumentsMax` is the builder's. */
  constructor(
    module: WasmModule,
    imports: HostFunction[],
    stepsMax: number,
    transform: (f: Func) => void = () => {},
    edgeArgumentsMax?: number,
  ) {
    this.module = module;
    this.imports = imports;
    this.steps = stepsMax;
    this.env = { module, layout: layOutContext(module), model: 'register', isIntrinsic: () => false };
    for (const f of module.funcs) {
      if (!f.body) continue;
      const func = buildFunction(this.env, f.index, edgeArgumentsMax);
      transform(func);
      this.funcs.set(f.index, func);
    }
    const { func, blobs } = buildInit(this.env, (index) => `code_${index}`);
    transform(func);
    this.init = func;
    const data =
      module.datas.reduce((n, d) => n + d.bytes.length, 0) + blobs.reduce((n, b) => n + b.bytes.length, 0);
    const size = this.env.layout.size + 8 * TABLE_ELEMENTS_MAX * module.tables.length + data + 65536;
    this.native = new DataView(new ArrayBuffer(size));
    this.context = this.place(this.env.layout.size) + this.env.layout.size;
    this.memory = new DataView(new ArrayBuffer((module.memories[0]?.min ?? 0) * PAGE));
    for (const b of blobs) this.placeSymbol(b.symbol, b.bytes);
    module.datas.forEach((d, i) => {
      this.placeSymbol(dataSymbol(i), d.bytes);
    });
    this.fillContext();
  }

  private place(bytes: number): number {
    const at = (this.nativeUsed + 15) & ~15;
    this.nativeUsed = at + bytes;
    return at;
  }

  private placeSymbol(name: string, bytes: Uint8Array): void {
    const at = this.place(bytes.length);
    new Uint8Array(this.native.buffer).set(bytes, at);
    this.symbols.set(name, at);
  }

  /** What the runtime does before the init function. */
  private fillContext(): void {
    const { layout, module } = this.env;
    const set = (at: number, value: number) => this.native.setBigUint64(at, BigInt(value), true);
    const memory = this.place(32);
    set(this.context + FIXED_FIELDS.memory, memory);
    set(memory + 8, this.memory.byteLength);
    module.globals.forEach((g, i) => {
      if (!g.import) return;
      const cell = this.place(8);
      set(this.context + layout.globals[i].offset, cell);
      write(this.native, cell, 8, importedGlobal(g.type));
    });
    module.tables.forEach((t, i) => {
      let at = this.context + layout.tables[i].offset;
      if (t.import) {
        const struct = this.place(TABLE_FIELDS.bytes);
        set(at, struct);
        at = struct;
      }
      set(at + TABLE_FIELDS.elems, this.place(8 * TABLE_ELEMENTS_MAX));
      set(at + TABLE_FIELDS.size, t.min);
      set(at + TABLE_FIELDS.max, t.max ?? 0xffffffff);
    });
    for (const f of module.funcs) {
      if (!f.import) continue;
      const at = this.context + layout.descriptors.get(f.index)!;
      this.native.setUint32(at + FUNC_FIELDS.type, module.canonicalTypes[f.typeIndex], true);
      this.native.setUint32(at + FUNC_FIELDS.index, f.index, true);
    }
  }

  instantiate(): void {
    this.run(this.init, []);
  }

  call(index: number, args: Value[]): Value[] {
    const func = this.funcs.get(index);
    if (func) return this.run(func, args);
    return this.imports[index](...args);
  }

  private run(first: Func, firstArgs: Value[]): Value[] {
    if (++this.depth > DEPTH_MAX) throw new GaveUp('call depth');
    let func = first;
    let args = firstArgs;
    for (;;) {
      const end = this.runOnce(func, args);
      const { inst, values } = end;
      if (inst.op === 'return') {
        this.depth--;
        return values;
      }
      // A tail call.
      const index = inst.op === 'tailcall' ? inst.index : this.funcOf(values[0]);
      const rest = inst.op === 'tailcall' ? values : values.slice(1);
      const next = this.funcs.get(index);
      if (!next) {
        this.depth--;
        return this.call(index, rest);
      }
      func = next;
      args = rest;
    }
  }

  /** Runs to a return or tail call; returns it with its arguments. */
  private runOnce(func: Func, args: Value[]): { inst: Inst; values: Value[] } {
    const v: Value[] = new Array(func.nextValue);
    const results = new Map<Inst, Value[]>();
    const slots: Value[] = [];
    let block: Block = func.blocks[0];
    block.params.forEach((p, i) => {
      v[p.id] = args[i];
    });
    for (;;) {
      let edge: Edge | undefined;
      for (const inst of block.insts) {
        if (--this.steps < 0) throw new GaveUp('steps');
        const a = inst.args.map((x) => v[x.id]);
        if (inst.op === 'return' || inst.op === 'tailcall' || inst.op === 'tailcallref')
          return { inst, values: a };
        if (inst.targets.length > 0) edge = inst.targets[branch(inst, a)];
        else if (inst.op === 'call' || inst.op === 'callref') {
          const direct = inst.op === 'call';
          const r = this.call(direct ? inst.index : this.funcOf(a[0]), direct ? a : a.slice(1));
          results.set(inst, r);
          if (inst.type !== 'none') v[inst.id] = r[0];
        } else if (inst.op === 'slotload') v[inst.id] = slots[inst.index];
        else if (inst.op === 'slotstore') slots[inst.index] = a[0];
        else if (inst.op === 'result') v[inst.id] = results.get(inst.args[0])![inst.index];
        else v[inst.id] = this.execute(inst, a)!;
      }
      const values = edge!.args.map((x) => v[x.id]);
      block = edge!.block;
      block.params.forEach((p, i) => {
        v[p.id] = values[i];
      });
    }
  }

  private funcOf(ref: Value): number {
    return this.native.getUint32(Number(ref) + FUNC_FIELDS.index, true);
  }

  private execute(inst: Inst, a: Value[]): Value | undefined {
    switch (inst.op) {
      case 'const':
        return inst.imm;
      case 'trap':
        throw new Trap(inst.trap!);
      case 'trapif':
        if (a[0] !== 0) throw new Trap(inst.trap!);
        return undefined;
      case 'fence':
        return undefined;
      case 'ctxaddr':
        return BigInt(this.context + inst.offset);
      case 'membase':
        return BigInt(MEMORY_BASE);
      case 'symaddr':
        return BigInt((this.symbols.get(inst.sym) ?? 0) + inst.offset);
      case 'memcopy':
        this.bytes(a[0], a[2]).set(this.bytes(a[1], a[2]));
        return undefined;
      case 'memfill':
        this.bytes(a[0], a[2]).fill(Number(a[1]) & 255);
        return undefined;
      case 'libcall':
        return this.libcall(inst.sym, a);
      default:
        return inst.width > 0 ? this.access(inst, a) : this.pure(inst, a);
    }
  }

  private pure(inst: Inst, a: Value[]): Value {
    const result = evaluate(inst, a);
    if (result !== undefined) return result;
    if (inst.op === 'truncs' || inst.op === 'truncu') {
      const x = toFloat(inst.args[0].type, a[0]);
      throw new Trap(Number.isNaN(x) ? 'invalidConversion' : 'integerOverflow');
    }
    if (/^(div|rem)[su]$/.test(inst.op)) throw new Trap(BigInt(a[1]) === 0n ? 'division' : 'integerOverflow');
    throw new Error(`cannot run ${inst.op}`);
  }

  /** A piece of native or linear memory, not copied. */
  private bytes(at: Value, count: Value): Uint8Array {
    const address = Number(at);
    const inLinear = address >= MEMORY_BASE;
    return new Uint8Array(
      inLinear ? this.memory.buffer : this.native.buffer,
      inLinear ? address - MEMORY_BASE : address,
      Number(count),
    );
  }

  private access(inst: Inst, a: Value[]): Value | undefined {
    const { op, width, offset } = inst;
    if (op === 'ctxload') return read(this.native, this.context + offset, inst);
    if (op === 'ctxstore') return write(this.native, this.context + offset, width, a[0]);
    if (op === 'nload' || op === 'nstore') {
      const at = Number(a[0]) + offset;
      if (at < 4096 && inst.trap) throw new Trap(inst.trap);
      if (op === 'nload') return read(this.native, at, inst);
      return write(this.native, at, width, a[1]);
    }
    const at = ((a[0] as number) >>> 0) + offset;
    if (at + width > this.memory.byteLength) throw new Trap('memory');
    if (op === 'load' || op === 'aload') return read(this.memory, at, inst);
    if (op === 'store' || op === 'astore') return write(this.memory, at, width, a[1]);
    const old = read(this.memory, at, inst);
    const exchange = op === 'acmpxchg' ? BigInt.asUintN(8 * width, BigInt(old) ^ BigInt(a[1])) === 0n : true;
    if (exchange) write(this.memory, at, width, op === 'acmpxchg' ? a[2] : modify(inst, old, a[1]));
    return old;
  }

  private libcall(sym: string, a: Value[]): Value | undefined {
    switch (sym) {
      case 'yaos_memory_grow':
        return this.growMemory((a[1] as number) >>> 0);
      case 'yaos_table_grow':
        return this.growTable(Number(a[1]), (a[2] as number) >>> 0, a[3] as bigint);
      case 'yaos_table_fill':
        this.fillTable(Number(a[0]), a[1] as bigint, Number(a[2]));
        return undefined;
      case 'yaos_notify':
        return 0;
      default:
        throw new Error(`cannot call ${sym}`);
    }
  }

  private growMemory(pages: number): number {
    const old = this.memory.byteLength / PAGE;
    const max = Math.min(this.module.memories[0].max ?? 1024, 1024);
    if (old + pages > max) return -1;
    const bytes = new Uint8Array((old + pages) * PAGE);
    bytes.set(new Uint8Array(this.memory.buffer));
    this.memory = new DataView(bytes.buffer);
    const struct = Number(this.native.getBigUint64(this.context + FIXED_FIELDS.memory, true));
    this.native.setBigUint64(struct + 8, BigInt(bytes.length), true);
    return old;
  }

  private growTable(table: number, count: number, value: bigint): number {
    const size = Number(this.native.getBigUint64(table + TABLE_FIELDS.size, true));
    const max = Number(this.native.getBigUint64(table + TABLE_FIELDS.max, true));
    if (size + count > Math.min(max, TABLE_ELEMENTS_MAX)) return -1;
    this.fillTable(Number(this.native.getBigUint64(table, true)) + 8 * size, value, count);
    this.native.setBigUint64(table + TABLE_FIELDS.size, BigInt(size + count), true);
    return size;
  }

  private fillTable(at: number, value: bigint, count: number): void {
    for (let i = 0; i < count; i++) this.native.setBigInt64(at + 8 * i, value, true);
  }

  global(index: number): Value {
    const { offset, imported } = this.env.layout.globals[index];
    const type = this.module.globals[index].type;
    const irType: Type = type === 'funcref' || type === 'externref' ? 'i64' : type;
    const at = this.context + offset;
    const cell = imported ? Number(this.native.getBigUint64(at, true)) : at;
    return readAs(this.native, cell, irType, bytesOf(irType), false);
  }
}

/** What every imported global of a type holds at first. */
export function importedGlobal(type: ValType): Value {
  if (type === 'f32' || type === 'f64') return fromFloat(type, 7);
  return type === 'i32' ? 7 : type === 'i64' ? 7n : 0n;
}

/** Which target a jump takes. */
function branch(inst: Inst, a: Value[]): number {
  if (inst.op === 'br') return a[0] !== 0 ? 0 : 1;
  if (inst.op === 'switch') return Math.min((a[0] as number) >>> 0, inst.targets.length - 1);
  return 0;
}

function modify(inst: Inst, old: Value, operand: Value): Value {
  const x = BigInt(old);
  const y = BigInt(operand);
  const result = { add: x + y, sub: x - y, and: x & y, or: x | y, xor: x ^ y, xchg: y }[inst.rmw!];
  return inst.type === 'i32' ? Number(BigInt.asIntN(32, result)) : BigInt.asIntN(64, result);
}

function read(view: DataView, at: number, inst: Inst): Value {
  return readAs(view, at, inst.type, inst.width, inst.signed);
}

function readAs(view: DataView, at: number, type: Type, width: number, signed: boolean): Value {
  let bits = 0n;
  for (let i = width - 1; i >= 0; i--) bits = (bits << 8n) | BigInt(view.getUint8(at + i));
  if (type === 'f32') return Number(bits);
  if (type === 'f64') return bits;
  if (signed) bits = BigInt.asIntN(8 * width, bits);
  return type === 'i32' ? Number(BigInt.asIntN(32, bits)) : BigInt.asIntN(64, bits);
}

function write(view: DataView, at: number, width: number, value: Value): undefined {
  let bits = BigInt(value);
  for (let i = 0; i < width; i++, bits >>= 8n) view.setUint8(at + i, Number(bits & 0xffn));
}

/** A JavaScript value as WebAssembly's JavaScript interface has it, to and from the representation here. */
export function fromJs(type: Type, x: number | bigint): Value {
  return type === 'f32' || type === 'f64' ? fromFloat(type, x as number) : x;
}

export function toJs(type: Type, v: Value): number | bigint {
  return type === 'f32' || type === 'f64' ? toFloat(type, v) : v;
}
