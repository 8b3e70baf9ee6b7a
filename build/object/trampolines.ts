// The bridges between translated code and C (docs/abi.md §3): import thunks, by which Wasm calls a function of the
// host's, and invoke trampolines, by which C calls Wasm. One of each for every signature that needs it; both pass
// the values in an array of 8 bytes each. Register memory model only.

import type { Sig, Type } from '../ir/ir.ts';
import type { FuncType, ValType, WasmModule } from '../wasm/module.ts';
import { type ArgLoc, assign, isFloat } from '../x64/abi.ts';
import { Assembler, type Mark, type Mem } from '../x64/asm.ts';
import type { EmittedFunction } from '../x64/emit.ts';
import { R11, R12, R13, R14, R15, RAX, RBP, RBX, RDI, RDX, RSI, RSP } from '../x64/mir.ts';
import { type ContextLayout, FIXED_FIELDS, FUNC_FIELDS } from './layout.ts';
import type { Program } from './program.ts';

/** struct yaos_host of runtime/yaosrt.h */
const HOST_FN = 0;
const HOST_ENV = 8;

const CALLEE_SAVED_PUSHED = [RBP, RBX, R12, R13, R14, R15];

/** Keys in the program; a type is given by its canonical index. */
export const INVOKE_INIT = 'yaos_invoke_init';
export const invokeKey = (type: number): string => `yaos_invoke_${type}`;
export const importThunkKey = (type: number): string => `yaos_import_${type}`;
export const linkThunkKey = (type: number): string => `yaos_link_${type}`;
export const crossingKey = (type: number): string => `yaos_crossing_${type}`;

/** Whether a function of another instance can come into a table or a global of this one: by an import or export that
 * holds references or passes them. */
export function admitsForeign(module: WasmModule): boolean {
  const outside = [...module.imports, ...module.exports];
  return outside.some(({ kind, index }) => {
    if (kind === 'table') return module.tables[index].element === 'funcref';
    if (kind === 'global') return module.globals[index].type === 'funcref';
    if (kind !== 'func') return false;
    const { params, results } = module.funcs[index].type;
    return params.includes('funcref') || results.includes('funcref');
  });
}

/** Adds what the module's imports, and the functions that the host may come to call, need. `crossings`: the types of
 * call_indirect that may reach another instance; `alone`: there is no other instance. */
export function addTrampolines(
  program: Program,
  module: WasmModule,
  layout: ContextLayout,
  { crossings, alone }: { crossings: ReadonlySet<number>; alone: boolean },
): void {
  const typeOf = (index: number): number => module.canonicalTypes[module.funcs[index].typeIndex];
  program.add(INVOKE_INIT, emitInvoke(INVOKE_INIT, { params: [], results: [] }));
  for (const type of new Set([...layout.descriptors.keys()].map(typeOf))) {
    program.add(invokeKey(type), emitInvoke(invokeKey(type), sigOf(module.types[type])));
  }
  for (const type of new Set(module.funcs.filter((f) => f.import).map((f) => typeOf(f.index)))) {
    program.add(importThunkKey(type), emitImportThunk(importThunkKey(type), sigOf(module.types[type])));
    if (!alone) program.add(linkThunkKey(type), emitCrossing(linkThunkKey(type), type, module, 'link'));
  }
  for (const type of crossings) program.add(crossingKey(type), emitCrossing(crossingKey(type), type, module));
}

function sigOf(type: FuncType): Sig {
  const lower = (t: ValType): Type => (t === 'funcref' || t === 'externref' ? 'i64' : t);
  return { params: type.params.map(lower), results: type.results.map(lower) };
}

/**
 * Wasm convention in, `fn(env, values)` out. The descriptor in rax tells which host function it is. The frame may be
 * larger than a page without a probe: an engine's limit of 1000 values keeps it far below the size of the guard.
 */
export function emitImportThunk(name: string, sig: Sig): EmittedFunction {
  const a = new Assembler();
  const { params, results, stackBytes, hidden } = assign(sig);
  const values = Math.max(params.length, results.length);
  const hiddenAt = at(RSP, 8 * values);
  // 8 modulo 16, so that rsp is aligned for C.
  const frame = roundUp(8 * values + 8, 16) + 8;
  a.aluImm('sub', 8, RSP, frame);
  const built = a.mark();
  if (hidden) a.store(hiddenAt, RDI, 8);
  params.forEach((loc, i) => {
    const to = at(RSP, 8 * i);
    if (loc.kind === 'reg') storeReg(a, to, loc.reg, sig.params[i]);
    else copy(a, to, at(RSP, frame + 8 + loc.offset), sig.params[i]);
  });
  a.load(R11, at(RAX, FUNC_FIELDS.host), 8, false, 8);
  a.load(RDI, at(R11, HOST_ENV), 8, false, 8);
  a.mov(8, RSI, RSP);
  a.callRm(at(R11, HOST_FN));
  const called = a.mark();
  if (hidden) {
    a.load(RSI, hiddenAt, 8, false, 8);
    results.forEach((loc, i) => {
      if (loc.kind === 'stack') copy(a, at(RSI, loc.offset), at(RSP, 8 * i), sig.results[i]);
    });
  }
  results.forEach((loc, i) => {
    if (loc.kind === 'reg') loadReg(a, loc.reg, at(RSP, 8 * i), sig.results[i]);
  });
  a.aluImm('add', 8, RSP, frame);
  a.ret(stackBytes);
  return finished(name, a, { built, called, passed: 0, frame, popped: stackBytes, saved: [] });
}

