// Selection of calls, returns and tail calls by the convention of abi.ts.

import type { Inst, Sig } from '../ir/ir.ts';
import { type ArgLoc, assign, INT_PARAM_REGS } from './abi.ts';
import { CALLEE_SAVED, type MData, type MInst, Operand, RAX, RDI, type RegSet, type VReg } from './mir.ts';
import { contextField } from './select-memory.ts';
import { classOf, immediate, type Selector, sizeOf } from './selector.ts';

/** Everything that a call destroys besides its results. */
const CALL_CLOBBERS: RegSet = (~CALLEE_SAVED & ~(1 << 4)) >>> 0;

/** Defines the function's parameters, into the given registers. */
export function lowerEntry(s: Selector, into: VReg[]): void {
  const a = assign(s.func.sig);
  const regs: Operand[] = [];
  if (a.hidden && s.hidden >= 0) regs.push(new Operand(s.hidden, 'def', 'fixed', RDI));
  a.params.forEach((loc, i) => {
    if (loc.kind === 'reg') regs.push(new Operand(into[i], 'def', 'fixed', loc.reg));
  });
  s.emit('entry', regs);
  a.params.forEach((loc, i) => {
    if (loc.kind === 'reg') return;
    const type = s.func.sig.params[i];
    s.emit('loadarg', [new Operand(into[i], 'def')], {
      offset: loc.offset,
      size: sizeOf(type),
      cls: classOf(type),
    });
  });
}

export function lowerCall(s: Selector, inst: Inst): boolean {
  switch (inst.op) {
    case 'call':
    case 'callref':
      emitCall(s, inst);
      return true;
    case 'tailcall':
    case 'tailcallref':
      emitTailCall(s, inst);
      return true;
    case 'libcall': {
      const m = emitLibcall(s, inst.sym, inst.args);
      if (inst.type !== 'none') defineLibcallResult(s, inst, m);
      return true;
    }
    case 'return':
      emitReturn(s, inst);
      return true;
    default:
      return false;
  }
}

/** A System V call of a C function with integer arguments. */
export function emitLibcall(s: Selector, sym: string, args: Inst[]): MInst {
  const ops = args.map((a, i) => s.use(a, 'fixed', INT_PARAM_REGS[i]));
  const m = s.emit('call', ops, { sym });
  m.clobbers = CALL_CLOBBERS;
  return m;
}

/** C leaves the upper half of rax undefined for a 32-bit result; the i32 invariant wants zeros. */
function defineLibcallResult(s: Selector, inst: Inst, m: MInst): void {
  const raw = s.newVReg('int');
  m.ops.push(new Operand(raw, 'def', 'fixed', RAX));
  m.clobbers = (m.clobbers & ~(1 << RAX)) >>> 0;
  if (inst.type === 'i32') s.emit('mov32', [s.def(inst), new Operand(raw, 'use')]);
  else copy(s, s.vregOf(inst), raw);
}

function copy(s: Selector, to: VReg, from: VReg): void {
  const m = s.emit('mov', [new Operand(to, 'def', 'any'), new Operand(from, 'use', 'any')]);
  m.isMove = true;
}

/** Moves arguments to where the callee wants them; returns the register operands and how to reach the callee. */
function passArguments(
  s: Selector,
  inst: Inst,
  hidden: VReg,
): { ops: Operand[]; data: MData; stackBytes: number } {
  const sig = inst.sig as Sig;
  const a = assign(sig);
  const args = inst.op === 'callref' || inst.op === 'tailcallref' ? inst.args.slice(1) : inst.args;
  args.forEach((arg, i) => {
    const loc = a.params[i];
    if (loc.kind === 'stack') storeArgument(s, arg, loc.offset);
  });
  const ops: Operand[] = [];
  args.forEach((arg, i) => {
    const loc = a.params[i];
    if (loc.kind === 'reg') ops.push(s.use(arg, 'fixed', loc.reg));
  });
  if (a.hidden) ops.push(new Operand(hidden, 'use', 'fixed', RDI));
  s.outgoingBytes = Math.max(s.outgoingBytes, a.stackBytes);
  return { ops, data: callee(s, inst, ops), stackBytes: a.stackBytes };
}

