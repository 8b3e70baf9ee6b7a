// Calls and tail calls, direct and through tables (WebAssembly core 4.4.8).

import { FIXED_FIELDS, FUNC_FIELDS } from '../object/layout.ts';
import type { FuncBuilder } from './build.ts';
import { sigOf, typeIdOf } from './emitter.ts';
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
  e.trapIf(e.emit('ne', 'i32', [type, e.i32(typeIdOf(b.env, typeIndex))]), 'signature');
  emitCall(b, tail ? 'tailcallref' : 'callref', sig, [callable(b, func, typeIndex), ...args]);
}

/** What a call through `func` needs in rax. A function of another instance wants that one's context: a thunk, with a
 * descriptor of its own in the context, finds the function there and changes contexts. */
function callable(b: FuncBuilder, func: Inst, typeIndex: number): Inst {
  const { e, env } = b;
  if (!env.crossing) return func;
  const crossing = env.layout.crossing!;
  const [foreign, join] = [e.func.newBlock(), e.func.newBlock()];
  const found = e.func.addParam(join, 'i64');
  const own = e.nLoad('i64', func, FUNC_FIELDS.context, false);
  const differs = e.emit('ne', 'i32', [own, e.ctxAddr(0)]);
  e.branch(differs, { block: foreign, args: [] }, { block: join, args: [func] });
  e.start(foreign);
  e.ctxStore(FIXED_FIELDS.foreign, func);
  e.ctxStore(crossing + FUNC_FIELDS.code, e.symAddr(env.crossing(typeIndex)));
  e.jump({ block: join, args: [e.ctxAddr(crossing)] });
  e.start(join);
  return found;
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
  b.passes(sig.results.length);
  sig.results.forEach((type, i) => {
    const result = b.e.emit('result', type, [call]);
    result.index = i;
    b.push(result);
  });
}
