// Collects the code and constants of a translation unit: functions one after the other in .text, constants, jump tables
// and segments in .rodata; then resolves what refers to what. References inside .text are patched right away, so that
// only those to other sections and to outside symbols become relocations.

import type { TrapName } from '../ir/ir.ts';
import { LOOP_ALIGN } from '../x64/align.ts';
import type { Callee, EmittedFunction } from '../x64/emit.ts';
import type { FrameState } from '../x64/emitter.ts';
import { ByteWriter } from './bytes.ts';
import type { ElfObject, ElfSection } from './elf.ts';

export interface PlacedFunction {
  /** What other code calls it by; unique. */
  key: string;
  /** The symbol's name; need not be unique. */
  name: string;
  /** Index in the module; undefined: it is none of the module's. */
  func: number | undefined;
  start: number;
  size: number;
  /** Bytes from rsp after the prologue to the return address. */
  frame: number;
  /** Bytes of stack arguments that it pops on return. */
  pop: number;
  frames: readonly FrameState[];
  /** Callee-saved registers in the order they are pushed. */
  saved: readonly number[];
  calls: readonly Callee[];
}

/** What code calls function `index` of the module by. */
export function functionKey(index: number): string {
  return `yaos_func_${index}`;
}

type Reloc = EmittedFunction['relocs'][number];

export class Program {
  readonly functions: PlacedFunction[] = [];
  readonly traps: { offset: number; kind: TrapName }[] = [];
  /**
   * Location of the code at a text offset, and offset in the Wasm file of the function body that it is in. `stops`: text
   * offsets in it that a back trace may ask for, the first and the last.
   */
  readonly lines: { offset: number; loc: number; stops: number[]; bodyStart: number }[] = [];
  /** Some function uses a float register. */
  usesFloat = false;
  /** Text offset of each function's key. */
  private readonly keys = new Map<string, number>();
  private readonly text = new ByteWriter();
  private readonly rodata = new ByteWriter();
  /** Offset in .rodata of each symbol that lives there. */
  private readonly constants = new Map<string, number>();
  private readonly relocs: Reloc[] = [];
  private readonly tables: { at: number; function: number; offsets: number[] }[] = [];

  /** The symbol of a constant of 4, 8 or 16 bytes; equal ones are kept once. */
  constant(bits: bigint, bytes: 4 | 8 | 16): string {
    const symbol = `yaos.const${bytes}.${bits.toString(16)}`;
    if (!this.constants.has(symbol)) {
      const data = new Uint8Array(bytes);
      let rest = bits;
      for (let i = 0; i < bytes; i++, rest >>= 8n) data[i] = Number(rest & 0xffn);
      this.blob(symbol, data, bytes);
    }
    return symbol;
  }

  /** Places read-only data under a symbol. */
  blob(symbol: string, data: Uint8Array, align: number): void {
    this.rodata.alignTo(align);
    this.constants.set(symbol, this.rodata.length);
    this.rodata.append(data);
  }

  /** `func` and `bodyStart`: which of the module's functions it is, and where that begins in the file. */
  add(key: string, f: EmittedFunction, func?: number, bodyStart = 0): void {
    this.text.alignTo(f.align, 0xcc);
    const start = this.text.length;
    this.text.append(f.code);
    this.keys.set(key, start);
    const { name, frame, frames, saved, calls, popped: pop } = f;
    const size = f.code.length;
    this.functions.push({ key, name, func, start, size, frame, pop, frames, saved, calls });
    this.usesFloat ||= f.usesFloat;
    for (const t of f.traps) this.traps.push({ offset: start + t.offset, kind: t.kind });
    for (const { offset, loc, stops } of f.lines)
      this.lines.push({ offset: start + offset, loc, stops: stops.map((at) => start + at), bodyStart });
    for (const r of f.relocs) this.relocs.push({ ...r, offset: start + r.offset });
    for (const t of f.tables) {
      this.blob(t.symbol, new Uint8Array(4 * t.offsets.length), 4);
      this.tables.push({ at: this.constants.get(t.symbol)!, function: start, offsets: t.offsets });
    }
  }

  /** All code; final once it has been written to an object. */
  code(): Uint8Array {
    return this.text.written();
  }

  /** What the code refers to by symbol or by a function's name, by the field's offset. */
  references(): Map<number, string> {
    const names = new Map(this.functions.map((f) => [f.key, f.name]));
    return new Map(this.relocs.map((r) => [r.offset, names.get(r.sym) ?? r.sym]));
  }

  /** Where the jump tables of a function lead to. */
  tableTargets(f: PlacedFunction): number[] {
    return this.tables
      .filter((t) => t.function === f.start)
      .flatMap((t) => t.offsets.map((o) => f.start + o));
  }

  get textSize(): number {
    return this.text.length;
  }

  offsetOf(key: string): number | undefined {
    return this.keys.get(key);
  }

  /** Writes .text and .rodata with their relocations; returns .text for further symbols. */
  writeTo(elf: ElfObject): ElfSection {
    const bytes = this.text.written();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const text = elf.section('.text', { type: 'progbits', flags: 'ax', align: LOOP_ALIGN, bytes });
    const rodata = elf.section('.rodata', {
      type: 'progbits',
      flags: 'a',
      align: 16,
      bytes: this.rodata.written(),
    });
    for (const r of this.relocs) {
      const inText = this.keys.get(r.sym);
      const inRodata = this.constants.get(r.sym);
      if (inText !== undefined && (r.kind === 'pc32' || r.kind === 'plt32')) {
        view.setInt32(r.offset, inText + r.addend - r.offset, true);
      } else if (inText !== undefined) {
        elf.relocation(text, r.offset, r.kind, text, inText + r.addend);
      } else if (inRodata !== undefined) {
        elf.relocation(text, r.offset, r.kind, rodata, inRodata + r.addend);
      } else {
        elf.relocation(text, r.offset, r.kind, r.sym, r.addend);
      }
    }
    for (const t of this.tables) {
      // Entry i is label - table; as a PC-relative relocation at table + 4i it lacks the 4i.
      t.offsets.forEach((o, i) => {
        elf.relocation(rodata, t.at + 4 * i, 'pc32', text, t.function + o + 4 * i);
      });
    }
    return text;
  }
}
