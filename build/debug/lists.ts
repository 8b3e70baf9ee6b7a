// .debug_rnglists and .debug_loclists (DWARF 5 §2.17.3 and §2.6.2): which stretches of code belong to an entry, and where a
// variable is in which. Offsets count from the compilation unit's beginning, which is the text's.

import { bytesOf } from '../ir/ir.ts';
import { R15 } from '../x64/mir.ts';
import { ADDRESS_BYTES, DWARF_REGISTER, DWARF_VERSION, DwarfWriter, LLE, OP, RLE } from './dwarf.ts';
import type { Range, ValueAt } from './functions.ts';
import type { ValuePlace } from './values.ts';

/** The rest of the header behind the length (§7.28, §7.29), which is that of both sections. */
function writeHeader(out: DwarfWriter): void {
  out.u16(DWARF_VERSION);
  out.u8(ADDRESS_BYTES);
  out.u8(0); // segment selector size
  out.u32(0); // no table of offsets
}
const HEADER_BYTES = 12;

export class Lists {
  private readonly rangeLists = new DwarfWriter();
  private readonly locationLists = new DwarfWriter();
  /** Of places in registers and in the frame, which are few, by their number or offset. */
  private readonly registers = new Map<number, Uint8Array>();
  private readonly slots = new Map<number, Uint8Array>();

  /** Returns the list's offset in .debug_rnglists. */
  addRanges(ranges: readonly Range[]): number {
    const { rangeLists: out } = this;
    const at = HEADER_BYTES + out.length;
    for (const { start, end } of ranges) {
      out.u8(RLE.offset_pair);
      out.uleb(start);
      out.uleb(end);
    }
    out.u8(RLE.end_of_list);
    return at;
  }

  /**
   * Returns the list's offset in .debug_loclists; undefined: the variable is nowhere. `isOffset`: what is there is an object's
   * offset in linear memory, and the variable is its address.
   */
  addLocations(values: readonly ValueAt[], isOffset: boolean): number | undefined {
    if (values.length === 0) return undefined;
    const { locationLists: out } = this;
    const at = HEADER_BYTES + out.length;
    for (const { start, end, at: place } of values) {
      out.u8(LLE.offset_pair);
      out.uleb(start);
      out.uleb(end);
      const expression = isOffset ? addressAt(place) : this.expression(place);
      out.uleb(expression.length);
      out.append(expression);
    }
    out.u8(LLE.end_of_list);
    return at;
  }

  private expression(place: ValuePlace): Uint8Array {
    if (place.kind === 'register') return known(this.registers, place.register, place);
    return place.kind === 'frame' ? known(this.slots, place.offset, place) : expressionFor(place);
  }

  ranges(): Uint8Array {
    return withHeader(this.rangeLists);
  }

  locations(): Uint8Array {
    return withHeader(this.locationLists);
  }
}

function withHeader(lists: DwarfWriter): Uint8Array {
  const out = new DwarfWriter();
  out.sized(() => {
    writeHeader(out);
    out.append(lists.written());
  });
  return out.written();
}

function known(expressions: Map<number, Uint8Array>, key: number, place: ValuePlace): Uint8Array {
  let expression = expressions.get(key);
  if (!expression) {
    expression = expressionFor(place);
    expressions.set(key, expression);
  }
  return expression;
}

/** §2.6.1. */
function expressionFor(place: ValuePlace): Uint8Array {
  const out = new DwarfWriter();
  if (place.kind === 'register') {
    const register = DWARF_REGISTER[place.register];
    if (register < 32) out.u8(OP.reg0 + register);
    else {
      out.u8(OP.regx);
      out.uleb(register);
    }
  } else if (place.kind === 'frame') {
    out.u8(OP.fbreg);
    out.sleb(place.offset);
  } else {
    const { type, imm } = place.value;
    const bytes = bytesOf(type);
    out.u8(OP.implicit_value);
    out.uleb(bytes);
    if (bytes === 4) out.u32(Number(imm));
    else out.u64(BigInt(imm));
  }
  return out.written();
}

/** Of DW_OP_skip with its operand. */
const SKIP_BYTES = 3;

/** The base of linear memory is in r15 (docs/abi.md §2). A null reference is a null pointer. */
function addressAt(place: ValuePlace): Uint8Array {
  const out = new DwarfWriter();
  if (place.kind === 'register') {
    out.u8(OP.breg0 + DWARF_REGISTER[place.register]);
    out.sleb(0);
    out.u8(OP.const4u); // of an i32 only the low half is its value
    out.u32(0xffff_ffff);
    out.u8(OP.and);
  } else if (place.kind === 'frame') {
    out.u8(OP.fbreg);
    out.sleb(place.offset);
    out.u8(OP.deref_size);
    out.u8(4);
  } else {
    out.u8(OP.const4u);
    out.u32(Number(place.value.imm) >>> 0);
  }
  const base = new DwarfWriter();
  base.u8(OP.breg0 + DWARF_REGISTER[R15]);
  base.sleb(0);
  base.u8(OP.plus);
  out.u8(OP.dup);
  out.u8(OP.bra); // unless it is null
  out.u16(SKIP_BYTES);
  out.u8(OP.skip);
  out.u16(base.length);
  out.append(base.written());
  out.u8(OP.stack_value);
  return out.written();
}
