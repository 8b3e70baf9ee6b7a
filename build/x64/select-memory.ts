// Selection of loads, stores, atomics, context accesses and addresses.
//
// A linear-memory access is index + offset taken in 64 bits (WebAssembly core 4.4.7): the index register is
// zero-extended by the i32 invariant, and the offset is the displacement when it fits; the processor sign-extends a
// displacement, so an offset of 2^31 or more goes into a register first.

import { U32_MAX } from '../ir/induction.ts';
import type { Inst } from '../ir/ir.ts';
import { FIXED_FIELDS } from '../object/layout.ts';
import type { VolatileAccess } from './intrinsics.ts';
import { type MData, type MMem, Operand, RAX, type VReg } from './mir.ts';
import { lowerBlock } from './select-block.ts';
import { immediate, isConst, type Selector, SLOT_BYTES, scaledIndex, sizeOf } from './selector.ts';

const MAX_DISP = 0x7fffffff;
/** In the fixed model page 0, the last page of the low 4 GiB and what lies around them are never mapped. */
const HOLE_BYTES = 4096;
const ACCESS_BYTES_MAX = 8;

/** The address of load or store `inst`; what it needs is appended to `ops`. Marks a folded load as done. */
export function memOperand(s: Selector, inst: Inst, ops: Operand[]): MMem {
  if (inst !== s.root) s.sink(inst);
  switch (inst.op) {
    case 'ctxload':
    case 'ctxstore':
      return contextField(inst.offset);
    case 'slotload':
    case 'slotstore':
      return { base: -1, index: -1, scale: 1, disp: SLOT_BYTES * inst.index, frame: true };
    case 'nload':
    case 'nstore':
      return { ...nativeAddress(s, inst.args[0], inst.offset, ops), trap: accessTrap(inst) };
    default:
      return linearAddress(s, inst.args[0], inst.offset, ops);
  }
}

export function contextField(offset: number): MMem {
  return { base: -1, index: -1, scale: 1, disp: offset, context: true };
}

function linearAddress(s: Selector, address: Inst, constant: number, ops: Operand[]): MMem {
  const { index, scale, offset } = withoutWrapping(s, address, constant);
  const fixed = s.target.model === 'fixed';
  let base = -1;
  if (!fixed && !s.target.ownsMemory) {
    base = ops.push(new Operand(importedBase(s), 'use')) - 1;
  }
  const pinned = isPinned(s);
  if (isConst(index)) return constantIndex(s, Number(index.imm) >>> 0, offset, base, pinned, ops);
  if (offset > MAX_DISP) {
    // The 33-bit sum: both registers are zero-extended, so it cannot wrap.
    const sum = sumRegister(s, s.value(index), offset);
    return { base, index: ops.push(new Operand(sum, 'use')) - 1, scale: 1, disp: 0, pinned, linear: true };
  }
  const at = ops.push(s.use(index)) - 1;
  if (base < 0 && !pinned && scale === 1) {
    return { base: at, index: -1, scale, disp: offset, linear: true };
  }
  return { base, index: at, scale, disp: offset, pinned, linear: true };
}

/** An i32 address as index * scale + offset, where computing that in 64 bits cannot differ. What has a bound below 2^32
 * has zero upper bits in its register: no `wrap` is left out there. */
function withoutWrapping(
  s: Selector,
  address: Inst,
  constant: number,
): { index: Inst; scale: 1 | 2 | 4 | 8; offset: number } {
  let index = address;
  let offset = constant;
  if (index.op === 'add' && s.foldable(index) && isConst(index.args[1])) {
    const [x, { imm }] = index.args;
    const more = Number(imm) >>> 0;
    const wraps = s.bounds.get(x) + more > U32_MAX || offset + more > MAX_DISP;
    if (!wraps || (s.target.model === 'fixed' && wrapsIntoHole(more | 0, offset))) {
      index = x;
      offset += wraps ? more | 0 : more;
    }
  }
  const scaled = offset <= MAX_DISP ? scaledIndex(s, index, s.isAddress(index)) : undefined;
  if (!scaled || s.bounds.get(scaled.index) * scaled.scale > U32_MAX) return { index, scale: 1, offset };
  return { ...scaled, offset };
}

