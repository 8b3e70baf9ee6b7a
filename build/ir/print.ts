// The text form of the IR, for tests and for reading. parse.ts reads it back. One instruction a line:
//
//   func "name" index=3 (i32, i64) -> (i32) slots=(i32)
//   b0 depth=0 (v0 "x": i32, v1: i64):
//     v2 = load.i32 v0 offset=8 width=4 @52
//     br v2 b1(v2) b2()
//
// `.type` is the result's type, absent for none; `@` is the byte offset in the Wasm file. Attributes at their default
// are left out, and the types of the slots where there are none.

import type { Block, Edge, Func, Inst, Sig, Type } from './ir.ts';

export function printFunc(func: Func): string {
  const { name, index, sig, slots } = func;
  const frame = slots.length > 0 ? ` slots=${types(slots)}` : '';
  const lines = [
    `func ${JSON.stringify(name)} index=${index} ${types(sig.params)} -> ${types(sig.results)}${frame}`,
  ];
  for (const block of func.blocks) {
    lines.push(printBlock(func, block));
    for (const inst of block.insts) lines.push(`  ${printInst(func, inst)}`);
  }
  return `${lines.join('\n')}\n`;
}

function types(list: Type[]): string {
  return `(${list.join(', ')})`;
}

function printBlock(func: Func, block: Block): string {
  const params = block.params.map((p) => `${definition(func, p)}: ${p.type}`);
  return `b${block.id} depth=${block.loopDepth} (${params.join(', ')}):`;
}

function definition(func: Func, value: Inst): string {
  const name = func.valueNames.get(value);
  return name === undefined ? `v${value.id}` : `v${value.id} ${JSON.stringify(name)}`;
}

/** A call with several results has none itself, but its `result` instructions refer to it. */
export function hasId(inst: Inst): boolean {
  return inst.type !== 'none' || inst.op === 'call' || inst.op === 'callref';
}

export function printInst(func: Func, inst: Inst): string {
  const left = hasId(inst) ? `${definition(func, inst)} = ` : '';
  const op = inst.type === 'none' ? inst.op : `${inst.op}.${inst.type}`;
  const parts = [
    left + op,
    ...inst.args.map((a) => `v${a.id}`),
    ...attributes(inst),
    ...inst.targets.map(edge),
  ];
  if (inst.loc >= 0) parts.push(`@${inst.loc}`);
  return parts.join(' ');
}

function edge(e: Edge): string {
  return `b${e.block.id}(${e.args.map((a) => `v${a.id}`).join(', ')})`;
}

function attributes(inst: Inst): string[] {
  const list: string[] = [];
  if (inst.op === 'const') list.push(immediate(inst));
  if (inst.offset !== 0) list.push(`offset=${inst.offset}`);
  if (inst.width !== 0) list.push(`width=${inst.width}`);
  if (inst.signed) list.push('signed');
  if (!inst.mutable) list.push('immutable');
  if (inst.trap) list.push(`trap=${inst.trap}`);
  if (inst.index !== 0) list.push(`index=${inst.index}`);
  if (inst.sig) list.push(`sig=${signature(inst.sig)}`);
  if (inst.sym) list.push(`sym=${inst.sym}`);
  if (inst.rmw) list.push(`rmw=${inst.rmw}`);
  if (inst.intrinsic) list.push(`intrinsic=${inst.intrinsic}`);
  return list;
}

/** Integers in decimal, floats as their bits. */
function immediate(inst: Inst): string {
  return inst.type === 'f32' || inst.type === 'f64' ? `0x${inst.imm.toString(16)}` : String(inst.imm);
}

function signature(sig: Sig): string {
  return `(${sig.params.join()})->(${sig.results.join()})`;
}
