// .debug_frame (DWARF 5 §6.4): where a frame's caller is found, at each instruction. The canonical frame address (CFA) is
// rsp before the call pushed the return address: here always at a distance from rsp, as frames have a fixed size.

import type { FrameState } from '../x64/emit.ts';
import { CFA, DWARF_REGISTER, DwarfWriter, RETURN_ADDRESS_REGISTER } from './dwarf.ts';
import type { DebugFunction } from './functions.ts';

const RSP = 7;
const CIE_ID = 0xffff_ffff;
const CIE_VERSION = 4;
/** A word below the return address, for which a register is saved. */
const DATA_ALIGN = -8;

export interface FrameSection {
  bytes: Uint8Array;
  /** Where the address of text offset `to` has to be put; `size` bytes. */
  addresses: { at: number; to: number }[];
  /** Where the offset of this section's beginning has to be put, for others of its name come before it. */
  links: number[];
}

export function writeFrames(functions: readonly DebugFunction[]): FrameSection {
  const out = new DwarfWriter();
  const addresses: FrameSection['addresses'] = [];
  const links: number[] = [];
  writeCommon(out);
  for (const { start, size, frames } of functions) {
    out.sized(() => {
      links.push(out.length);
      out.u32(0); // the common information entry is the first of ours
      addresses.push({ at: out.length, to: start });
      out.u64(0);
      out.u64(size);
      writeStates(out, frames);
      out.alignTo(8); // by DW_CFA_nop, which is 0; the length field makes it 4 off, which nobody minds
    });
  }
  return { bytes: out.written(), addresses, links };
}

/** §6.4.1: at a function's entry, rsp points to the return address. */
function writeCommon(out: DwarfWriter): void {
  out.sized(() => {
    out.u32(CIE_ID);
    out.u8(CIE_VERSION);
    out.text(''); // no augmentation
    out.u8(8); // address size
    out.u8(0); // segment selector size
    out.uleb(1); // code alignment
    out.sleb(DATA_ALIGN);
    out.uleb(RETURN_ADDRESS_REGISTER);
    out.u8(CFA.def_cfa);
    out.uleb(RSP);
    out.uleb(8);
    out.u8(CFA.offset | RETURN_ADDRESS_REGISTER);
    out.uleb(1);
    out.alignTo(8);
  });
}

function writeStates(out: DwarfWriter, states: readonly FrameState[]): void {
  let at = 0;
  let last: Omit<FrameState, 'offset'> = { depth: 0, saved: [] };
  for (const state of states) {
    if (state.depth === last.depth && state.saved.length === last.saved.length) continue;
    advance(out, state.offset - at);
    if (state.depth !== last.depth) {
      out.u8(CFA.def_cfa_offset);
      out.uleb(state.depth + 8);
    }
    // The k-th one that was pushed lies k words below the return address.
    for (let k = last.saved.length; k < state.saved.length; k++) {
      out.u8(CFA.offset | DWARF_REGISTER[state.saved[k]]);
      out.uleb(k + 2);
    }
    for (let k = state.saved.length; k < last.saved.length; k++)
      out.u8(CFA.restore | DWARF_REGISTER[last.saved[k]]);
    at = state.offset;
    last = state;
  }
}

function advance(out: DwarfWriter, distance: number): void {
  if (distance === 0) return;
  if (distance < 0x40) out.u8(CFA.advance_loc | distance);
  else if (distance < 0x100) {
    out.u8(CFA.advance_loc1);
    out.u8(distance);
  } else if (distance < 0x1_0000) {
    out.u8(CFA.advance_loc2);
    out.u16(distance);
  } else {
    out.u8(CFA.advance_loc4);
    out.u32(distance);
  }
}
