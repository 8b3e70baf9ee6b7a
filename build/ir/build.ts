// A function body to SSA (WebAssembly core 4.4, 5.4): reads the operators once, with a stack of values instead of a
// stack machine. This file has the stack, the dispatch and the operators that need no more; the others are in
// build-*.ts by family. Requires a valid module. Leaves reachable blocks only, loops contiguous, and no trivial
// block parameters.

import type { FuncType, ValType } from '../wasm/module.ts';
import { skipImmediates } from '../wasm/operators.ts';
import { Reader } from '../wasm/reader.ts';
import { refType, valType } from '../wasm/types.ts';
import { VariableLog } from './bindings.ts';
import { buildAtomic } from './build-atomic.ts';
import { buildCall } from './build-call.ts';
import { buildControl, enterFunction, type Frame, skipDead } from './build-control.ts';
import { buildBulk, buildMemory } from './build-memory.ts';
import { buildNumeric, buildTruncSat } from './build-numeric.ts';
import { buildTable, buildTableBulk } from './build-table.ts';
import { Emitter, irType, type ModuleEnv, sigOf } from './emitter.ts';
import { frameLocals } from './frame-locals.ts';
import { globalGet, globalSet } from './instance.ts';
import { Func, type Inst, type Sig, type Type } from './ir.ts';
import { arrangeLoops } from './loops.ts';
import { scanBody } from './scan.ts';
import { Ssa } from './ssa.ts';

/** What a function may have for its locals. Real programs have one for every two bytes at most, and most a tenth. */
const EDGE_ARGUMENTS = { least: 20_000, perByte: 1 };

/** Translates the body of function `index`. With more than `edgeArgumentsMax` arguments of edges for its locals, some
 * of them are kept in the frame. */
export function buildFunction(env: ModuleEnv, index: number, edgeArgumentsMax?: number): Func {
  const { start, end } = env.module.funcs[index].body!;
  const most = edgeArgumentsMax ?? EDGE_ARGUMENTS.least + EDGE_ARGUMENTS.perByte * (end - start);
  const built = build(new FuncBuilder(env, index, [], most));
  if (built) return built;
  const inFrame = frameLocals(new Reader(env.module.bytes, start, end), most / 2);
  return build(new FuncBuilder(env, index, inFrame, Number.POSITIVE_INFINITY))!;
}

/** Undefined if there are too many arguments of edges. */
function build(b: FuncBuilder): Func | undefined {
  enterFunction(b);
  while (b.reader.pos < b.reader.end) {
    b.e.loc = b.reader.pos;
    const opcode = b.reader.u8();
    if (b.e.block) buildOperator(b, opcode);
    else skipDead(b, opcode);
    if (b.ssa.isTooLarge()) return undefined;
  }
  b.ssa.finish();
  arrangeLoops(b.e.func);
  return b.e.func;
}

/** The state of translating one function. */
export class FuncBuilder {
  readonly e: Emitter;
  readonly env: ModuleEnv;
  readonly reader: Reader;
  readonly ssa: Ssa;
  readonly stack: Inst[] = [];
  readonly frames: Frame[] = [];
  /** For each loop and each if with an else, the offset of its end, by its own offset. */
  readonly ends: Map<number, number>;
  /** Constructs opened inside unreachable code. */
  deadDepth = 0;

  constructor(env: ModuleEnv, index: number, inFrame: number[], edgeArgumentsMax: number) {
    const wasm = env.module.funcs[index];
    const body = wasm.body!;
    const sig = sigOf(wasm.type);
    const scan = scanBody(new Reader(env.module.bytes, body.start, body.end));
    this.env = env;
    this.e = new Emitter(new Func(wasm.name, index, sig), env);
    this.reader = new Reader(env.module.bytes, body.start, body.end);
    this.ends = scan.ends;
    const types = [...sig.params, ...body.locals.map(irType)];
    const { assignments } = scan;
    const names = wasm.localNames;
    const log = env.debug && names ? new VariableLog(names) : undefined;
    this.ssa = new Ssa(this.e, { types, names, assignments, inFrame, log }, edgeArgumentsMax);
    this.ssa.enter(sig.params.length);
  }

  push(value: Inst): void {
    this.stack.push(value);
  }

