// The machine intrinsics of docs/abi.md §6: Wasm imports from module `x86` that become the instruction itself. Each entry
// says where operands and result must be and how the instruction is emitted. The selector keeps them in order
// (ir.ts: op 'x86' is pinned), so none is ever moved, merged or dropped.

import type { ValType } from '../wasm/module.ts';
import type { Assembler, Mem } from './asm.ts';
import { RAX, RBX, RCX, RDX } from './mir.ts';

interface Signature {
  signature: { params: ValType[]; results: ValType[] };
}

/** An access to linear memory, selected like any other one but for being left where it is. */
export interface VolatileAccess extends Signature {
  access: 'load' | 'store';
  width: 1 | 2 | 4 | 8;
}

export interface Instruction extends Signature {
  /** The register of each operand; 'any': the allocator's choice. */
  params: (number | 'any')[];
  result?: number | 'any';
  clobbers?: number[];
  /** Only so many low bytes of the last operand count. */
  width?: number;
  /** `regs`: result (if there is one), operands. */
  emit(a: Assembler, regs: number[]): void;
}

export type Intrinsic = VolatileAccess | Instruction;

const at = (base: number): Mem => ({ base, index: -1, scale: 1, disp: 0 });

function portIn(width: 1 | 2 | 4): Instruction {
  return {
    signature: { params: ['i32'], results: ['i32'] },
    params: [RDX],
    result: RAX,
    emit(a) {
      a.in(width);
      if (width < 4) a.movzx(RAX, RAX, width as 1 | 2);
    },
  };
}

function portOut(width: 1 | 2 | 4): Instruction {
  return {
    signature: { params: ['i32', 'i32'], results: [] },
    params: [RDX, RAX],
    width,
    emit: (a) => a.out(width),
  };
}

function peekAt(width: 1 | 4 | 8): Instruction {
  return {
    signature: { params: ['i64'], results: [width === 8 ? 'i64' : 'i32'] },
    params: ['any'],
    result: 'any',
    emit: (a, [to, from]) => a.load(to, at(from), width, false, width === 8 ? 8 : 4),
  };
}

function access(op: 'load' | 'store', width: 1 | 2 | 4 | 8): VolatileAccess {
  const value: ValType = width === 8 ? 'i64' : 'i32';
  const loads = op === 'load';
  return {
    signature: { params: loads ? ['i32'] : ['i32', value], results: loads ? [value] : [] },
    access: op,
    width,
  };
}

function plain(emit: (a: Assembler) => void): Instruction {
  return { signature: { params: [], results: [] }, params: [], emit };
}

function readControl(n: number): Instruction {
  return {
    signature: { params: [], results: ['i64'] },
    params: [],
    result: 'any',
    emit: (a, [to]) => a.movFromCr(n, to),
  };
}

/** cpuid writes four registers; the wanted one is the result, the others are destroyed. */
function cpuid(result: number): Instruction {
  return {
    signature: { params: ['i32', 'i32'], results: ['i32'] },
    params: [RAX, RCX],
    result,
    clobbers: [RAX, RBX, RCX, RDX].filter((r) => r !== result),
    emit: (a) => a.cpuid(),
  };
}

export const INTRINSICS: Record<string, Intrinsic> = {
  in8: portIn(1),
  in16: portIn(2),
  in32: portIn(4),
  out8: portOut(1),
  out16: portOut(2),
  out32: portOut(4),
  load8: access('load', 1),
  load16: access('load', 2),
  load32: access('load', 4),
  load64: access('load', 8),
  store8: access('store', 1),
  store16: access('store', 2),
  store32: access('store', 4),
  store64: access('store', 8),
  peek8: peekAt(1),
  peek32: peekAt(4),
  peek64: peekAt(8),
  cpu: {
    signature: { params: [], results: ['i32'] },
    params: [],
    result: 'any',
    emit: (a, [to]) => a.loadGs(to), // asm/gdt.S
  },
  rdmsr: {
    signature: { params: ['i32'], results: ['i64'] },
    params: [RCX],
    result: RAX,
    clobbers: [RDX],
    emit(a) {
      a.rdmsr();
      joinEdxEax(a);
    },
  },
  wrmsr: {
    signature: { params: ['i32', 'i64'], results: [] },
    params: [RCX, RAX],
    clobbers: [RDX],
    emit(a) {
      a.mov(8, RDX, RAX);
      a.shift('shr', 8, RDX, 32);
      a.wrmsr();
    },
  },
  read_cr0: readControl(0),
  read_cr2: readControl(2),
  read_cr3: readControl(3),
  read_cr4: readControl(4),
  cpuid_eax: cpuid(RAX),
  cpuid_ebx: cpuid(RBX),
  cpuid_ecx: cpuid(RCX),
  cpuid_edx: cpuid(RDX),
  rdtsc: {
    signature: { params: [], results: ['i64'] },
    params: [],
    result: RAX,
    clobbers: [RDX],
    emit(a) {
      // Without the fence rdtsc may run before earlier instructions have finished (Intel SDM 2B, RDTSC).
      a.lfence();
      a.rdtsc();
      joinEdxEax(a);
    },
  },
  mfence: plain((a) => a.mfence()),
  lfence: plain((a) => a.lfence()),
  sfence: plain((a) => a.sfence()),
  pause: plain((a) => a.pause()),
  hlt: plain((a) => a.hlt()),
  cli: plain((a) => a.cli()),
  sti: plain((a) => a.sti()),
  // sti delays interrupts by one instruction (Intel SDM 2B, STI): none slips between it and hlt.
  sti_hlt: plain((a) => {
    a.sti();
    a.hlt();
  }),
  // Nothing to execute: a mark for proofs (docs/abi.md §10).
  threads_only: plain(() => {}),
  irq_save: {
    signature: { params: [], results: ['i32'] },
    params: [],
    result: 'any',
    emit(a, [to]) {
      a.pushfq();
      a.pop(to);
      a.cli();
    },
  },
  irq_restore: {
    signature: { params: ['i32'], results: [] },
    params: ['any'],
    emit(a, [flags]) {
      a.push(flags);
      a.popfq();
    },
  },
};

function joinEdxEax(a: Assembler): void {
  a.shift('shl', 8, RDX, 32);
  a.alu('or', 8, RAX, RDX);
}

/** Whether an import is an intrinsic of the fixed model. */
export function isIntrinsic(module: string, name: string): boolean {
  return module === 'x86' && Object.hasOwn(INTRINSICS, name);
}
