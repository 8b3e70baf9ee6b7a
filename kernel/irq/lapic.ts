// The local APIC (Intel SDM 3A chapter 10), as x2APIC where CPUID has it, else as xAPIC. One register map serves
// both: an xAPIC register at offset r is x2APIC's MSR 0x800 + r / 16 (table 10-6).

import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import { mapDevice } from '../mm/map.ts';
import * as x86 from '../x86.ts';

// Registers, by xAPIC offset (table 10-1).
const ID: u32 = 0x20;
const TASK_PRIORITY: u32 = 0x80;
const END_OF_INTERRUPT: u32 = 0xb0;
const SPURIOUS_VECTOR: u32 = 0xf0;
const IN_SERVICE: u32 = 0x100; // 8 registers of 32 bits, 16 bytes apart
const TRIGGER_MODE: u32 = 0x180; // as many
const COMMAND_LOW: u32 = 0x300; // x2APIC: all 64 bits
const COMMAND_HIGH: u32 = 0x310;
const LVT_TIMER: u32 = 0x320;
const LVT_LINT0: u32 = 0x350;
const LVT_LINT1: u32 = 0x360;
const LVT_ERROR: u32 = 0x370;
const TIMER_INITIAL: u32 = 0x380;
const TIMER_CURRENT: u32 = 0x390;
const TIMER_DIVIDE: u32 = 0x3e0;

const SVR_ENABLE: u32 = 1 << 8; // §10.4.7.2
const LVT_MASKED: u32 = 1 << 16; // §10.5.1
const LVT_DEADLINE: u32 = 2 << 17; // §10.5.4, figure 10-8
const DIVIDE_BY_16: u32 = 3; // §10.5.4
export const TIMER_DIVISOR: u32 = 16;

// Interrupt command register (§10.6.1).
const DELIVER_FIXED: u32 = 0 << 8;
const DELIVER_NMI: u32 = 4 << 8;
const DELIVER_INIT: u32 = 5 << 8;
const DELIVER_STARTUP: u32 = 6 << 8;
const COMMAND_PENDING: u32 = 1 << 12;
const LEVEL_ASSERT: u32 = 1 << 14;
const TO_SELF: u32 = 1 << 18;
/** A command is taken within microseconds. */
const COMMAND_POLLS_MAX: u32 = 1_000_000;

const IA32_TSC_DEADLINE: u32 = 0x6e0; // §10.5.4.1
const IA32_APIC_BASE: u32 = 0x1b; // §10.4.4
const BASE_X2APIC: u64 = 1 << 10;
const BASE_ENABLE: u64 = 1 << 11;
const BASE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const CPUID_1_ECX_X2APIC: u32 = 1 << 21;
const CPUID_1_ECX_DEADLINE: u32 = 1 << 24;
const CPUID_1_EDX_APIC: u32 = 1 << 9;
const X2APIC_MSRS: u32 = 0x800;
const XAPIC_BYTES: u32 = 0x400;

let x2apic: bool = false;
let deadlines: bool = false;
/** xAPIC: where the registers are mapped. */
let registers: u32 = 0;

// Not by a register map (lib/registers.ts): the end of each interrupt is one of these writes, which is one instruction here; and
// what others share by a map, checks, caching, changes of bits, none of these registers has use for.
function read(register: u32): u32 {
  return x2apic ? (x86.rdmsr(X2APIC_MSRS + (register >> 4)) as u32) : x86.load32(registers + register);
}

function write(register: u32, value: u32): void {
  if (x2apic) x86.wrmsr(X2APIC_MSRS + (register >> 4), value);
  else x86.store32(registers + register, value);
}

/** Enables the first CPU's APIC. */
export function init(spuriousVector: u32): void {
  if (!(x86.cpuid_edx(1, 0) & CPUID_1_EDX_APIC)) panic('this CPU has no local APIC');
  const features = x86.cpuid_ecx(1, 0);
  x2apic = (features & CPUID_1_ECX_X2APIC) !== 0;
  deadlines = (features & CPUID_1_ECX_DEADLINE) !== 0;
  if (!x2apic) {
    registers = mapDevice(x86.rdmsr(IA32_APIC_BASE) & BASE_ADDRESS, XAPIC_BYTES);
    if (registers === 0) panic('the local APIC cannot be reached');
  }
  initCpu(spuriousVector);
  log('irq')
    .text(x2apic ? 'x2APIC' : 'xAPIC')
    .decimal(', CPU ', id())
    .end();
}

