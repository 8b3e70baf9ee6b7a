// Appends instructions to a block: the vocabulary in which the builder and the init function are written.

import type { ContextLayout } from '../object/layout.ts';
import type { FuncType, ValType, WasmModule } from '../wasm/module.ts';
import {
  type Block,
  bytesOf,
  type Edge,
  type Func,
  type Inst,
  type Op,
  type Sig,
  type TrapName,
  type Type,
} from './ir.ts';
import type { PassedValues } from './passed-values.ts';

/** The module around a function, and how it will be run. */
export interface ModuleEnv {
  module: WasmModule;
  layout: ContextLayout;
  model: 'fixed' | 'register';
  /** Whether an imported function is a machine instruction (docs/abi.md §6). */
  isIntrinsic(module: string, name: string): boolean;
  /** Absent: nothing is bounded. */
  passed?: PassedValues;
  /** Variables are to be known to a debugger. */
  debug?: boolean;
  /** What call_indirect compares, by type index; absent: the module's own canonical types. */
  typeIds?: readonly number[];
  /** Absent if no function of another instance can come into a table. Else the symbol of the thunk that calls one of
   * the type (object/trampolines.ts). */
  crossing?(typeIndex: number): string;
}

export function typeIdOf(env: ModuleEnv, typeIndex: number): number {
  return (env.typeIds ?? env.module.canonicalTypes)[typeIndex];
}

export function irType(type: ValType): Type {
  return type === 'funcref' || type === 'externref' ? 'i64' : type;
}

const sigs = new WeakMap<FuncType, Sig>();

/** One Sig for each function type of the module. */
export function sigOf(type: FuncType): Sig {
  let sig = sigs.get(type);
  if (!sig) {
    sig = { params: type.params.map(irType), results: type.results.map(irType) };
    sigs.set(type, sig);
  }
  return sig;
}

export class Emitter {
  readonly func: Func;
  readonly env: ModuleEnv;
  /** Where instructions go; undefined in unreachable code. */
  block: Block | undefined;
  /** Byte offset of the operator being translated. */
  loc = -1;

  constructor(func: Func, env: ModuleEnv) {
    this.func = func;
    this.env = env;
  }

  emit(op: Op, type: Type, args: Inst[]): Inst {
    const inst = this.func.newInst(op, type, args);
    inst.loc = this.loc;
    inst.block = this.block;
    this.block!.insts.push(inst);
    return inst;
  }

  /** A new block at the end of the layout. */
  newBlock(): Block {
    const block = this.func.newBlock();
    this.func.blocks.push(block);
    return block;
  }

  /** Appends a block to the layout and goes on in it. */
  start(block: Block): void {
    this.func.blocks.push(block);
    this.block = block;
  }

  const(type: Type, imm: number | bigint): Inst {
    const inst = this.emit('const', type, []);
    inst.imm = imm;
    return inst;
  }

  i32(n: number): Inst {
    return this.const('i32', n | 0);
  }

  i64(n: number | bigint): Inst {
    return this.const('i64', BigInt(n));
  }

  /** An unsigned i32 as an i64. */
  zext(x: Inst): Inst {
    return this.emit('zext', 'i64', [x]);
  }

  add(a: Inst, b: Inst): Inst {
    return this.emit('add', a.type, [a, b]);
  }

  ctxAddr(offset: number): Inst {
    const inst = this.emit('ctxaddr', 'i64', []);
    inst.offset = offset;
    return inst;
  }

  symAddr(sym: string): Inst {
    const inst = this.emit('symaddr', 'i64', []);
    inst.sym = sym;
    return inst;
  }

  ctxLoad(type: Type, offset: number, mutable: boolean): Inst {
    return this.access('ctxload', type, [], offset, bytesOf(type), mutable);
  }

  ctxStore(offset: number, value: Inst): void {
    this.access('ctxstore', 'none', [value], offset, bytesOf(value.type), true);
  }

  nLoad(type: Type, address: Inst, offset: number, mutable = true): Inst {
    return this.access('nload', type, [address], offset, bytesOf(type), mutable);
  }

  nStore(address: Inst, offset: number, value: Inst): void {
    this.access('nstore', 'none', [address, value], offset, bytesOf(value.type), true);
  }

  slotLoad(type: Type, slot: number): Inst {
    const inst = this.access('slotload', type, [], 0, bytesOf(type), true);
    inst.index = slot;
    return inst;
  }

  slotStore(slot: number, value: Inst): void {
    this.access('slotstore', 'none', [value], 0, bytesOf(value.type), true).index = slot;
  }

  private access(op: Op, type: Type, args: Inst[], offset: number, width: number, mutable: boolean): Inst {
    const inst = this.emit(op, type, args);
    inst.offset = offset;
    inst.width = width;
    inst.mutable = mutable;
    return inst;
  }

  trapIf(condition: Inst, trap: TrapName): void {
    this.emit('trapif', 'none', [condition]).trap = trap;
  }

  libcall(sym: string, type: Type, args: Inst[]): Inst {
    const inst = this.emit('libcall', type, args);
    inst.sym = sym;
    return inst;
  }

  // Terminators: the code behind them is unreachable until `block` is set again.

  trap(trap: TrapName): void {
    this.emit('trap', 'none', []).trap = trap;
    this.block = undefined;
  }

  jump(edge: Edge): void {
    this.emit('jump', 'none', []).targets = [edge];
    this.block = undefined;
  }

  branch(condition: Inst, ifTrue: Edge, ifFalse: Edge): void {
    this.emit('br', 'none', [condition]).targets = [ifTrue, ifFalse];
    this.block = undefined;
  }

  return(values: Inst[]): void {
    this.emit('return', 'none', values);
    this.block = undefined;
  }
}
