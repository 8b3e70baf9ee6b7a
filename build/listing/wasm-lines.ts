// A function's body as lines of WebAssembly's text format, one operator a line, each with its offset in the file.

import type { WasmFunc, WasmModule } from '../wasm/module.ts';
import { operatorName } from '../wasm/operator-names.ts';
import { skipImmediates } from '../wasm/operators.ts';
import { Reader } from '../wasm/reader.ts';

export interface WasmLine {
  offset: number;
  /** Blocks that it is in. */
  depth: number;
  text: string;
}

const PREFIXES: ReadonlySet<number> = new Set([0xfc, 0xfe]);
const OPENING: ReadonlySet<number> = new Set([0x02, 0x03, 0x04]);
const ELSE = 0x05;
const END = 0x0b;
const BLOCK_TYPES: Record<number, string> = { 64: '', 127: 'i32', 126: 'i64', 125: 'f32', 124: 'f64' };

export function wasmLines(module: WasmModule, { body, localNames }: WasmFunc): WasmLine[] {
  const lines: WasmLine[] = [];
  if (!body) return lines;
  const reader = new Reader(module.bytes, body.start, body.end);
  let depth = 0;
  while (reader.pos < body.end) {
    const offset = reader.pos;
    const opcode = reader.u8();
    const immediates = new Reader(module.bytes, reader.pos, body.end);
    skipImmediates(reader, opcode);
    if (opcode === END || opcode === ELSE) depth = Math.max(0, depth - 1);
    const sub = PREFIXES.has(opcode) ? immediates.u32() : 0;
    const name = operatorName(opcode, sub);
    const operands = operandsOf(name, immediates, reader.pos, { module, localNames });
    lines.push({ offset, depth, text: operands === '' ? name : `${name} ${operands}` });
    if (OPENING.has(opcode) || opcode === ELSE) depth++;
  }
  return lines;
}

interface Names {
  module: WasmModule;
  localNames: WasmFunc['localNames'];
}

function operandsOf(name: string, r: Reader, end: number, { module, localNames }: Names): string {
  const typed = (index: number) => {
    const { params, results } = module.types[index];
    return `(${params}) -> (${results})`;
  };
  switch (name) {
    case 'call':
    case 'return_call':
    case 'ref.func': {
      const { import: from, name: called } = module.funcs[r.u32()];
      return from ? `${from.module}.${from.name}` : called;
    }
    case 'call_indirect':
    case 'return_call_indirect':
      return typed(r.u32());
    case 'local.get':
    case 'local.set':
    case 'local.tee': {
      const index = r.u32();
      return localNames?.get(index) ?? `${index}`;
    }
    case 'block':
    case 'loop':
    case 'if': {
      const type = BLOCK_TYPES[r.peek()];
      return type ?? typed(r.s33());
    }
    case 'i32.const':
      return `${r.s32()}`;
    case 'i64.const':
      return `${r.s64()}`;
    case 'f32.const':
      return `${new Float32Array(Uint32Array.of(r.f32Bits()).buffer)[0]}`;
    case 'f64.const':
      return `${new Float64Array(BigUint64Array.of(r.f64Bits()).buffer)[0]}`;
    default:
      if (/load|store|atomic\.(rmw|notify|wait)/.test(name)) {
        r.u32(); // alignment
        const offset = r.u32();
        return offset === 0 ? '' : `offset=${offset}`;
      }
      return numbers(r, end);
  }
}

function numbers(r: Reader, end: number): string {
  const found = [];
  while (r.pos < end) found.push(r.u32());
  return found.join(' ');
}
