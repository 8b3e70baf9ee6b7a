// The end of a kernel that cannot go on: what happened, the registers, the calls, and what the driver in charge was
// doing. Every exception comes here, also those that kernel code takes on purpose (lib/panic.ts).

import * as lapic from '../irq/lapic.ts';
import { taskletsOf } from '../irq/tasklets.ts';
import { Activity } from '../lib/activity.ts';
import { EXIT_PANIC, exit, halt } from '../lib/exit.ts';
import { Line } from '../lib/line.ts';
import { bare, log, setQuiet } from '../lib/log.ts';
import { cause } from '../lib/panic.ts';
import * as serial from '../lib/serial.ts';
import { apicIdOf } from '../sched/cpu.ts';
import { current, isOnline } from '../sched/scheduler.ts';
import { Thread } from '../sched/thread.ts';
import * as x86 from '../x86.ts';
import { backtrace } from './backtrace.ts';
import { end } from './ending.ts';
import { Frame } from './frame.ts';
import { isTranslated, stackBottom, TRAP_DIVISION, trapKind } from './symbols.ts';
import { unpackFunctions, unpackPlaces } from './unpack.ts';

// Intel SDM 3A table 6-1.
const DIVIDE_ERROR: u32 = 0;
const INVALID_OPCODE: u32 = 6;
const DOUBLE_FAULT: u32 = 8;
const PAGE_FAULT: u32 = 14;
/** Bit of a page fault's error code (SDM 3A §4.7): an instruction was to be fetched. */
const FETCH: u32 = 1 << 4;
const EXCEPTIONS: StaticArray<string> = [
  'divide error',
  'debug exception',
  'non-maskable interrupt',
  'breakpoint',
  'overflow',
  'bound range exceeded',
  'invalid opcode',
  'device not available',
  'double fault',
  'coprocessor segment overrun',
  'invalid TSS',
  'segment not present',
  'stack segment fault',
  'general protection',
  'page fault',
  'exception 15',
  'x87 floating-point error',
  'alignment check',
  'machine check',
  'SIMD floating-point exception',
  'virtualization exception',
  'control protection exception',
];

/** WebAssembly's messages by kind of trap (`TrapKind` in build/ir/ir.ts). */
const TRAPS: StaticArray<string> = [
  '',
  'unreachable',
  '',
  'integer overflow',
  'invalid conversion to integer',
  '',
  'out of bounds table access',
  'undefined element',
  'uninitialized element',
  'indirect call type mismatch',
  'call stack exhausted',
  'unaligned atomic',
  'expected shared memory',
];

const OUT_OF_BOUNDS: string = 'out of bounds memory access';
/** Intel SDM 2B, UD2: 0f 0b. */
const UD2: u32 = 0x0b0f;

/** A push or a probe this far from the stack's bottom has hit its guard page. */
const GUARD_BYTES: u64 = 4096;

// div and idiv with a register operand (SDM 2A): opcode 0xf7, a REX prefix may come before it.
const REX: u32 = 0x40;
const REX_MASK: u32 = 0xf0;
const REX_B: u32 = 1;
const MODRM_RM: u32 = 7;

class Report {
  /** The CPU that reports, plus 1; 0: none does. */
  cpu: u32 = 0;
}

const report = new Report();

/** Called by asm/ for vectors 0 … 31. */
export function exception(vector: u32, error: u32, address: u64): void {
  const self = x86.cpu() + 1;
  const reporter = atomic.cmpxchg<u32>(changetype<usize>(report) + offsetof<Report>('cpu'), 0, self);
  if (reporter === self) {
    log('panic')
      .decimal('exception ', vector)
      .hex(' while this was reported, rip ', new Frame(address).rip, 16)
      .end();
    exit(EXIT_PANIC);
  }
  if (reporter !== 0) halt(); // the NMI that the reporter sends, or a panic that comes second
  stopOthers();
  setQuiet(false);
  if (serial.seize()) bare().end(); // an interrupt handler's panic may come within a line
  const frame = new Frame(address);
  unpackFunctions();
  const line = log('panic');
  appendReason(line, vector, error, frame);
  line.end();
  const thread = current();
  const activity = tellWho(thread);
  frame.dump();
  unpackPlaces();
  backtrace(frame.rip, frame.rsp, thread.slot);
  if (activity !== null) activity.describe();
  end();
}

