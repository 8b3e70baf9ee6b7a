// A small assembler for WebAssembly binaries (WebAssembly core 5), so that tests need no text format: operators by
// name, bodies as flat arrays of bytes, a module builder that numbers types and sections. It knows nothing of the
// translator.

export type ValType = 'i32' | 'i64' | 'f32' | 'f64' | 'funcref' | 'externref';
export type Bytes = number[];

export interface Signature {
  params: ValType[];
  results: ValType[];
}

const TYPE_CODE: Record<ValType, number> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  funcref: 0x70,
  externref: 0x6f,
};

export function u32(value: number): Bytes {
  const bytes: Bytes = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

export function signed(value: bigint): Bytes {
  const bytes: Bytes = [];
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

export function littleEndian(value: bigint, count: number): Bytes {
  return Array.from({ length: count }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function text(value: string): Bytes {
  const bytes = [...new TextEncoder().encode(value)];
  return [...u32(bytes.length), ...bytes];
}

function vector(items: Bytes[]): Bytes {
  return [...u32(items.length), ...items.flat()];
}

function names(list: string): string[] {
  return list.trim().split(/\s+/);
}

/** Opcodes by name; operators with a prefix have several bytes. */
export const OPCODES = new Map<string, Bytes>();

function define(first: number, list: string, prefix?: number): void {
  names(list).forEach((name, i) => {
    if (name !== '-') OPCODES.set(name, prefix === undefined ? [first + i] : [prefix, ...u32(first + i)]);
  });
}

define(0x00, 'unreachable nop block loop if else');
define(0x0b, 'end br br_if br_table return call call_indirect return_call return_call_indirect');
define(0x1a, 'drop select select_t');
define(0x20, 'local.get local.set local.tee global.get global.set table.get table.set');
define(
  0x28,
  `i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load8_s i64.load8_u
   i64.load16_s i64.load16_u i64.load32_s i64.load32_u i32.store i64.store f32.store f64.store i32.store8
   i32.store16 i64.store8 i64.store16 i64.store32 memory.size memory.grow i32.const i64.const f32.const f64.const`,
);
for (const [type, first] of [
  ['i32', 0x45],
  ['i64', 0x50],
] as const) {
  const compare = 'eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u';
  define(first, compare.replace(/(\S+)/g, `${type}.$1`));
}
define(0x5b, 'f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge');
for (const [type, first] of [
  ['i32', 0x67],
  ['i64', 0x79],
] as const) {
  const arithmetic = `clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr`;
  define(first, arithmetic.replace(/(\S+)/g, `${type}.$1`));
}
for (const [type, first] of [
  ['f32', 0x8b],
  ['f64', 0x99],
] as const) {
  const arithmetic = 'abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign';
  define(first, arithmetic.replace(/(\S+)/g, `${type}.$1`));
}
define(
  0xa7,
  `i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u i64.extend_i32_s i64.extend_i32_u
   i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u f32.convert_i32_s f32.convert_i32_u
   f32.convert_i64_s f32.convert_i64_u f32.demote_f64 f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s
   f64.convert_i64_u f64.promote_f32 i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32
   f64.reinterpret_i64 i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s`,
);
define(0xd0, 'ref.null ref.is_null ref.func');
define(
  0,
  `i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u i64.trunc_sat_f32_s
   i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u memory.init data.drop memory.copy memory.fill
   table.init elem.drop table.copy table.grow table.size table.fill`,
  0xfc,
);
define(0, 'memory.atomic.notify memory.atomic.wait32 memory.atomic.wait64 atomic.fence', 0xfe);
define(
  0x10,
  `i32.atomic.load i64.atomic.load i32.atomic.load8_u i32.atomic.load16_u i64.atomic.load8_u i64.atomic.load16_u
   i64.atomic.load32_u i32.atomic.store i64.atomic.store i32.atomic.store8 i32.atomic.store16 i64.atomic.store8
   i64.atomic.store16 i64.atomic.store32`,
  0xfe,
);
['add', 'sub', 'and', 'or', 'xor', 'xchg', 'cmpxchg'].forEach((rmw, i) => {
  const widths = ['i32', 'i64', 'i32.8', 'i32.16', 'i64.8', 'i64.16', 'i64.32'];
  const list = widths.map((w) => {
    const [type, width] = w.split('.');
    return `${type}.atomic.rmw${width ?? ''}.${rmw}${width ? '_u' : ''}`;
  });
  define(0x1e + 7 * i, list.join(' '), 0xfe);
});

/** An operator and its immediates as u32s. */
export function op(name: string, ...immediates: number[]): Bytes {
  const code = OPCODES.get(name);
  if (code === undefined) throw new Error(`no operator ${name}`);
  return [...code, ...immediates.flatMap(u32)];
}

export const get = (local: number) => op('local.get', local);
export const set = (local: number) => op('local.set', local);
export const tee = (local: number) => op('local.tee', local);
export const END: Bytes = op('end');

/** A load or store with its natural alignment left at 0 (any is allowed). */
export function access(name: string, offset = 0, align = 0): Bytes {
  return [...op(name), ...u32(align), ...u32(offset)];
}

export function i32(value: number): Bytes {
  return [0x41, ...signed(BigInt(value | 0))];
}

export function i64(value: bigint): Bytes {
  return [0x42, ...signed(BigInt.asIntN(64, value))];
}

/** A constant of a number type from its bits. */
export function constant(type: ValType, bits: bigint): Bytes {
  if (type === 'i32') return i32(Number(BigInt.asIntN(32, bits)));
  if (type === 'i64') return i64(bits);
  if (type === 'f32') return [0x43, ...littleEndian(bits, 4)];
  if (type === 'f64') return [0x44, ...littleEndian(bits, 8)];
  throw new Error(`no constants of type ${type}`);
}

export const refNull = (type: 'funcref' | 'externref'): Bytes => [0xd0, TYPE_CODE[type]];

/** A constant of zero bits, or null. */
export function zero(type: ValType): Bytes {
  return type === 'funcref' || type === 'externref' ? refNull(type) : constant(type, 0n);
}

export interface Function {
  index: number;
  name: string;
  signature: Signature;
  locals: ValType[];
  body: Bytes;
  exported: boolean;
}

interface Limits {
  min: number;
  max?: number;
  shared?: boolean;
}

export class ModuleBuilder {
  readonly functions: Function[] = [];
  private readonly types: Bytes[] = [];
  private readonly typeKeys = new Map<string, number>();
  private readonly imports: Bytes[] = [];
  private importedFunctions = 0;
  private importedGlobals = 0;
  private readonly tables: Bytes[] = [];
  private memory: Limits | undefined;
  private readonly globals: Bytes[] = [];
  private readonly exports: Bytes[] = [];
  private start: number | undefined;
  private readonly elems: Bytes[] = [];
  private readonly datas: Bytes[] = [];

  type(params: ValType[], results: ValType[]): number {
    const bytes = [
      0x60,
      ...vector(params.map((p) => [TYPE_CODE[p]])),
      ...vector(results.map((r) => [TYPE_CODE[r]])),
    ];
    const key = bytes.join();
    let index = this.typeKeys.get(key);
    if (index === undefined) {
      index = this.types.push(bytes) - 1;
      this.typeKeys.set(key, index);
    }
    return index;
  }

  /** The bytes of a block type. */
  blockType(params: ValType[], results: ValType[]): Bytes {
    if (params.length === 0 && results.length === 0) return [0x40];
    if (params.length === 0 && results.length === 1) return [TYPE_CODE[results[0]]];
    return signed(BigInt(this.type(params, results)));
  }

  /** Imported functions come before all others. */
  importFunction(module: string, name: string, params: ValType[], results: ValType[]): number {
    if (this.functions.length > 0) throw new Error('imports come first');
    this.imports.push([...text(module), ...text(name), 0, ...u32(this.type(params, results))]);
    return this.importedFunctions++;
  }

  /** Imported globals come before all others. */
  importGlobal(module: string, name: string, type: ValType, mutable = false): number {
    if (this.globals.length > 0) throw new Error('imports come first');
    this.imports.push([...text(module), ...text(name), 3, TYPE_CODE[type], mutable ? 1 : 0]);
    return this.importedGlobals++;
  }

  importMemory(module: string, name: string, min: number, max: number): void {
    this.imports.push([...text(module), ...text(name), 2, ...limits({ min, max })]);
  }

  /** The index that the next function will have. */
  get nextFunction(): number {
    return this.importedFunctions + this.functions.length;
  }

  /** A function that is exported under its name. `body` is without the final `end`. */
  export(name: string, params: ValType[], results: ValType[], body: Bytes, locals: ValType[] = []): number {
    const index = this.nextFunction;
    this.functions.push({ index, name, signature: { params, results }, locals, body, exported: true });
    return index;
  }

  /** A function that is not exported. */
  internal(params: ValType[], results: ValType[], body: Bytes, locals: ValType[] = []): number {
    const index = this.export('', params, results, body, locals);
    this.functions[this.functions.length - 1].exported = false;
    return index;
  }

  setMemory(min: number, max?: number, shared = false): void {
    this.memory = { min, max, shared };
  }

  addTable(type: 'funcref' | 'externref', min: number, max?: number): number {
    return this.tables.push([TYPE_CODE[type], ...limits({ min, max })]) - 1;
  }

  addGlobal(type: ValType, mutable: boolean, init: Bytes, name?: string): number {
    const index =
      this.importedGlobals + this.globals.push([TYPE_CODE[type], mutable ? 1 : 0, ...init, ...END]) - 1;
    if (name !== undefined) this.exports.push([...text(name), 3, ...u32(index)]);
    return index;
  }

  /** Function indices into table 0 from `offset` on. */
  addElements(offset: number, functions: number[]): void {
    this.elems.push([0, ...i32(offset), ...END, ...vector(functions.map(u32))]);
  }

  addPassiveElements(functions: number[]): number {
    return this.elems.push([1, 0, ...vector(functions.map(u32))]) - 1;
  }

  addData(offset: number, bytes: Iterable<number>): void {
    const list = [...bytes];
    this.datas.push([0, ...i32(offset), ...END, ...u32(list.length), ...list]);
  }

  addPassiveData(bytes: Iterable<number>): number {
    const list = [...bytes];
    return this.datas.push([1, ...u32(list.length), ...list]) - 1;
  }

  setStart(index: number): void {
    this.start = index;
  }

  signature(name: string): Signature {
    const found = this.functions.find((f) => f.exported && f.name === name);
    if (found === undefined) throw new Error(`no export ${name}`);
    return found.signature;
  }

  /**
   * The module's bytes. With `bits`, exports that take or return floats take and return integers of the same bits
   * instead: a NaN's payload does not survive a number of JavaScript's.
   */
  build(options: { bits?: boolean } = {}): Uint8Array {
    const functions = this.functions.map((f) => ({ ...f }));
    const exports = [...this.exports];
    for (const f of this.functions) {
      if (!f.exported) continue;
      let index = f.index;
      if (options.bits && hasFloats(f.signature)) {
        index = this.importedFunctions + functions.length;
        functions.push(this.wrapper(f, index));
      }
      exports.push([...text(f.name), 0, ...u32(index)]);
    }
    const code = functions.map((f) => {
      const locals = vector(f.locals.map((l) => [1, TYPE_CODE[l]]));
      return Array.from(sized(concat([locals, f.body, END])));
    });
    const memories = this.memory ? [limits(this.memory)] : [];
    const indices = functions.map((f) => u32(this.type(f.signature.params, f.signature.results)));
    return concat([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, this.types),
      section(2, this.imports),
      section(3, indices),
      section(4, this.tables),
      section(5, memories),
      section(6, this.globals),
      section(7, exports),
      this.start === undefined ? [] : [8, ...sized(u32(this.start))],
      section(9, this.elems),
      this.datas.length > 0 ? [12, ...sized(u32(this.datas.length))] : [],
      section(10, code),
      section(11, this.datas),
    ]);
  }

  private wrapper(f: Function, index: number): Function {
    const { params, results } = f.signature;
    const body: Bytes = [];
    params.forEach((type, i) => {
      body.push(...get(i), ...fromBits(type));
    });
    body.push(...op('call', f.index));
    for (let i = results.length - 1; i >= 0; i--) body.push(...set(params.length + i));
    results.forEach((type, i) => {
      body.push(...get(params.length + i), ...toBits(type));
    });
    const signature = { params: params.map(bitsType), results: results.map(bitsType) };
    return { index, name: f.name, signature, locals: results, body, exported: true };
  }
}

export const valTypeCode = (type: ValType): number => TYPE_CODE[type];

export function bitsType(type: ValType): ValType {
  return type === 'f32' ? 'i32' : type === 'f64' ? 'i64' : type;
}

export function fromBits(type: ValType): Bytes {
  return type === 'f32' ? op('f32.reinterpret_i32') : type === 'f64' ? op('f64.reinterpret_i64') : [];
}

export function toBits(type: ValType): Bytes {
  return type === 'f32' ? op('i32.reinterpret_f32') : type === 'f64' ? op('i64.reinterpret_f64') : [];
}

function hasFloats(s: Signature): boolean {
  return [...s.params, ...s.results].some((t) => t === 'f32' || t === 'f64');
}

function limits({ min, max, shared }: Limits): Bytes {
  return [
    (max === undefined ? 0 : 1) | (shared ? 2 : 0),
    ...u32(min),
    ...(max === undefined ? [] : u32(max)),
  ];
}

/** Bodies may be too long for an argument list, so this works on the whole. */
function concat(parts: ArrayLike<number>[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const p of parts) {
    result.set(p, at);
    at += p.length;
  }
  return result;
}

function sized(bytes: ArrayLike<number>): Uint8Array {
  return concat([u32(bytes.length), bytes]);
}

function section(id: number, items: Bytes[]): Uint8Array {
  if (items.length === 0) return new Uint8Array();
  return concat([[id], sized(concat([u32(items.length), ...items]))]);
}
