// The numbers of DWARF 5 that we use, under the names of the standard (DWARF Debugging Information Format, version 5,
// §7.5 to §7.25) without their prefix, and a writer of its debugging information entries.

import { ByteWriter } from '../object/bytes.ts';

export const DWARF_VERSION = 5;
export const ADDRESS_BYTES = 8;

/** §7.5.3. */
export const TAG = {
  formal_parameter: 0x05,
  member: 0x0d,
  pointer_type: 0x0f,
  enumeration_type: 0x04,
  compile_unit: 0x11,
  structure_type: 0x13,
  inlined_subroutine: 0x1d,
  base_type: 0x24,
  subprogram: 0x2e,
  enumerator: 0x28,
  variable: 0x34,
  namespace: 0x39,
} as const;

/** §7.5.4. */
export const AT = {
  location: 0x02,
  name: 0x03,
  byte_size: 0x0b,
  stmt_list: 0x10,
  low_pc: 0x11,
  high_pc: 0x12,
  language: 0x13,
  comp_dir: 0x1b,
  inline: 0x20,
  producer: 0x25,
  const_value: 0x1c,
  abstract_origin: 0x31,
  artificial: 0x34,
  data_member_location: 0x38,
  decl_file: 0x3a,
  decl_line: 0x3b,
  encoding: 0x3e,
  frame_base: 0x40,
  type: 0x49,
  ranges: 0x55,
  call_column: 0x57,
  call_file: 0x58,
  call_line: 0x59,
} as const;

/** §7.5.6. */
export const FORM = {
  addr: 0x01,
  data2: 0x05,
  data4: 0x06,
  string: 0x08,
  data1: 0x0b,
  udata: 0x0f,
  ref4: 0x13,
  sec_offset: 0x17,
  exprloc: 0x18,
  flag_present: 0x19,
} as const;

/** §7.7.1; a register's number is added to the first. */
export const OP = {
  addr: 0x03,
  const4u: 0x0c,
  dup: 0x12,
  and: 0x1a,
  plus: 0x22,
  bra: 0x28,
  skip: 0x2f,
  reg0: 0x50,
  breg0: 0x70,
  regx: 0x90,
  fbreg: 0x91,
  deref_size: 0x94,
  call_frame_cfa: 0x9c,
  implicit_value: 0x9e,
  stack_value: 0x9f,
} as const;

/** §7.8. */
export const ATE = { boolean: 0x02, float: 0x04, signed: 0x05, unsigned: 0x07 } as const;

/** §7.12. TypeScript has no number; what a debugger knows of C++ (methods, `this`, namespaces) fits it best. */
export const LANG_CPP_14 = 0x21;

/** §7.20: the function has been inlined. */
export const INL_INLINED = 1;

/** §7.22. */
export const LNS = {
  copy: 1,
  advance_pc: 2,
  advance_line: 3,
  set_file: 4,
  set_column: 5,
  const_add_pc: 8,
  fixed_advance_pc: 9,
} as const;
export const LNE = { end_sequence: 1, set_address: 2 } as const;
export const LNCT = { path: 1, directory_index: 2 } as const;

/** §7.24; the first four carry an operand in their low bits. */
export const CFA = {
  advance_loc: 0x40,
  offset: 0x80,
  restore: 0xc0,
  advance_loc1: 0x02,
  advance_loc2: 0x03,
  advance_loc4: 0x04,
  register: 0x09,
  def_cfa: 0x0c,
  def_cfa_offset: 0x0e,
} as const;

/** §7.25. */
export const RLE = { end_of_list: 0, offset_pair: 4 } as const;

/** §7.7.3. */
export const LLE = { end_of_list: 0, offset_pair: 4 } as const;

/** Numbers of registers in debugging information, by those of machine IR: first the general ones, then xmm0 to xmm15
 * (x86-64 psABI, figure 3.36). */
export const DWARF_REGISTER: readonly number[] = [
  ...[0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15],
  ...Array.from({ length: 16 }, (_, i) => 17 + i),
];
export const RETURN_ADDRESS_REGISTER = 16;

/** Where in a section the address of text offset `to` has to be put. */
export interface TextReference {
  at: number;
  to: number;
}

export class DwarfWriter extends ByteWriter {
  /** SLEB128. */
  sleb(value: number): void {
    for (let rest = value; ; ) {
      const low = rest & 0x7f;
      rest = Math.floor(rest / 0x80);
      const last = (rest === 0 && !(low & 0x40)) || (rest === -1 && (low & 0x40) !== 0);
      this.u8(last ? low : low | 0x80);
      if (last) return;
    }
  }

  /** NUL-terminated. A NUL inside is written as the two characters `\0`. */
  text(text: string): void {
    this.append(new TextEncoder().encode(text.replaceAll('\0', '\\0')));
    this.u8(0);
  }

  /** A length of 4 bytes, and what `write` writes behind it (§7.4, the 32-bit format). */
  sized(write: () => void): void {
    const at = this.length;
    this.u32(0);
    write();
    this.patch32(at, this.length - at - 4);
  }

  patch32(at: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.overwrite(at, bytes);
  }
}