/** Enables this CPU's APIC with everything masked but what later asks for it. */
export function initCpu(spuriousVector: u32): void {
  const base = x86.rdmsr(IA32_APIC_BASE);
  // §10.12.5: xAPIC must be enabled before x2APIC can be.
  x86.wrmsr(IA32_APIC_BASE, base | BASE_ENABLE);
  if (x2apic) x86.wrmsr(IA32_APIC_BASE, base | BASE_ENABLE | BASE_X2APIC);
  write(TASK_PRIORITY, 0);
  write(LVT_TIMER, LVT_MASKED);
  write(LVT_LINT0, LVT_MASKED);
  write(LVT_LINT1, LVT_MASKED);
  write(LVT_ERROR, LVT_MASKED);
  write(TIMER_DIVIDE, DIVIDE_BY_16);
  write(SPURIOUS_VECTOR, SVR_ENABLE | spuriousVector);
}

/** This CPU's APIC ID. */
export function id(): u32 {
  return x2apic ? read(ID) : read(ID) >> 24;
}

/** §10.8.4: whether the vector was delivered by this APIC and waits for its end. */
export function inService(vector: u32): bool {
  return isSet(IN_SERVICE, vector);
}

/** §10.8.4: whether the vector was last asked for as a level, so that its end is told to the I/O APICs. */
export function isLevel(vector: u32): bool {
  return isSet(TRIGGER_MODE, vector);
}

function isSet(registers: u32, vector: u32): bool {
  return ((read(registers + (vector >> 5) * 16) >> (vector & 31)) & 1) !== 0;
}

/** §10.8.5. */
export function endOfInterrupt(): void {
  write(END_OF_INTERRUPT, 0);
}

/** Has this CPU's timer interrupt with `vector`, when one of the next two functions starts it. */
export function enableTimer(vector: u32): void {
  write(TIMER_INITIAL, 0); // it may still run without an interrupt
  write(LVT_TIMER, deadlines ? vector | LVT_DEADLINE : vector);
  x86.mfence(); // §10.5.4.1: or a deadline could come before its mode, and be ignored
}

/** Starts the timer once (§10.5.4): it counts `count` down and interrupts. */
export function startTimer(count: u32): void {
  write(TIMER_INITIAL, count);
}

/** §10.5.4.1: the timer interrupts once, when the time-stamp counter has come to `ticks`, which is not 0. */
export function startDeadline(ticks: u64): void {
  x86.wrmsr(IA32_TSC_DEADLINE, ticks);
}

/** Whether startDeadline() takes startTimer()'s place. */
export function hasDeadline(): bool {
  return deadlines;
}

/** Starts the timer without an interrupt, to be measured by timerCount. */
export function startSilentTimer(count: u32): void {
  write(LVT_TIMER, LVT_MASKED);
  write(TIMER_INITIAL, count);
}

export function timerCount(): u32 {
  return read(TIMER_CURRENT);
}

/** Interrupts the CPU with this APIC ID. */
export function send(apicId: u32, vector: u32): void {
  command(apicId, DELIVER_FIXED | LEVEL_ASSERT | vector);
}

/** Interrupts this CPU, when it lets interrupts come. */
export function sendToSelf(vector: u32): void {
  command(0, TO_SELF | DELIVER_FIXED | LEVEL_ASSERT | vector);
}

/** §10.6.1 and 8.4.3: resets a CPU, which then waits for startUp(). */
export function sendInit(apicId: u32): void {
  command(apicId, DELIVER_INIT | LEVEL_ASSERT);
}

/** Has a CPU start in real mode at `page`, below 1 MiB. */
export function startUp(apicId: u32, page: u32): void {
  command(apicId, DELIVER_STARTUP | LEVEL_ASSERT | (page >> 12));
}

/** Interrupts another CPU, whatever it does; it has to have somewhere to take that. */
export function sendNmi(apicId: u32): void {
  command(apicId, DELIVER_NMI | LEVEL_ASSERT);
}

/** With interrupts off: the register's two halves belong together. */
function command(apicId: u32, low: u32): void {
  const flags = x86.irq_save();
  if (x2apic) {
    x86.mfence(); // §10.12.3: the MSR's write waits for no store
    x86.wrmsr(X2APIC_MSRS + (COMMAND_LOW >> 4), ((apicId as u64) << 32) | low);
  } else {
    for (let polls: u32 = 0; read(COMMAND_LOW) & COMMAND_PENDING && polls < COMMAND_POLLS_MAX; polls++)
      x86.pause();
    write(COMMAND_HIGH, apicId << 24);
    write(COMMAND_LOW, low);
  }
  x86.irq_restore(flags);
}
