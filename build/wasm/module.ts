// The decoded WebAssembly module: what the decoder makes and every later stage reads. Indices are those of
// the module's index spaces (imports first); offsets are byte offsets in the file.

import type { SourceTypes } from './source-types.ts';

export type ValType = 'i32' | 'i64' | 'f32' | 'f64' | 'funcref' | 'externref';
export type RefType = 'funcref' | 'externref';

export interface FuncType {
  params: ValType[];
  results: ValType[];
}

export interface Limits {
  min: number;
  /** Absent: no maximum. */
  max?: number;
}

export interface ImportName {
  module: string;
  name: string;
}

/** A function of the module; `body` is absent for an imported one. */
export interface WasmFunc {
  index: number;
  /** Index in `types`. */
  typeIndex: number;
  type: FuncType;
  import?: ImportName;
  body?: FuncBody;
  /** From the name section, else the first export's name, else `func[INDEX]`. Not unique. */
  name: string;
  /** Names of parameters and locals from the name section, by local index. */
  localNames?: Map<number, string>;
  /** To be small rather than fast: not among those that the section `yaos.hot` names (hot.ts). */
  cold?: boolean;
}

export interface FuncBody {
  /** Types of all locals after the parameters, one entry a local. */
  locals: ValType[];
  /** Byte range of the code after the local declarations, up to and including the final `end`. */
  start: number;
  end: number;
}

export interface WasmTable extends Limits {
  index: number;
  element: RefType;
  import?: ImportName;
}

export interface WasmMemory extends Limits {
  index: number;
  shared: boolean;
  import?: ImportName;
}

export interface WasmGlobal {
  index: number;
  /** From the name section. */
  name?: string;
  type: ValType;
  mutable: boolean;
  import?: ImportName;
  /** Absent for an imported global. */
  init?: ConstExpr;
}

/** A constant expression in postfix order (extended constant expressions included). */
export type ConstExpr = ConstOp[];
export type ConstOp =
  | { op: 'const'; type: 'i32' | 'f32'; bits: number } // i32 signed; f32 as its 32 bits, unsigned
  | { op: 'const'; type: 'i64' | 'f64'; bits: bigint } // i64 signed; f64 as its 64 bits, unsigned
  | { op: 'global.get'; index: number }
  | { op: 'ref.null'; type: RefType }
  | { op: 'ref.func'; index: number }
  | { op: 'add' | 'sub' | 'mul'; type: 'i32' | 'i64' };

export type ExternKind = 'func' | 'table' | 'memory' | 'global';

export interface WasmExport {
  name: string;
  kind: ExternKind;
  index: number;
}

export interface ElemSegment {
  mode: 'active' | 'passive' | 'declarative';
  table: number;
  offset?: ConstExpr;
  element: RefType;
  items: ConstExpr[];
}

export interface DataSegment {
  mode: 'active' | 'passive';
  offset?: ConstExpr;
  bytes: Uint8Array;
}

export interface WasmModule {
  /** The whole file. */
  bytes: Uint8Array;
  types: FuncType[];
  /** For each type index, the smallest index of a structurally equal type: what call_indirect compares. */
  canonicalTypes: number[];
  funcs: WasmFunc[];
  tables: WasmTable[];
  memories: WasmMemory[];
  globals: WasmGlobal[];
  exports: WasmExport[];
  /** In the file's order, for error messages and link order. */
  imports: (ImportName & { kind: ExternKind; index: number })[];
  start?: number;
  elems: ElemSegment[];
  datas: DataSegment[];
  /** Functions whose reference can be taken: by `ref.func`, an element segment or an export. */
  referencedFuncs: Set<number>;
  /** The sourceMappingURL section's text, if there is one. */
  sourceMapUrl?: string;
  /** What the source's variables and objects are. */
  sourceTypes?: SourceTypes;
}

/** An error in the input file: one line that names what is wrong and where. The caller adds the file's name. */
export class WasmError extends Error {
  override name = 'WasmError';
  /** Byte offset in the file, where one is known. */
  readonly offset: number | undefined;
  constructor(message: string, offset?: number) {
    super(offset === undefined ? message : `at byte offset 0x${offset.toString(16)} (${offset}): ${message}`);
    this.offset = offset;
  }
}
