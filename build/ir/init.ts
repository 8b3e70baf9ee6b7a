// The module's initialisation as a function of its own (docs/abi.md §3): what instantiation does, in the order of
// WebAssembly core 4.5.4. The runtime has zeroed the context and filled in what comes from outside.

import { FUNC_FIELDS } from '../object/layout.ts';
import type { ConstExpr, ElemSegment } from '../wasm/module.ts';
import { Emitter, type ModuleEnv, sigOf, typeIdOf } from './emitter.ts';
import { initDatas } from './init-data.ts';
import { evaluate } from './init-expr.ts';
import { checkRange, referenceBytes, tableElements, tableSize } from './instance.ts';
import { type Block, type Edge, Func, type Inst } from './ir.ts';
import { arrangeLoops } from './loops.ts';

export const INIT_NAME = 'yaos_init';

/** Read-only data that the init function refers to by symbol; it needs no relocation. */
export interface Blob {
  symbol: string;
  bytes: Uint8Array;
}

export interface Init {
  func: Func;
  blobs: Blob[];
}

/** Up to this many references are stored one by one; more come from a table, in a loop. */
const UNROLLED_MAX = 8;

/** `codeSymbol` names the code of a function of the module. */
export function buildInit(env: ModuleEnv, codeSymbol: (index: number) => string): Init {
  const { module } = env;
  const e = new Emitter(new Func(INIT_NAME, -1, { params: [], results: [] }), env);
  const blobs: Blob[] = [];
  e.block = e.newBlock();
  initGlobals(e);
  initDescriptors(e, codeSymbol);
  module.elems.forEach((segment, i) => {
    if (segment.mode === 'passive') initPassiveElements(e, segment, i, blobs);
  });
  module.datas.forEach((segment, i) => {
    if (segment.mode === 'passive') e.ctxStore(env.layout.datas[i].lengthOffset, e.i64(segment.bytes.length));
  });
  module.elems.forEach((segment, i) => {
    if (segment.mode === 'active') initActiveElements(e, segment, i, blobs);
  });
  initDatas(e, blobs);
  if (module.start !== undefined) {
    const call = e.emit('call', 'none', []);
    call.index = module.start;
    call.sig = sigOf(module.funcs[module.start].type);
  }
  e.return([]);
  arrangeLoops(e.func);
  return { func: e.func, blobs };
}

function initGlobals(e: Emitter): void {
  for (const g of e.env.module.globals) {
    if (g.init && !isZero(g.init)) e.ctxStore(e.env.layout.globals[g.index].offset, evaluate(e, g.init));
  }
}

/** What the context holds already. */
function isZero(init: ConstExpr): boolean {
  const [c] = init;
  return init.length === 1 && (c.op === 'ref.null' || (c.op === 'const' && BigInt(c.bits) === 0n));
}

/** The descriptors of the module's own functions; the runtime has made those of imports. */
function initDescriptors(e: Emitter, codeSymbol: (index: number) => string): void {
  const { module, layout } = e.env;
  const context = e.ctxAddr(0);
  for (const [index, at] of layout.descriptors) {
    const func = module.funcs[index];
    if (func.import) continue;
    e.ctxStore(at + FUNC_FIELDS.code, e.symAddr(codeSymbol(index)));
    e.ctxStore(at + FUNC_FIELDS.type, e.i32(typeIdOf(e.env, func.typeIndex)));
    e.ctxStore(at + FUNC_FIELDS.index, e.i32(index));
    e.ctxStore(at + FUNC_FIELDS.context, context);
  }
}

function initPassiveElements(e: Emitter, segment: ElemSegment, index: number, blobs: Blob[]): void {
  const { lengthOffset, itemsOffset } = e.env.layout.elems[index];
  e.ctxStore(lengthOffset, e.i64(segment.items.length));
  storeReferences(e, e.ctxAddr(itemsOffset), segment, index, blobs);
}

/** table.init, then elem.drop: the length in the context stays 0. */
function initActiveElements(e: Emitter, segment: ElemSegment, index: number, blobs: Blob[]): void {
  const start = e.zext(evaluate(e, segment.offset!));
  checkRange(e, start, e.i64(segment.items.length), tableSize(e, segment.table), 'table');
  const to = e.add(tableElements(e, segment.table), referenceBytes(e, start));
  storeReferences(e, to, segment, index, blobs);
}

/** Stores a segment's references from address `to` on. */
function storeReferences(e: Emitter, to: Inst, segment: ElemSegment, index: number, blobs: Blob[]): void {
  const { items } = segment;
  const offsets = items.map((item) => descriptorOffset(e, item));
  const table = items.length > UNROLLED_MAX;
  if (table) {
    const blob = { symbol: `yaos_elem_${index}`, bytes: new Uint8Array(4 * items.length) };
    const view = new DataView(blob.bytes.buffer);
    for (let i = 0; i < offsets.length; i++) view.setInt32(4 * i, offsets[i] ?? 0, true);
    blobs.push(blob);
    storeFromTable(e, to, blob.symbol, items.length);
  }
  items.forEach((item, i) => {
    if (!table || offsets[i] === undefined) e.nStore(to, 8 * i, evaluate(e, item));
  });
}

/** What the table has for a reference: its descriptor's offset in the context, 0 for null; undefined: not a constant. */
function descriptorOffset(e: Emitter, item: ConstExpr): number | undefined {
  const [c] = item;
  if (c.op === 'ref.null') return 0;
  return c.op === 'ref.func' ? e.env.layout.descriptors.get(c.index)! : undefined;
}

/** for (i = 0; i != count; i++) to[i] = table[i] ? context + table[i] : 0 */
function storeFromTable(e: Emitter, to: Inst, symbol: string, count: number): void {
  const { func } = e;
  const source = e.symAddr(symbol);
  const context = e.ctxAddr(0);
  const loop = func.newBlock();
  const done = func.newBlock();
  const i = func.addParam(loop, 'i64');
  e.jump(edge(loop, [e.i64(0)]));
  e.start(loop);
  const offset = e.nLoad('i32', e.add(source, e.emit('shl', 'i64', [i, e.i64(2)])), 0, false);
  const address = e.add(context, e.emit('sext', 'i64', [offset]));
  const reference = e.emit('select', 'i64', [offset, address, e.i64(0)]);
  e.nStore(e.add(to, referenceBytes(e, i)), 0, reference);
  const next = e.add(i, e.i64(1));
  e.branch(e.emit('ne', 'i32', [next, e.i64(count)]), edge(loop, [next]), edge(done, []));
  e.start(done);
}

function edge(block: Block, args: Inst[]): Edge {
  return { block, args };
}