/** Tells who has failed on this CPU, and gives what that was at. */
function tellWho(thread: Thread): Activity | null {
  let activity = thread.activity;
  const line = log('panic');
  const own = taskletsOf(x86.cpu());
  const handler = own.handler;
  const tasklet = own.current;
  if (handler !== null) {
    line.text('interrupt handler of ').text(handler.name).text(' in ');
    activity = handler.activity;
  } else if (tasklet !== null) {
    line.text('tasklet in ');
    activity = tasklet.activity;
  }
  line.text('thread ').text(thread.name).decimal(', CPU ', thread.home).end();
  return activity;
}

/** Those that run threads: one that is still being started would meet an NMI with nowhere to take it, and reset the machine. */
function stopOthers(): void {
  for (let i: u32 = 0; i < x86.CPUS; i++) if (i !== x86.cpu() && isOnline(i)) lapic.sendNmi(apicIdOf(i));
}

function appendReason(line: Line, vector: u32, error: u32, frame: Frame): void {
  const kind = trapKind(frame.rip);
  const reason = cause.reason;
  const file = cause.file;
  if (vector === INVALID_OPCODE && reason !== null) {
    line.text(reason);
    if (file !== null) line.text(' (').text(file).decimal(':', cause.line).text(')');
  } else if (vector === PAGE_FAULT && !(error & FETCH) && kind === 0 && isAccess(frame)) {
    line.text(OUT_OF_BOUNDS).hex(' at ', frame.cr2, frame.cr2 >> 32 === 0 ? 8 : 9);
  } else if (vector === INVALID_OPCODE && kind === 0 && isCheck(frame)) {
    line.text(OUT_OF_BOUNDS);
  } else if (vector === DIVIDE_ERROR && kind === TRAP_DIVISION) {
    line.text(divisor(frame) === 0 ? 'integer divide by zero' : 'integer overflow');
  } else if (
    (vector === INVALID_OPCODE || vector === PAGE_FAULT) &&
    kind > 0 &&
    kind < (TRAPS.length as u32)
  ) {
    line.text(TRAPS[kind]);
  } else if ((vector === DOUBLE_FAULT || vector === PAGE_FAULT) && overflowed(frame.rsp)) {
    line.text('kernel stack overflow');
  } else {
    line.text(vector < (EXCEPTIONS.length as u32) ? EXCEPTIONS[vector] : 'reserved exception');
    line.decimal(', vector ', vector).hex(', error code ', error, 8);
    if (vector === PAGE_FAULT) line.hex(', address ', frame.cr2, 16);
  }
}

/**
 * To linear memory, by translated code or by assembly that it has called: memory.copy and memory.fill are such. An
 * address and an offset together are below 2^33 (WebAssembly core 4.4.7).
 */
function isAccess(frame: Frame): bool {
  return frame.cr2 >> 33 === 0 && (isTranslated(frame.rip) || isTranslated(x86.peek64(frame.rsp)));
}

/** Of a bulk operator's bounds: the tables tell of the other instructions that trap on purpose. */
function isCheck(frame: Frame): bool {
  return (x86.peek32(frame.rip) & 0xffff) === UD2 && isTranslated(frame.rip);
}

function overflowed(rsp: u64): bool {
  const bottom = stackBottom(current().slot);
  return rsp > bottom - GUARD_BYTES && rsp < bottom + GUARD_BYTES;
}

/** The operand of the div or idiv at rip. */
function divisor(frame: Frame): u64 {
  const first = x86.peek8(frame.rip);
  const prefixed = (first & REX_MASK) === REX;
  const modrm = x86.peek8(frame.rip + (prefixed ? 2 : 1));
  const high: u32 = prefixed && first & REX_B ? 8 : 0;
  const wide = prefixed && (first & 8) !== 0;
  const value = frame.register(high | (modrm & MODRM_RM));
  return wide ? value : value & 0xffff_ffff;
}
