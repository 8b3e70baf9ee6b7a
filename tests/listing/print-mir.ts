// The text form of the machine IR, for reading: `defs = op uses`, with virtual registers before allocation and
// registers and stack slots after it. `^` is an operand's fixed register or the operand it shares one with.

import type { MBlock, MData, MFunc, MInst, MMem, Operand } from '../../build/x64/mir.ts';
import { SLOT0, XMM0 } from '../../build/x64/mir.ts';

const INTEGER = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];

export function printMir(func: MFunc): string {
  const lines = func.blocks.flatMap((block) => [
    `b${block.id} depth=${block.loopDepth}${params(block)}:`,
    ...block.insts.map((inst) => `  ${printInst(inst)}`),
  ]);
  return `${lines.join('\n')}\n`;
}

function params(block: MBlock): string {
  return block.params.length === 0 ? '' : ` (${block.params.map((v) => `v${v}`).join(', ')})`;
}

function printInst(inst: MInst): string {
  const inMemory = memoryOperands(inst);
  const defs = inst.ops.filter((o) => o.role === 'def' || o.role === 'earlydef').map(operand);
  const uses = inst.ops.filter((o, i) => /use$/.test(o.role) && !inMemory.has(i)).map(operand);
  const temps = inst.ops.filter((o) => o.role === 'temp').map(operand);
  const left = defs.length > 0 ? `${defs.join(', ')} = ` : '';
  const right = [...uses, ...payload(inst, inst.data)];
  if (temps.length > 0) right.push(`temp ${temps.join(', ')}`);
  const targets = inst.targets.map(({ block, args }) => {
    return `b${block.id}${args.length === 0 ? '' : `(${args.map((v) => `v${v}`).join(', ')})`}`;
  });
  return `${left}${inst.op}${[...right, ...targets].map((text) => ` ${text}`).join('')}`;
}

function locationName(loc: number): string {
  if (loc >= SLOT0) return `slot${loc - SLOT0}`;
  if (loc >= XMM0) return `xmm${loc - XMM0}`;
  return INTEGER[loc] ?? `r${loc}`;
}

function operand(o: Operand): string {
  if (o.loc !== -1) return locationName(o.loc);
  if (o.constraint === 'fixed') return `v${o.vreg}^${locationName(o.arg)}`;
  return o.constraint === 'reuse' ? `v${o.vreg}^${o.arg}` : `v${o.vreg}`;
}

function memoryOperands({ data }: MInst): Set<number> {
  const { mem } = data;
  return new Set(mem ? [mem.base, mem.index] : []);
}

/** What the emitter gets besides the operands. */
function payload(inst: MInst, data: MData): string[] {
  return Object.entries(data).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (name === 'mem') return [address(inst, value as MMem)];
    if (typeof value === 'object' && value !== null)
      return [`${name}={${payload(inst, value as MData).join(' ')}}`];
    return [`${name}=${value}`];
  });
}

function address(inst: MInst, m: MMem): string {
  const parts: string[] = [];
  if (m.pinned) parts.push('memory');
  if (m.context) parts.push('context');
  if (m.frame) parts.push('frame');
  if (m.sym !== undefined) parts.push(m.sym);
  if (m.base >= 0) parts.push(operand(inst.ops[m.base]));
  if (m.index >= 0) parts.push(`${operand(inst.ops[m.index])}*${m.scale}`);
  if (m.disp !== 0 || parts.length === 0) parts.push(String(m.disp));
  return `[${parts.join(' + ')}]`;
}