/** Whether x + more + offset faults wherever x + more wraps around, and does so in 64 bits too: one of the two is just
 * above 4 GiB or in its last page, the other in page 0 or just below. */
function wrapsIntoHole(more: number, offset: number): boolean {
  return more >= -HOLE_BYTES && Math.max(more, 0) + offset + ACCESS_BYTES_MAX <= HOLE_BYTES;
}

function constantIndex(
  s: Selector,
  index: number,
  offset: number,
  base: number,
  pinned: boolean,
  ops: Operand[],
): MMem {
  const address = index + offset;
  if (address <= MAX_DISP) return { base, index: -1, scale: 1, disp: address, pinned, linear: true };
  const r = s.newVReg('int');
  s.emit('movimm', [new Operand(r, 'def')], { imm: BigInt(address), size: 8 });
  return { base, index: ops.push(new Operand(r, 'use')) - 1, scale: 1, disp: 0, pinned, linear: true };
}

function sumRegister(s: Selector, index: VReg, offset: number): VReg {
  const high = s.newVReg('int');
  const sum = s.newVReg('int');
  s.emit('movimm', [new Operand(high, 'def')], { imm: BigInt(offset), size: 8 });
  const ops = [new Operand(sum, 'def'), new Operand(high, 'use'), new Operand(index, 'use')];
  s.emit('lea', ops, { size: 8, mem: { base: 1, index: 2, scale: 1, disp: 0 } });
  return sum;
}

/** The base of an imported memory: it never moves, but is another instance's, so the context holds it. */
function importedBase(s: Selector): VReg {
  const r = s.newVReg('int');
  s.emit('load', [new Operand(r, 'def')], { width: 8, size: 8, mem: contextField(FIXED_FIELDS.memoryBase) });
  return r;
}

/** A 64-bit native address, with sums and scales folded (they wrap just as the processor does). */
export function nativeAddress(s: Selector, address: Inst, offset: number, ops: Operand[]): MMem {
  if (address.op === 'ctxaddr') return contextField(address.offset + offset);
  if (address.op === 'add' && s.foldable(address)) {
    const [a, b] = address.args;
    const imm = immediate(b);
    if (imm !== undefined && Math.abs(imm + offset) <= MAX_DISP) {
      return { base: ops.push(s.use(a)) - 1, index: -1, scale: 1, disp: imm + offset };
    }
    const scaled = scaledIndex(s, b);
    if (isPinnedBase(s, a)) {
      const index = ops.push(s.use(scaled ? scaled.index : b)) - 1;
      return { base: -1, index, scale: scaled?.scale ?? 1, disp: offset, pinned: true };
    }
    const base = ops.push(s.use(a)) - 1;
    const index = ops.push(s.use(scaled ? scaled.index : b)) - 1;
    return { base, index, scale: scaled?.scale ?? 1, disp: offset };
  }
  return { base: ops.push(s.use(address)) - 1, index: -1, scale: 1, disp: offset };
}

/** What the emitter records where `inst` accesses memory. */
function accessTrap(inst: Inst): string | undefined {
  return inst.op === 'nload' ? inst.trap : undefined;
}

export function lowerMemory(s: Selector, inst: Inst): boolean {
  switch (inst.op) {
    case 'load':
    case 'ctxload':
    case 'slotload':
    case 'nload':
      return lowerLoad(s, inst);
    case 'store':
    case 'ctxstore':
    case 'slotstore':
    case 'nstore':
      return lowerStore(s, inst);
    case 'ctxaddr':
      s.emit('lea', [s.def(inst)], { size: 8, mem: contextField(inst.offset) });
      return true;
    case 'symaddr':
      s.emit('lea', [s.def(inst)], { size: 8, mem: symbolAddress(inst.sym, inst.offset) });
      return true;
    case 'membase':
      return lowerMemoryBase(s, inst);
    case 'memcopy':
    case 'memfill':
      return lowerBlock(s, inst);
    case 'fence':
      s.emit('x86', [], { x86: 'mfence' });
      return true;
    default:
      return lowerAtomic(s, inst);
  }
}