/**
 * Calls a function in its own context and comes back to the caller's. The function is the one that an import's
 * descriptor (in rax) is linked to, or the one that call_indirect has left in the context. Registers pass through.
 */
export function emitCrossing(name: string, type: number, module: WasmModule, link?: 'link'): EmittedFunction {
  const a = new Assembler();
  const sig = sigOf(module.types[type]);
  const { params, stackBytes } = assign(sig);
  a.load(RAX, link ? at(RAX, FUNC_FIELDS.host) : at(R15, FIXED_FIELDS.foreign), 8, false, 8);
  a.push(R15);
  if (stackBytes > 0) a.aluImm('sub', 8, RSP, stackBytes);
  const built = a.mark();
  params.forEach((loc) => {
    if (loc.kind === 'stack') copy(a, at(RSP, loc.offset), at(RSP, stackBytes + 16 + loc.offset), 'i64');
  });
  a.load(R15, at(RAX, FUNC_FIELDS.context), 8, false, 8);
  a.callRm(at(RAX, FUNC_FIELDS.code));
  const called = a.mark();
  a.pop(R15);
  a.ret(stackBytes);
  const calls = { called, passed: stackBytes };
  return finished(name, a, { built, ...calls, frame: stackBytes + 8, popped: stackBytes, saved: [R15] });
}

/** `void invoke(struct yaos_func *f, void *context, uint64_t *values)` in, Wasm convention out. */
export function emitInvoke(name: string, sig: Sig): EmittedFunction {
  const a = new Assembler();
  const { params, results, stackBytes, hidden, resultBytes } = assign(sig);
  for (const reg of CALLEE_SAVED_PUSHED) a.push(reg);
  // The callee pops its stack arguments, so the memory for results lies above them.
  const resultArea = roundUp(resultBytes, 16) + 8;
  a.aluImm('sub', 8, RSP, stackBytes + resultArea);
  const built = a.mark();
  a.mov(8, RBX, RDX);
  a.mov(8, R15, RSI);
  a.mov(8, RAX, RDI);
  params.forEach((loc, i) => {
    if (loc.kind === 'stack') copy(a, at(RSP, loc.offset), at(RBX, 8 * i), sig.params[i]);
  });
  params.forEach((loc, i) => {
    if (loc.kind === 'reg') loadReg(a, loc.reg, at(RBX, 8 * i), sig.params[i]);
  });
  if (hidden) a.lea(8, RDI, at(RSP, stackBytes));
  a.callRm(at(RAX, FUNC_FIELDS.code));
  const called = a.mark();
  results.forEach((loc, i) => {
    storeResult(a, loc, i, sig.results[i]);
  });
  a.aluImm('add', 8, RSP, resultArea);
  for (const reg of CALLEE_SAVED_PUSHED.toReversed()) a.pop(reg);
  a.ret(0);
  const frame = stackBytes + resultArea + 8 * CALLEE_SAVED_PUSHED.length;
  const calls = { called, passed: stackBytes };
  return finished(name, a, { built, ...calls, frame, popped: 0, saved: CALLEE_SAVED_PUSHED });
}

function storeResult(a: Assembler, loc: ArgLoc, i: number, type: Type): void {
  const to = at(RBX, 8 * i);
  if (loc.kind === 'stack') copy(a, to, at(RSP, loc.offset), type);
  else storeReg(a, to, loc.reg, type);
}

/** A whole 8-byte slot, zero-extended: floats live in registers whose upper part may hold anything. */
function storeReg(a: Assembler, to: Mem, reg: number, type: Type): void {
  if (!isFloat(type)) {
    a.store(to, reg, 8);
    return;
  }
  a.movXmmToGpr(bytesOf(type), R11, reg);
  a.store(to, R11, 8);
}

function loadReg(a: Assembler, reg: number, from: Mem, type: Type): void {
  if (isFloat(type)) a.sse(type === 'f32' ? 'movss' : 'movsd', reg, from);
  else a.load(reg, from, bytesOf(type), false, bytesOf(type));
}

function copy(a: Assembler, to: Mem, from: Mem, type: Type): void {
  a.load(R11, from, bytesOf(type), false, bytesOf(type));
  a.store(to, R11, 8);
}

function bytesOf(type: Type): 4 | 8 {
  return type === 'i32' || type === 'f32' ? 4 : 8;
}

function at(base: number, disp: number): Mem {
  return { base, index: -1, scale: 1, disp };
}

function roundUp(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

/** The frame as it is at the call, and is said to be until the end: nobody stops in the few instructions that take it down. */
interface Frame {
  built: Mark;
  called: Mark;
  /** Bytes of stack arguments that the function called has popped. */
  passed: number;
  frame: number;
  popped: number;
  saved: readonly number[];
}

function finished(name: string, a: Assembler, f: Frame): EmittedFunction {
  const { built, called, passed, frame, popped, saved } = f;
  const { code, relocs, offsetOf } = a.finish();
  const state = { saved: saved.length, returnIn: -1 };
  const frames = [
    { offset: offsetOf(built), depth: frame, ...state },
    { offset: offsetOf(called) - 1, depth: frame - passed, ...state },
  ];
  const nothing = { traps: [], lines: [], tables: [], calls: [], steps: [], slots: 0 };
  return { name, code, relocs, ...nothing, frame, frames, saved, popped, usesFloat: true, align: 16 };
}