function storeArgument(s: Selector, arg: Inst, offset: number): void {
  const imm = immediate(arg);
  // An i32 slot has zero upper bits: a negative immediate would be sign-extended.
  if (imm !== undefined && (arg.type === 'i64' || imm >= 0)) s.emit('storearg', [], { offset, imm });
  else s.emit('storearg', [s.use(arg)], { offset, cls: classOf(arg.type), size: sizeOf(arg.type) });
}

/** Direct calls go to a symbol; the others through a descriptor in rax (docs/abi.md §2). */
function callee(s: Selector, inst: Inst, ops: Operand[]): MData {
  if (inst.op === 'callref' || inst.op === 'tailcallref') {
    ops.push(s.use(inst.args[0], 'fixed', RAX));
    return { sig: inst.sig };
  }
  const sym = s.target.callSymbol(inst.index);
  if (sym !== undefined) return { sym };
  const descriptor = s.newVReg('int');
  const offset = s.target.layout.descriptors.get(inst.index)!;
  s.emit('lea', [new Operand(descriptor, 'def')], { size: 8, mem: contextField(offset) });
  ops.push(new Operand(descriptor, 'use', 'fixed', RAX));
  return { sig: inst.sig };
}

function emitCall(s: Selector, inst: Inst): void {
  const a = assign(inst.sig!);
  let hidden: VReg = -1;
  if (a.hidden) {
    hidden = s.newVReg('int');
    s.emit('learesults', [new Operand(hidden, 'def')]);
    s.resultBytes = Math.max(s.resultBytes, a.resultBytes);
  }
  const { ops, data, stackBytes } = passArguments(s, inst, hidden);
  const m = s.emit('call', ops, { ...data, popped: stackBytes });
  m.clobbers = CALL_CLOBBERS;
  const values = inst.type === 'none' ? s.results.get(inst)! : [inst];
  const byIndex = new Map(values.map((v) => [inst.type === 'none' ? v.index : 0, v]));
  for (let i = 0; i < a.results.length; i++) defineResult(s, m, a.results[i], byIndex.get(i));
}

function defineResult(s: Selector, m: MInst, loc: ArgLoc, value: Inst | undefined): void {
  if (!value) return;
  if (loc.kind === 'reg') {
    m.ops.push(s.def(value, 'fixed', loc.reg));
    m.clobbers = (m.clobbers & ~(1 << loc.reg)) >>> 0;
  } else {
    const data = { offset: loc.offset, size: sizeOf(value.type), cls: classOf(value.type) };
    s.emit('loadresult', [s.def(value)], data);
  }
}

function emitTailCall(s: Selector, inst: Inst): void {
  const { ops, data, stackBytes } = passArguments(s, inst, hiddenPointer(s));
  s.emit('tailcall', ops, { ...data, popped: stackBytes });
}

/** The register that holds the caller's pointer for memory results. */
function hiddenPointer(s: Selector): VReg {
  if (s.hidden < 0 && assign(s.func.sig).hidden) s.hidden = s.newVReg('int');
  return s.hidden;
}

function emitReturn(s: Selector, inst: Inst): void {
  const a = assign(s.func.sig);
  const ops: Operand[] = [];
  inst.args.forEach((value, i) => {
    const loc = a.results[i];
    if (loc.kind === 'reg') return;
    const float = classOf(value.type) === 'float';
    const at = [s.use(value), new Operand(hiddenPointer(s), 'use')];
    const mem = { base: 1, index: -1, scale: 1 as const, disp: loc.offset };
    s.emit(float ? 'fstore' : 'store', at, { width: float ? sizeOf(value.type) : 8, mem });
  });
  inst.args.forEach((value, i) => {
    const loc = a.results[i];
    if (loc.kind === 'reg') ops.push(s.use(value, 'fixed', loc.reg));
  });
  s.emit('ret', ops);
}