  pop(): Inst {
    return this.stack.pop()!;
  }

  /** The top `count` values, the last one on top; they stay. */
  top(count: number): Inst[] {
    this.passes(count);
    return this.stack.slice(this.stack.length - count);
  }

  popMany(count: number): Inst[] {
    this.passes(count);
    return this.stack.splice(this.stack.length - count, count);
  }

  /** The operator that is being read passes so many values on. */
  passes(count: number): void {
    this.env.passed?.add(count, this.e.loc);
  }

  /** A construct's type: a function type, a single result, or nothing. */
  signature(type: ValType | number | undefined): Sig {
    if (type === undefined) return NO_VALUES;
    if (typeof type === 'number') return sigOf(this.env.module.types[type] as FuncType);
    return SINGLE[irType(type)]!;
  }
}

const NO_VALUES: Sig = { params: [], results: [] };
const SINGLE: Partial<Record<Type, Sig>> = {
  i32: { params: [], results: ['i32'] },
  i64: { params: [], results: ['i64'] },
  f32: { params: [], results: ['f32'] },
  f64: { params: [], results: ['f64'] },
};

function buildOperator(b: FuncBuilder, opcode: number): void {
  if (opcode >= 0x45 && opcode <= 0xc4) buildNumeric(b, opcode);
  else if (opcode >= 0x28 && opcode <= 0x40) buildMemory(b, opcode);
  else if (opcode >= 0x10 && opcode <= 0x13) buildCall(b, opcode);
  else if (opcode <= 0x0f) buildControl(b, opcode);
  else if (opcode === 0xfc) buildPrefixed(b);
  else if (opcode === 0xfe) buildAtomic(b, b.reader.u32());
  else buildVariable(b, opcode);
}

function buildPrefixed(b: FuncBuilder): void {
  const opcode = b.reader.u32();
  if (opcode <= 7) buildTruncSat(b, opcode);
  else if (opcode <= 11) buildBulk(b, opcode);
  else buildTableBulk(b, opcode);
}

/** Parametric operators, variables, constants and references. */
function buildVariable(b: FuncBuilder, opcode: number): void {
  const { e, reader } = b;
  switch (opcode) {
    case 0x1a: // drop
      b.pop();
      break;
    case 0x1b: // select
      buildSelect(b);
      break;
    case 0x1c: // select t
      for (let n = reader.u32(); n > 0; n--) valType(reader);
      buildSelect(b);
      break;
    case 0x20: // local.get
      b.push(b.ssa.read(reader.u32()));
      break;
    case 0x21: // local.set
      b.ssa.write(reader.u32(), b.pop());
      break;
    case 0x22: // local.tee
      b.ssa.write(reader.u32(), b.stack[b.stack.length - 1]);
      break;
    case 0x23: // global.get
      b.push(globalGet(e, reader.u32()));
      break;
    case 0x24: // global.set
      globalSet(e, reader.u32(), b.pop());
      break;
    case 0x25: // table.get
    case 0x26: // table.set
      buildTable(b, opcode);
      break;
    case 0x41:
      b.push(e.const('i32', reader.s32()));
      break;
    case 0x42:
      b.push(e.const('i64', reader.s64()));
      break;
    case 0x43:
      b.push(e.const('f32', reader.f32Bits()));
      break;
    case 0x44:
      b.push(e.const('f64', reader.f64Bits()));
      break;
    case 0xd0: // ref.null
      refType(reader);
      b.push(e.i64(0));
      break;
    case 0xd1: // ref.is_null
      b.push(e.emit('eqz', 'i32', [b.pop()]));
      break;
    case 0xd2: // ref.func
      b.push(e.ctxAddr(b.env.layout.descriptors.get(reader.u32())!));
      break;
    default:
      // The decoder has refused every opcode that is not handled above.
      skipImmediates(reader, opcode);
      throw new Error(`no translation for opcode 0x${opcode.toString(16)}`);
  }
}

function buildSelect(b: FuncBuilder): void {
  const condition = b.pop();
  const ifZero = b.pop();
  const ifNot = b.pop();
  b.push(b.e.emit('select', ifNot.type, [condition, ifNot, ifZero]));
}
