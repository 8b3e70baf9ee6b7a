// Active data segments in the init function. A compiler like Binaryen leaves hundreds of small ones with constant offsets
// that are known to lie in memory: those are copied by one loop over a table, the others one by one, each with its
// bounds check (WebAssembly core 4.5.4, memory.init and data.drop for each in order).

import { ByteWriter } from '../object/bytes.ts';
import type { DataSegment, WasmModule } from '../wasm/module.ts';
import { dataSymbol } from './build-memory.ts';
import type { Emitter } from './emitter.ts';
import type { Blob } from './init.ts';
import { evaluate } from './init-expr.ts';
import { checkRange, memoryAddress, memoryLimit } from './instance.ts';

const WASM_PAGE_BYTES = 65536;
const TABLE = 'yaos_data_table';
/** Destination, length, offset in the data behind the table: u32 each. */
const ENTRY_BYTES = 12;

interface Piece {
  at: number;
  bytes: Uint8Array;
}

/** Copies all active segments; `blobs` gets the data of every segment of the module. */
export function initDatas(e: Emitter, blobs: Blob[]): void {
  const { datas } = e.env.module;
  let i = 0;
  const known: Piece[] = [];
  // Only a leading run: a later segment must not be copied before an earlier one has trapped.
  for (; i < datas.length; i++) {
    if (datas[i].mode === 'passive') continue;
    const at = knownOffset(e.env.module, datas[i]);
    if (at === undefined) break;
    known.push({ at, bytes: datas[i].bytes });
  }
  const byTable = known.length > 1;
  if (byTable) copyPieces(e, joinNeighbours(e.env.module, known), blobs);
  datas.forEach((segment, n) => {
    const inTable = byTable && n < i && segment.mode === 'active';
    blobs.push({ symbol: dataSymbol(n), bytes: inTable ? new Uint8Array() : segment.bytes });
    if (segment.mode === 'active' && !inTable) copySegment(e, segment, n);
  });
}

/** The segment's constant offset, if it is certain to lie in memory as the module starts. */
function knownOffset(module: WasmModule, segment: DataSegment): number | undefined {
  const [c] = segment.offset!;
  if (segment.offset!.length !== 1 || c.op !== 'const' || c.type !== 'i32') return undefined;
  const at = c.bits >>> 0;
  const inside = at + segment.bytes.length <= module.memories[0].min * WASM_PAGE_BYTES;
  return inside ? at : undefined;
}

/** Bridges gaps that are shorter than a table entry with zeros. That is what an own memory holds there, unless pieces
 * overlap or come out of order. */
function joinNeighbours(module: WasmModule, pieces: Piece[]): Piece[] {
  const ascending = pieces.every((p, i) => i === 0 || pieces[i - 1].at + pieces[i - 1].bytes.length <= p.at);
  if (module.memories[0].import || !ascending) return pieces;
  const joined: Piece[] = [];
  let run = new ByteWriter();
  let start = 0;
  const flush = (): void => {
    if (run.length > 0) joined.push({ at: start, bytes: run.written() });
  };
  for (const p of pieces) {
    if (run.length === 0 || p.at - (start + run.length) > ENTRY_BYTES) {
      flush();
      run = new ByteWriter();
      start = p.at;
    }
    run.append(new Uint8Array(p.at - (start + run.length)));
    run.append(p.bytes);
  }
  flush();
  return joined;
}

/** for (entry = table; entry != end; entry++) memmove(entry->to, data + entry->offset, entry->length) */
function copyPieces(e: Emitter, pieces: Piece[], blobs: Blob[]): void {
  const used = pieces.filter((p) => p.bytes.length > 0);
  if (used.length === 0) return;
  const table = new ByteWriter();
  const data = new ByteWriter();
  for (const p of used) {
    table.u32(p.at);
    table.u32(p.bytes.length);
    table.u32(ENTRY_BYTES * used.length + data.length);
    data.append(p.bytes);
  }
  table.append(data.written());
  blobs.push({ symbol: TABLE, bytes: table.written() });
  const base = e.symAddr(TABLE);
  const loop = e.func.newBlock();
  const done = e.func.newBlock();
  const entry = e.func.addParam(loop, 'i64');
  e.jump({ block: loop, args: [base] });
  e.start(loop);
  const [to, length, offset] = [0, 4, 8].map((at) => e.nLoad('i32', entry, at, false));
  const source = e.add(base, e.zext(offset));
  e.emit('memcopy', 'none', [memoryAddress(e, e.zext(to)), source, e.zext(length)]);
  const next = e.add(entry, e.i64(ENTRY_BYTES));
  const end = e.add(base, e.i64(ENTRY_BYTES * used.length));
  e.branch(e.emit('ne', 'i32', [next, end]), { block: loop, args: [next] }, { block: done, args: [] });
  e.start(done);
}

function copySegment(e: Emitter, segment: DataSegment, index: number): void {
  const start = e.zext(evaluate(e, segment.offset!));
  const count = e.i64(segment.bytes.length);
  checkRange(e, start, count, memoryLimit(e), 'memory');
  if (segment.bytes.length === 0) return;
  e.emit('memcopy', 'none', [memoryAddress(e, start), e.symAddr(dataSymbol(index)), count]);
}