export function symbolAddress(sym: string, offset = 0): MMem {
  return { base: -1, index: -1, scale: 1, disp: offset, sym };
}

function lowerLoad(s: Selector, inst: Inst): boolean {
  const ops = [s.def(inst)];
  const mem = memOperand(s, inst, ops);
  const data: MData = {
    width: inst.width,
    signed: inst.signed,
    size: sizeOf(inst.type),
    mem,
  };
  s.emit(inst.type === 'f32' || inst.type === 'f64' ? 'fload' : 'load', ops, data);
  return true;
}

/** Nothing is folded into it or it into anything; but its address is folded, as that of any other access. */
export function lowerVolatile(s: Selector, inst: Inst, { access, width }: VolatileAccess): boolean {
  const [address, value] = inst.args;
  const ops: Operand[] = [];
  if (access === 'load') {
    ops.push(s.def(inst));
    const mem = linearAddress(s, address, 0, ops);
    s.emit('load', ops, { width, size: sizeOf(inst.type), mem });
    return true;
  }
  const imm = immediate(value);
  if (imm === undefined) ops.push(s.use(stripNarrowing(s, value, width)));
  const mem = linearAddress(s, address, 0, ops);
  if (imm === undefined) s.emit('store', ops, { width, mem });
  else s.emit('storeimm', ops, { width, imm, mem });
  return true;
}

function lowerStore(s: Selector, inst: Inst): boolean {
  const value = inst.args[inst.args.length - 1];
  if (value.type === 'f32' || value.type === 'f64') {
    const ops = [s.use(value)];
    s.emit('fstore', ops, { width: inst.width, mem: memOperand(s, inst, ops) });
    return true;
  }
  const imm = immediate(value);
  if (imm !== undefined) {
    const ops: Operand[] = [];
    s.emit('storeimm', ops, { width: inst.width, imm, mem: memOperand(s, inst, ops) });
    return true;
  }
  if (readModifyWrite(s, inst, value)) return true;
  const ops = [s.use(stripNarrowing(s, value, inst.width))];
  s.emit('store', ops, { width: inst.width, mem: memOperand(s, inst, ops) });
  return true;
}

/** A narrow store writes only the low bytes: masks and extensions of the value that keep them are not needed. */
export function stripNarrowing(s: Selector, value: Inst, width: number): Inst {
  let v = value;
  for (;;) {
    if (!s.foldable(v)) return v;
    const mask = v.op === 'and' && isConst(v.args[1]) ? BigInt(v.args[1].imm) : 0n;
    const low = (1n << BigInt(8 * width)) - 1n;
    const keeps =
      (v.op === 'and' && (mask & low) === low) ||
      (v.op === 'extend8s' && width <= 1) ||
      (v.op === 'extend16s' && width <= 2);
    if (!keeps) return v;
    v = v.args[0];
  }
}

const RMW_ALU: Record<string, string | undefined> = {
  add: 'add',
  sub: 'sub',
  and: 'and',
  or: 'or',
  xor: 'xor',
};

/** store(a, load(a) op x) as one instruction with a memory destination. */
function readModifyWrite(s: Selector, inst: Inst, value: Inst): boolean {
  const alu = RMW_ALU[value.op];
  if (!alu || !s.foldable(value) || sizeOf(value.type) !== inst.width) return false;
  let [load, x] = value.args;
  if (!samePlace(load, inst) && alu !== 'sub') [load, x] = [x, load];
  if (!samePlace(load, inst) || !s.foldableLoad(load, inst.width)) return false;
  s.sink(load);
  const imm = immediate(x);
  const ops: Operand[] = imm === undefined ? [s.use(x)] : [];
  s.emit('alumem', ops, { alu, width: inst.width, imm, mem: memOperand(s, inst, ops) });
  return true;
}

