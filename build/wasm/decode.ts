// Bytes to WasmModule (WebAssembly core 5.5). Only what later stages need is checked here: that indices exist, that
// counts fit, and that nothing unsupported is used; validate.ts has the host check the rest.
//
// The decoder is our own because the wasmparser package reads float constants as JavaScript numbers (a signalling NaN
// comes out quiet), allocates an object of twenty fields for each operator, and knows no memory index of bulk
// operators. Bodies stay bytes: the SSA builder reads them once, when it translates them.

import { markCold, readHotSection } from './hot.ts';
import type {
  ConstExpr,
  ConstOp,
  DataSegment,
  ElemSegment,
  ExternKind,
  FuncBody,
  FuncType,
  ImportName,
  Limits,
  RefType,
  ValType,
  WasmFunc,
  WasmGlobal,
  WasmMemory,
  WasmModule,
} from './module.ts';
import { applyNames, type NameSection, readNameSection } from './names.ts';
import { skipImmediates } from './operators.ts';
import { Reader } from './reader.ts';
import { readTypesSection } from './source-types.ts';
import { refType, unsupported, valType } from './types.ts';

/** As V8's limit. */
const LOCALS_MAX = 50_000;
/** As V8's limit, which it checks only when it instantiates. */
const TABLE_MAX = 10_000_000;
/** Locals of all functions: a file of a few megabytes could declare 10^11 of them. */
const LOCALS_TOTAL_MAX = 10_000_000;

const KINDS: ExternKind[] = ['func', 'table', 'memory', 'global'];

interface Decoder {
  r: Reader;
  module: WasmModule;
  /** Functions declared by the function section that have not got a body yet. */
  nextBody: number;
  locals: number;
  names?: NameSection;
  hot?: string[];
}

export function decode(bytes: Uint8Array): WasmModule {
  const r = new Reader(bytes);
  checkHeader(r);
  const module: WasmModule = {
    bytes,
    types: [],
    canonicalTypes: [],
    funcs: [],
    tables: [],
    memories: [],
    globals: [],
    exports: [],
    imports: [],
    elems: [],
    datas: [],
    referencedFuncs: new Set(),
  };
  const d: Decoder = { r, module, nextBody: -1, locals: 0 };
  while (r.pos < bytes.length) readSection(d);
  if (d.nextBody >= 0 && d.nextBody < module.funcs.length)
    r.fail('function and code section differ in length');
  module.canonicalTypes = canonicalise(module.types);
  for (const e of module.exports) if (e.kind === 'func') module.referencedFuncs.add(e.index);
  applyNames(module, d.names);
  if (d.hot) markCold(module, d.hot);
  return module;
}

function checkHeader(r: Reader): void {
  if (r.end < 8) r.fail('not a WebAssembly file: too short', 0);
  const magic = r.f32Bits();
  if (magic !== 0x6d736100) r.fail('not a WebAssembly file: bad magic number', 0);
  const version = r.f32Bits();
  if (version >>> 16 !== 0) unsupported('the component model', 4);
  if (version !== 1) r.fail(`unknown WebAssembly version ${version}`, 4);
}

function readSection(d: Decoder): void {
  const r = d.r;
  const at = r.pos;
  const id = r.u8();
  const size = r.u32();
  const fileEnd = r.bytes.length;
  if (size > fileEnd - r.pos) r.fail('section extends past the end of the file', at);
  r.end = r.pos + size;
  if (id === 0) readCustom(d);
  else {
    const read = SECTIONS[id];
    if (read) read(d);
    else if (id === 13) unsupported('exception handling', at);
    else if (id === 14) unsupported('stringref', at);
    else r.fail(`unknown section ${id}`, at);
    if (r.pos !== r.end) r.fail('section size mismatch');
  }
  r.pos = r.end;
  r.end = fileEnd;
}

