// Turns a module's imports into definitions, so that it can run anywhere. Imports come first in every index space, and
// so do the definitions that take their places: no index changes.

import { decode } from '../../build/wasm/decode.ts';
import type { WasmGlobal } from '../../build/wasm/module.ts';
import {
  type Bytes,
  constant,
  END,
  get,
  i64,
  op,
  toBits,
  u32,
  type ValType,
  valTypeCode,
  zero,
} from './wasm.ts';

const TYPES = 1;
const IMPORTS = 2;
const FUNCTIONS = 3;
const GLOBALS = 6;
const EXPORTS = 7;
const CODE = 10;
/** The order of sections in a file (WebAssembly core 5.5.2); 12 is the data count. */
const ORDER = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];

/** A section's items as they are in the file; of sections that are not vectors, the whole content in `rest`. */
interface Section {
  count: number;
  rest: Bytes;
}

/**
 * Functions that log (`log-i32` and the like) mix their argument into a hash, which the new export `logged` returns;
 * all others return zeros. Globals are zero.
 */
export function withoutImports(bytes: Uint8Array): Uint8Array {
  const module = decode(bytes);
  const sections = split(bytes);
  const functions = module.funcs.filter((f) => f.import);
  const globals = module.globals.filter((g) => g.import);
  const hash = module.globals.length;
  const type = append(sections, TYPES, [0x60, 0, 1, valTypeCode('i64')]);
  sections.delete(IMPORTS);
  prepend(sections, GLOBALS, globals.map(definition));
  append(sections, GLOBALS, [valTypeCode('i64'), 1, ...i64(1n), ...END]);
  prepend(
    sections,
    FUNCTIONS,
    functions.map((f) => u32(f.typeIndex)),
  );
  append(sections, FUNCTIONS, u32(type));
  const bodies = functions.map(({ type: { params, results }, import: from }) =>
    body(from!.name.startsWith('log-') ? mix(hash, params[0]) : results.flatMap(zero)),
  );
  prepend(sections, CODE, bodies);
  append(sections, CODE, body(op('global.get', hash)));
  append(sections, EXPORTS, [6, ...Buffer.from('logged'), 0, ...u32(module.funcs.length)]);
  return join(sections);
}

function definition({ type, mutable }: WasmGlobal): Bytes {
  return [valTypeCode(type), mutable ? 1 : 0, ...zero(type), ...END];
}

function body(code: Bytes): Bytes {
  const whole = [0, ...code, ...END];
  return [...u32(whole.length), ...whole];
}

function mix(hash: number, type: ValType): Bytes {
  const wide = type === 'i32' || type === 'f32' ? op('i64.extend_i32_u') : [];
  const prime = constant('i64', 0x100000001b3n);
  return [
    ...[...op('global.get', hash), ...get(0), ...toBits(type), ...wide, ...op('i64.xor')],
    ...[...prime, ...op('i64.mul'), ...op('global.set', hash)],
  ];
}

/** Custom sections are left out. */
function split(bytes: Uint8Array): Map<number, Section> {
  const sections = new Map<number, Section>();
  let at = 8;
  const readU32 = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  while (at < bytes.length) {
    const id = bytes[at++];
    const size = readU32();
    const end = at + size;
    const isVector = id !== 0 && id !== 8 && id !== 12;
    const count = isVector ? readU32() : -1;
    if (id !== 0) sections.set(id, { count, rest: [...bytes.subarray(at, end)] });
    at = end;
  }
  return sections;
}

function sectionOf(sections: Map<number, Section>, id: number): Section {
  const found = sections.get(id) ?? { count: 0, rest: [] };
  sections.set(id, found);
  return found;
}

function prepend(sections: Map<number, Section>, id: number, items: Bytes[]): void {
  const section = sectionOf(sections, id);
  section.count += items.length;
  section.rest = [...items.flat(), ...section.rest];
}

/** Returns the item's position. */
function append(sections: Map<number, Section>, id: number, item: Bytes): number {
  const section = sectionOf(sections, id);
  section.rest = [...section.rest, ...item];
  return section.count++;
}

function join(sections: Map<number, Section>): Uint8Array {
  const parts = ORDER.flatMap((id) => {
    const section = sections.get(id);
    if (section === undefined || section.count === 0) return [];
    const content = [...(section.count < 0 ? [] : u32(section.count)), ...section.rest];
    return [id, ...u32(content.length), ...content];
  });
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...parts]);
}
