// .debug_frame (DWARF 5 §6.4): where a frame's caller is found, at each instruction. The canonical frame address (CFA) is
// rsp behind the call, when the callee has popped its arguments (docs/abi.md §2): a tail call leaves that as it is. It is
// always at a known distance from rsp, as frames have a fixed size.

import type { FrameState } from '../x64/emitter.ts';
import { CFA, DWARF_REGISTER, DwarfWriter, RETURN_ADDRESS_REGISTER, type TextReference } from './dwarf.ts';
import type { DebugFunction } from './functions.ts';

const RSP = 7;
const CIE_ID = 0xffff_ffff;
const CIE_VERSION = 4;
/** Registers are saved in words below the CFA. */
const DATA_ALIGN = -8;
/** A function's frame at its entry. */
const ENTRY: Omit<FrameState, 'offset'> = { depth: 0, saved: 0, returnIn: -1 };

export interface FrameSection {
  bytes: Uint8Array;
  addresses: TextReference[];
  /** Where the offset of this section's beginning has to be put, for others of its name come before it. */
  links: number[];
}

export function writeFrames(functions: readonly DebugFunction[]): FrameSection {
  const out = new DwarfWriter();
  const addresses: FrameSection['addresses'] = [];
  const links: number[] = [];
  writeCommon(out);
  for (const f of functions) {
    out.sized(() => {
      links.push(out.length);
      out.u32(0); // the common information entry is the first of ours
      addresses.push({ at: out.length, to: f.start });
      out.u64(0);
      out.u64(f.size);
      writeStates(out, f);
      out.alignTo(8); // by DW_CFA_nop, which is 0; the length field makes it 4 off, which nobody minds
    });
  }
  return { bytes: out.written(), addresses, links };
}

/** §6.4.1: at a function's entry, rsp points to the return address; here of one without stack arguments. */
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

function writeStates(out: DwarfWriter, { frames, saved, pop }: DebugFunction): void {
  const words = 1 + pop / 8;
  const returnInPlace = () => {
    out.u8(CFA.offset | RETURN_ADDRESS_REGISTER);
    out.uleb(words);
  };
  const cfaAt = (depth: number) => {
    out.u8(CFA.def_cfa_offset);
    out.uleb(depth + 8 * words);
  };
  if (pop > 0) {
    cfaAt(0);
    returnInPlace();
  }
  let at = 0;
  let last = ENTRY;
  for (const state of frames) {
    const { depth, returnIn } = state;
    if (depth === last.depth && state.saved === last.saved && returnIn === last.returnIn) continue;
    advance(out, state.offset - at);
    if (depth !== last.depth) cfaAt(depth);
    // The k-th one that was pushed lies k words below the return address.
    for (let k = last.saved; k < state.saved; k++) {
      out.u8(CFA.offset | DWARF_REGISTER[saved[k]]);
      out.uleb(words + k + 1);
    }
    for (let k = state.saved; k < last.saved; k++) out.u8(CFA.restore | DWARF_REGISTER[saved[k]]);
    if (returnIn < 0 && last.returnIn >= 0) returnInPlace();
    if (returnIn >= 0 && last.returnIn < 0) {
      out.u8(CFA.register);
      out.uleb(RETURN_ADDRESS_REGISTER);
      out.uleb(DWARF_REGISTER[returnIn]);
    }
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