/** A malformed custom section is not an error (WebAssembly core 7.4: it is ignored). */
function readCustom(d: Decoder): void {
  const r = new Reader(d.r.bytes, d.r.pos, d.r.end);
  const name = r.name();
  if (name === 'name') d.names = readNameSection(r);
  else if (name === 'sourceMappingURL') d.module.sourceMapUrl = r.name();
  else if (name === 'yaos.hot') d.hot = readHotSection(r);
  else if (name === 'yaos.types') d.module.sourceTypes = readTypesSection(r);
}

type SectionReader = (d: Decoder) => void;

const SECTIONS: (SectionReader | undefined)[] = [
  undefined, // custom
  (d) => vector(d.r, () => readFuncType(d)),
  (d) => vector(d.r, () => readImport(d)),
  (d) => vector(d.r, () => defineFunc(d, d.r.u32())),
  (d) => vector(d.r, () => defineTable(d)),
  (d) => vector(d.r, () => addMemory(d)),
  (d) => vector(d.r, () => defineGlobal(d)),
  (d) => vector(d.r, () => readExport(d)),
  (d) => {
    d.module.start = index(d.r, d.module.funcs.length, 'function');
  },
  (d) => vector(d.r, () => d.module.elems.push(readElem(d))),
  readCode,
  (d) => vector(d.r, () => d.module.datas.push(readData(d))),
  (d) => {
    d.r.u32(); // data count: the data section tells it too
  },
];

function vector(r: Reader, element: () => void): void {
  for (let n = r.count(); n > 0; n--) element();
}

function index(r: Reader, count: number, what: string): number {
  const at = r.pos;
  const i = r.u32();
  return i < count ? i : r.fail(`${what} index ${i} out of range`, at);
}

// --- types ---

function readFuncType(d: Decoder): void {
  const r = d.r;
  const at = r.pos;
  const form = r.u8();
  if (form === 0x5e || form === 0x5f || (form >= 0x4c && form <= 0x50)) unsupported('garbage collection', at);
  if (form === 0x5d) unsupported('stack switching', at);
  if (form !== 0x60) r.fail(`unknown type form 0x${form.toString(16)}`, at);
  const params = valTypes(r);
  d.module.types.push({ params, results: valTypes(r) });
}

function valTypes(r: Reader): ValType[] {
  const types: ValType[] = [];
  vector(r, () => types.push(valType(r)));
  return types;
}

function canonicalise(types: FuncType[]): number[] {
  const first = new Map<string, number>();
  return types.map((t, i) => {
    const key = `${t.params.join()}:${t.results.join()}`;
    if (!first.has(key)) first.set(key, i);
    return first.get(key)!;
  });
}

/** Flags: 1 a maximum, 2 shared, 4 64-bit indices, 8 a page size. */
function readLimits(r: Reader): Limits & { shared: boolean } {
  const at = r.pos;
  const flags = r.u8();
  if (flags & 4) unsupported('memory64 (64-bit indices)', at);
  if (flags & 8) unsupported('a custom page size', at);
  if (flags > 3) r.fail(`unknown limits flags 0x${flags.toString(16)}`, at);
  const shared = (flags & 2) !== 0;
  const min = r.u32();
  return flags & 1 ? { min, max: r.u32(), shared } : { min, shared };
}

function readTableType(r: Reader): Limits & { element: RefType } {
  const element = refType(r);
  const at = r.pos;
  const { shared, ...limits } = readLimits(r);
  if (shared) unsupported('a shared table', at);
  if (limits.min > TABLE_MAX) unsupported(`a table of more than ${TABLE_MAX} elements`, at);
  return { element, ...limits };
}

function readGlobalType(r: Reader): { type: ValType; mutable: boolean } {
  const type = valType(r);
  const at = r.pos;
  const flags = r.u8();
  if (flags > 1) unsupported('a shared global', at);
  return { type, mutable: flags === 1 };
}

// --- imports and definitions ---

