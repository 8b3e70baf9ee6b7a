// The calls that led to an address, by the tables' frame sizes: no frame pointers are needed (docs/abi.md §2).

import { log } from '../lib/log.ts';
import * as x86 from '../x86.ts';
import { Symbol, stackBottom, stackTop } from './symbols.ts';

const CALLS_MAX: u32 = 24;

// push r64, with REX.B before it for r8 … r15 (Intel SDM 2B).
const PUSH: u32 = 0x50;
const PUSH_MASK: u32 = 0xf8;
const REX_B: u32 = 0x41;

/** Logs the calls from (pc, rsp) outwards, on the stack `slot`. */
export function backtrace(pc: u64, rsp: u64, slot: u32): void {
  const symbol = new Symbol();
  const bottom = stackBottom(slot);
  const top = stackTop(slot);
  for (let depth: u32 = 0; depth < CALLS_MAX; depth++) {
    // A return address lies behind its call, which may be a function's last instruction.
    const at = depth === 0 ? pc : pc - 1;
    const line = log('panic').decimal('#', depth).text(' ');
    if (!symbol.find(at)) {
      line.hex('assembly at ', pc, 16).end();
      return;
    }
    symbol.appendName(line);
    symbol.appendSource(line, at);
    line.end();
    rsp += depth === 0 ? depthAt(symbol, pc) : symbol.frame;
    if (rsp < bottom || rsp + 8 > top) return;
    pc = x86.peek64(rsp);
    rsp += 8 + symbol.pop;
  }
  log('panic').text('and so on').end();
}

/** How far rsp is below the return address when the instruction at `pc` of a function starts. */
function depthAt(symbol: Symbol, pc: u64): u32 {
  let at = symbol.start;
  let bytes: u32 = 0;
  while (at < pc) {
    const prefix: u32 = x86.peek8(at) === REX_B ? 1 : 0;
    if ((x86.peek8(at + prefix) & PUSH_MASK) !== PUSH) break;
    at += prefix + 1;
    bytes += 8;
  }
  // Before pc there was more than pushes: the whole prologue is done. Else pc is in it, or just behind it when there
  // is no `sub rsp` because the pushes are the frame.
  return at < pc ? symbol.frame : bytes;
}
