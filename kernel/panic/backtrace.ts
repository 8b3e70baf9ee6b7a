// The calls that led to an address, by the tables' frame sizes: no frame pointers are needed (docs/abi.md §2).

import { Line } from '../lib/line.ts';
import { log } from '../lib/log.ts';
import * as x86 from '../x86.ts';
import { Place, Symbol, stackBottom, stackTop } from './symbols.ts';

const CALLS_MAX: u32 = 24;

// push r64, with REX.B before it for r8 … r15 (Intel SDM 2B).
const PUSH: u32 = 0x50;
const PUSH_MASK: u32 = 0xf8;
const REX_B: u32 = 0x41;
/** or dword [rsp + disp32], 0: a stack probe of the prologue. */
const PROBE: u32 = 0x248c83;
const PROBE_BYTES: u32 = 8;
// pop r64, likewise; cli, which follows where flags are popped (irq_save); ret, and ret imm16.
const POP: u32 = 0x58;
const CLI: u32 = 0xfa;
const RET: u32 = 0xc3;
const RET_ARGUMENTS: u32 = 0xc2;
// sub rsp, imm8 and imm32.
const SUB_RSP_8: u32 = 0xec8348;
const SUB_RSP_32: u32 = 0xec8148;
const THREE_BYTES: u32 = 0xffffff;

// Arguments of x86.table (docs/abi.md §7): where an interrupt's stub goes on, and what is then on the stack below what the
// processor has pushed (asm/interrupts.S).
const RETURNS_PLAIN: u32 = 7;
const RETURNS_FLOAT: u32 = 8;
const SAVED_BYTES: u32 = 8 + 10 * 8;
const SAVED_FLOAT_BYTES: u32 = SAVED_BYTES + 16 * 16;
/** Of what the processor has pushed: rip, cs, rflags, rsp, ss (Intel SDM 3A §6.14.2). */
const PUSHED_RSP: u32 = 24;
const PUSHED_BYTES: u32 = 40;

/** Logs the calls from (pc, rsp) outwards, on the stack `slot`; through an interrupt to what it has interrupted. */
export function backtrace(pc: u64, rsp: u64, slot: u32): void {
  const symbol = new Symbol();
  const bottom = stackBottom(slot);
  const top = stackTop(slot);
  let number: u32 = 0;
  let returned = false; // pc is a return address
  while (number < CALLS_MAX) {
    // It lies behind its call, which may be a function's last instruction.
    const at = returned ? pc - 1 : pc;
    const translated = symbol.find(at);
    const saved = translated || !returned ? 0 : savedBytes(pc);
    if (saved > 0) {
      call(number++).text('interrupt').end();
      rsp += saved;
      if (rsp < bottom || rsp + PUSHED_BYTES > top) return;
      pc = x86.peek64(rsp);
      rsp = x86.peek64(rsp + PUSHED_RSP);
      returned = false;
      continue;
    }
    if (translated) {
      number = logPlaces(symbol.place(at), number);
      rsp += returned ? symbol.frame : depthAt(symbol, pc);
    } else {
      call(number++).hex('assembly at ', pc, 16).end();
    }
    // Assembly that faults is a leaf without a frame (asm/memory.S); assembly that called is where a stack begins.
    if (!translated && returned) return;
    if (rsp < bottom || rsp + 8 > top) return;
    pc = x86.peek64(rsp);
    rsp += 8;
    if (translated) rsp += (symbol.pop as i32) - poppedAt(pc);
    returned = true;
  }
  log('panic').text('and so on').end();
}

/** What an interrupt's stub has on the stack when it goes on at `pc`; 0: this is elsewhere. */
function savedBytes(pc: u64): u32 {
  if (pc === x86.table(RETURNS_PLAIN)) return SAVED_BYTES;
  return pc === x86.table(RETURNS_FLOAT) ? SAVED_FLOAT_BYTES : 0;
}

/** One line for a function and for each that was inlined in it there; returns the next line's number. */
function logPlaces(place: Place, number: u32): u32 {
  logPlace(place, number++);
  while (place.inlined) {
    place = place.around;
    logPlace(place, number++);
  }
  return number;
}

function logPlace(place: Place, number: u32): void {
  const line = call(number);
  place.append(line);
  line.end();
}

function call(number: u32): Line {
  return log('panic').decimal('#', number).text(' ');
}

/**
 * Bytes of stack arguments of the call that returns to `pc`. They lie in the caller's own frame, and the callee pops
 * them, so the caller takes rsp back down. A tail call may have made of it a callee that pops more or less.
 */
function poppedAt(pc: u64): i32 {
  const code = x86.peek32(pc) & THREE_BYTES;
  if (code === SUB_RSP_8) return x86.peek8(pc + 3) as i8;
  return code === SUB_RSP_32 ? (x86.peek32(pc + 3) as i32) : 0;
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
  while (at < pc && (x86.peek32(at) & THREE_BYTES) === PROBE) {
    at += PROBE_BYTES;
    if (at >= pc) return bytes;
  }
  // Before pc there was more than pushes: the whole prologue is done. Else pc is in it, or just behind it when there
  // is no `sub rsp` because the pushes are the frame.
  return at < pc ? depthAfter(symbol, pc) : bytes;
}

/**
 * The same behind the prologue, where an interrupt may also come when an epilogue has given back most of the frame, when flags are
 * on the stack to be taken into a register, or when a callee has just popped its arguments.
 */
function depthAfter(symbol: Symbol, pc: u64): u32 {
  let at = pc;
  let bytes: u32 = 0;
  while (true) {
    const prefix: u32 = x86.peek8(at) === REX_B ? 1 : 0;
    if ((x86.peek8(at + prefix) & PUSH_MASK) !== POP) break;
    at += prefix + 1;
    bytes += 8;
  }
  const next = x86.peek8(at);
  if (bytes > 0) return next === CLI ? symbol.frame + bytes : bytes;
  return next === RET || next === RET_ARGUMENTS ? 0 : symbol.frame - (poppedAt(pc) as u32);
}