function readImport(d: Decoder): void {
  const { r, module } = d;
  const name: ImportName = { module: r.name(), name: r.name() };
  const at = r.pos;
  const code = r.u8();
  if (code === 4) unsupported('exception handling', at);
  const kind = KINDS[code] ?? r.fail(`unknown import kind ${code}`, at);
  const list: unknown[] = {
    func: module.funcs,
    table: module.tables,
    memory: module.memories,
    global: module.globals,
  }[kind];
  module.imports.push({ ...name, kind, index: list.length });
  if (kind === 'func') defineFunc(d, r.u32(), name);
  else if (kind === 'table') module.tables.push({ index: list.length, import: name, ...readTableType(r) });
  else if (kind === 'memory') addMemory(d, name);
  else module.globals.push({ index: list.length, import: name, ...readGlobalType(r) });
}

function defineFunc(d: Decoder, typeIndex: number, name?: ImportName): void {
  const { r, module } = d;
  const type = module.types[typeIndex] ?? r.fail(`type index ${typeIndex} out of range`);
  const func: WasmFunc = { index: module.funcs.length, typeIndex, type, name: '' };
  if (name) func.import = name;
  else if (d.nextBody < 0) d.nextBody = func.index;
  module.funcs.push(func);
}

function defineTable(d: Decoder): void {
  if (d.r.peek() === 0x40) unsupported('a table with an initial value', d.r.pos);
  d.module.tables.push({ index: d.module.tables.length, ...readTableType(d.r) });
}

function addMemory(d: Decoder, name?: ImportName): void {
  const memory: WasmMemory = { index: d.module.memories.length, ...readLimits(d.r) };
  if (name) memory.import = name;
  if (memory.index > 0) unsupported('more than one memory', d.r.pos);
  d.module.memories.push(memory);
}

function defineGlobal(d: Decoder): void {
  const { r, module } = d;
  const global: WasmGlobal = { index: module.globals.length, ...readGlobalType(r) };
  global.init = readConstExpr(d);
  module.globals.push(global);
}

function readExport(d: Decoder): void {
  const { r, module } = d;
  const name = r.name();
  const at = r.pos;
  const code = r.u8();
  if (code === 4) unsupported('exception handling', at);
  const kind = KINDS[code] ?? r.fail(`unknown export kind ${code}`, at);
  const counts = {
    func: module.funcs.length,
    table: module.tables.length,
    memory: module.memories.length,
    global: module.globals.length,
  };
  module.exports.push({ name, kind, index: index(r, counts[kind], kind) });
}

// --- constant expressions and segments ---

function readConstExpr(d: Decoder): ConstExpr {
  const expr: ConstExpr = [];
  for (;;) {
    const op = readConstOp(d);
    if (!op) return expr;
    expr.push(op);
  }
}

/** One operator of a constant expression (WebAssembly core 3.3.10 and extended-const), undefined for `end`. */
function readConstOp(d: Decoder): ConstOp | undefined {
  const { r, module } = d;
  const at = r.pos;
  const code = r.u8();
  switch (code) {
    case 0x0b:
      return undefined;
    case 0x23:
      return { op: 'global.get', index: index(r, module.globals.length, 'global') };
    case 0x41:
      return { op: 'const', type: 'i32', bits: r.s32() };
    case 0x42:
      return { op: 'const', type: 'i64', bits: r.s64() };
    case 0x43:
      return { op: 'const', type: 'f32', bits: r.f32Bits() };
    case 0x44:
      return { op: 'const', type: 'f64', bits: r.f64Bits() };
    case 0x6a:
    case 0x6b:
    case 0x6c:
      return { op: (['add', 'sub', 'mul'] as const)[code - 0x6a], type: 'i32' };
    case 0x7c:
    case 0x7d:
    case 0x7e:
      return { op: (['add', 'sub', 'mul'] as const)[code - 0x7c], type: 'i64' };
    case 0xd0:
      return { op: 'ref.null', type: refType(r) };
    case 0xd2:
      return refFunc(d);
    default:
      skipImmediates(r, code);
      return r.fail(`operator 0x${code.toString(16)} is not allowed in a constant expression`, at);
  }
}

