// Calls and tail calls, direct and through tables (WebAssembly core 4.4.8).

import { FUNC_FIELDS } from '../object/layout.ts';
import type { FuncBuilder } from './build.ts';
import { sigOf } from './emitter.ts';
import { elementAddress, tableElements, tableSize } from './instance.ts';
import type { Inst, Op, Sig } from './ir.ts';

export function buildCall(b: FuncBuilder, opcode: number): void {
  const index = b.reader.u32();
  if (opcode === 0x10 || opcode === 0x12) direct(b, index, opcode === 0x12);
  else indirect(b, index, b.reader.u32(), opcode === 0x13);
}

function direct(b: FuncBuilder, index: number, tail: boolean): void {
  const func = b.env.module.funcs[index];
  const sig = sigOf(func.type);
  const args = b.popMany(sig.params.length);
  const name = func.import;
  if (name && b.env.model === 'fixed' && b.env.isIntrinsic(name.module, name.name)) {
    const inst = b.e.emit('x86', sig.results[0] ?? 'none', args);
    inst.intrinsic = name.name;
    if (sig.results.length > 0) b.push(inst);
    if (tail) b.e.return(b.top(sig.results.length));
    return;
  }
  const call = emitCall(b, tail ? 'tailcall' : 'call', sig, args);
  call.index = index;
}

/** Bounds, then null (the load of the type faults in the first page), then the type. */
function indirect(b: FuncBuilder, typeIndex: number, table: number, tail: boolean): void {
  const { e } = b;
  const { module } = b.env;
  const sig = sigOf(module.types[typeIndex]);
  const index = e.zext(b.pop());
  const args = b.popMany(sig.params.length);
  e.trapIf(e.emit('geu', 'i32', [index, tableSize(e, table)]), 'undefinedElement');
  const func = e.nLoad('i64', elementAddress(e, tableElements(e, table), index), 0);
  const type = e.nLoad('i32', func, FUNC_FIELDS.type, false);
  type.trap = 'uninitializedElement';
  e.trapIf(e.emit('ne', 'i32', [type, e.i32(module.canonicalTypes[typeIndex])]), 'signature');
  emitCall(b, tail ? 'tailcallref' : 'callref', sig, [func, ...args]);
}

function emitCall(b: FuncBuilder, op: Op, sig: Sig, args: Inst[]): Inst {
  const tail = op === 'tailcall' || op === 'tailcallref';
  const single = !tail && sig.results.length === 1;
  const call = b.e.emit(op, single ? sig.results[0] : 'none', args);
  call.sig = sig;
  if (tail) b.e.block = undefined;
  else if (single) b.push(call);
  else pushResults(b, call, sig);
  return call;
}

function pushResults(b: FuncBuilder, call: Inst, sig: Sig): void {
  sig.results.forEach((type, i) => {
    const result = b.e.emit('result', type, [call]);
    result.index = i;
    b.push(result);
  });
}
