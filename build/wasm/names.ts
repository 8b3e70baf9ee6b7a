// Function and local names: from the name section (WebAssembly core 7.4.1), else from exports, else func[INDEX].

import { WasmError, type WasmModule } from './module.ts';
import type { Reader } from './reader.ts';

export interface NameSection {
  funcs: Map<number, string>;
  locals: Map<number, Map<number, string>>;
  globals: Map<number, string>;
}

const FUNCTION_NAMES = 1;
const LOCAL_NAMES = 2;
/** Of the extended name section, which Binaryen writes. */
const GLOBAL_NAMES = 7;

/** What can be read of the section: names are a convenience, so the rest of a malformed one is ignored. */
export function readNameSection(r: Reader): NameSection {
  const names: NameSection = { funcs: new Map(), locals: new Map(), globals: new Map() };
  try {
    while (r.pos < r.end) readSubsection(r, names);
  } catch (e) {
    if (!(e instanceof WasmError)) throw e;
  }
  return names;
}

function readSubsection(r: Reader, names: NameSection): void {
  const id = r.u8();
  const size = r.u32();
  const next = r.pos + size;
  if (id === FUNCTION_NAMES) readNameMap(r, names.funcs);
  else if (id === GLOBAL_NAMES) readNameMap(r, names.globals);
  else if (id === LOCAL_NAMES) {
    for (let n = r.count(); n > 0; n--) {
      const locals = new Map<number, string>();
      names.locals.set(r.u32(), locals);
      readNameMap(r, locals);
    }
  }
  r.pos = next;
}

function readNameMap(r: Reader, into: Map<number, string>): void {
  for (let n = r.count(2); n > 0; n--) {
    const index = r.u32();
    into.set(index, printable(r.name()));
  }
}

/** Names end up in symbol tables and on terminals: control characters have no place there. */
function printable(name: string): string {
  return name.replace(/\p{Cc}/gu, '_');
}

export function applyNames(module: WasmModule, names: NameSection | undefined): void {
  const exported = new Map<number, string>();
  for (const e of module.exports) {
    if (e.kind === 'func' && !exported.has(e.index)) exported.set(e.index, printable(e.name));
  }
  for (const f of module.funcs) {
    f.name = names?.funcs.get(f.index) || exported.get(f.index) || `func[${f.index}]`;
    const locals = names?.locals.get(f.index);
    if (locals) f.localNames = locals;
  }
  for (const g of module.globals) g.name = names?.globals.get(g.index);
}