const LOAD_OF: Record<string, string | undefined> = {
  store: 'load',
  ctxstore: 'ctxload',
  slotstore: 'slotload',
  nstore: 'nload',
};

function samePlace(load: Inst, store: Inst): boolean {
  if (load.op !== LOAD_OF[store.op] || load.offset !== store.offset || load.index !== store.index)
    return false;
  return load.args[0] === store.args[0] || load.args.length === 0;
}

/** Whether a register holds linear memory's base all the time. */
function isPinned(s: Selector): boolean {
  return s.target.model === 'register' && s.target.ownsMemory;
}

export function isPinnedBase(s: Selector, v: Inst): boolean {
  return v.op === 'membase' && isPinned(s);
}

function lowerMemoryBase(s: Selector, inst: Inst): boolean {
  if (s.target.model === 'fixed') {
    s.emit('movimm', [s.def(inst)], { imm: 0n, size: 8 });
  } else if (isPinned(s)) {
    s.emit('lea', [s.def(inst)], { size: 8, mem: contextField(0) });
  } else {
    s.emit('load', [s.def(inst)], { width: 8, size: 8, mem: contextField(FIXED_FIELDS.memoryBase) });
  }
  return true;
}

/** x86 loads and stores are acquire and release already; a sequentially consistent store is an xchg
 * (Intel SDM 3A 9.2.3.9: locked instructions have a total order). */
function lowerAtomic(s: Selector, inst: Inst): boolean {
  const size = inst.type === 'none' ? 4 : sizeOf(inst.type);
  switch (inst.op) {
    case 'aload': {
      const ops = [s.def(inst)];
      s.emit('load', ops, { width: inst.width, signed: false, size, mem: memOperand(s, inst, ops) });
      return true;
    }
    case 'astore': {
      const scratch = new Operand(s.newVReg('int'), 'def', 'reuse', 1);
      const ops = [scratch, s.use(inst.args[1])];
      s.emit('xchgmem', ops, { width: inst.width, mem: memOperand(s, inst, ops) });
      return true;
    }
    case 'armw':
      return lowerRmw(s, inst);
    case 'acmpxchg': {
      const ops = [s.def(inst, 'fixed', RAX), s.use(inst.args[1], 'fixed', RAX), s.lateUse(inst.args[2])];
      const mem = lateMemOperand(s, inst, ops);
      s.emit('cmpxchg', ops, { width: inst.width, mem });
      return true;
    }
    default:
      return false;
  }
}

/** As memOperand, for sequences that read the address after writing a result. */
function lateMemOperand(s: Selector, inst: Inst, ops: Operand[]): MMem {
  const from = ops.length;
  const mem = memOperand(s, inst, ops);
  for (let i = from; i < ops.length; i++) ops[i].role = 'lateuse';
  return mem;
}

function lowerRmw(s: Selector, inst: Inst): boolean {
  const rmw = inst.rmw!;
  if (rmw === 'xchg' || rmw === 'add' || rmw === 'sub') {
    const ops = [s.def(inst, 'reuse', 1), s.use(inst.args[1])];
    const mem = lateMemOperand(s, inst, ops);
    s.emit(rmw === 'xchg' ? 'xchgmem' : 'xadd', ops, { width: inst.width, negate: rmw === 'sub', mem });
    return true;
  }
  // No instruction returns the old value of and, or, xor: a compare-and-exchange loop with rax as the old value.
  const ops = [s.def(inst, 'fixed', RAX), s.lateUse(inst.args[1]), s.temp()];
  const mem = lateMemOperand(s, inst, ops);
  s.emit('rmwloop', ops, { width: inst.width, alu: rmw, mem });
  return true;
}