function refFunc(d: Decoder): ConstOp {
  const func = index(d.r, d.module.funcs.length, 'function');
  d.module.referencedFuncs.add(func);
  return { op: 'ref.func', index: func };
}

/** Flags: 1 passive or declarative, 2 a table index or declarative, 4 expressions (WebAssembly core 5.5.12). */
function readElem(d: Decoder): ElemSegment {
  const r = d.r;
  const at = r.pos;
  const flags = r.u32();
  if (flags > 7) r.fail(`unknown element segment flags ${flags}`, at);
  const active = (flags & 1) === 0;
  const mode = active ? 'active' : flags & 2 ? 'declarative' : 'passive';
  const table = active && flags & 2 ? index(r, d.module.tables.length, 'table') : 0;
  const offset = active ? readConstExpr(d) : undefined;
  let element: RefType = 'funcref';
  if (flags & 3) {
    if (flags & 4) element = refType(r);
    else if (r.u8() !== 0) r.fail('unknown element kind', r.pos - 1);
  }
  return { mode, table, offset, element, items: flags & 4 ? elemExprs(d) : elemFuncs(d) };
}

function elemExprs(d: Decoder): ConstExpr[] {
  const items: ConstExpr[] = [];
  vector(d.r, () => items.push(readConstExpr(d)));
  return items;
}

/** Expressions of the same function are shared: a segment can have millions of entries. */
function elemFuncs(d: Decoder): ConstExpr[] {
  const shared = new Map<number, ConstExpr>();
  const items: ConstExpr[] = [];
  vector(d.r, () => {
    const op = refFunc(d) as { op: 'ref.func'; index: number };
    let expr = shared.get(op.index);
    if (!expr) {
      expr = [op];
      shared.set(op.index, expr);
    }
    items.push(expr);
  });
  return items;
}

/** Flags: 1 passive, 2 a memory index (WebAssembly core 5.5.14). */
function readData(d: Decoder): DataSegment {
  const r = d.r;
  const at = r.pos;
  const flags = r.u32();
  if (flags > 2) r.fail(`unknown data segment flags ${flags}`, at);
  if (flags === 2 && r.u32() !== 0) unsupported('more than one memory', at);
  const offset = flags === 1 ? undefined : readConstExpr(d);
  return { mode: flags === 1 ? 'passive' : 'active', offset, bytes: r.take(r.u32()) };
}

// --- bodies ---

function readCode(d: Decoder): void {
  const r = d.r;
  vector(r, () => {
    const at = r.pos;
    const size = r.u32();
    const func = d.module.funcs[d.nextBody++];
    if (d.nextBody <= 0 || !func) r.fail('function and code section differ in length', at);
    const end = r.pos + size;
    if (end > r.end) r.fail('function body extends past the end of the code section', at);
    func.body = readBody(d, new Reader(r.bytes, r.pos, end));
    r.pos = end;
  });
}

function readBody(d: Decoder, r: Reader): FuncBody {
  const locals: ValType[] = [];
  vector(r, () => {
    const at = r.pos;
    const n = r.u32();
    d.locals += n;
    if (locals.length + n > LOCALS_MAX) r.fail(`more than ${LOCALS_MAX} locals in a function`, at);
    if (d.locals > LOCALS_TOTAL_MAX) unsupported(`a module of more than ${LOCALS_TOTAL_MAX} locals`, at);
    const type = valType(r);
    for (let i = 0; i < n; i++) locals.push(type);
  });
  const start = r.pos;
  while (r.pos < r.end) skipImmediates(r, r.u8());
  return { locals, start, end: r.end };
}
