// The other CPUs (application processors): started with INIT and startup messages (Intel SDM 3A §9.4.4), while the first
// one looks for devices; each then takes threads as the first one does.

import { madt } from '../acpi/madt.ts';
import * as lapic from '../irq/lapic.ts';
import * as vectors from '../irq/vectors.ts';
import { log, prepareCpu as prepareLog } from '../lib/log.ts';
import { STARTUP_PAGE } from '../mm/layout.ts';
import * as clock from '../time/clock.ts';
import * as x86 from '../x86.ts';
import { cpus, here } from './cpu.ts';
import { Event } from './event.ts';
import * as scheduler from './scheduler.ts';

/** The start page's address and a CPU's local APIC ID are bytes. */
const APIC_ID_MAX: u32 = 0xff;
/** §9.4.4.1, for CPUs that miss a startup message that follows INIT at once. */
const INIT_MS: u32 = 10;
const START_MS_MAX: u32 = 100;

/** CPUs that are there and have a number. */
let known: u32 = 1;

class Started {
  /** A CPU more is online. */
  readonly event: Event = new Event();
}

const started = new Started();

/** How many there will be at most, the first one too. */
export function cpusAtMost(): u32 {
  return max(min(madt.cpuCount, x86.CPUS), 1);
}

/** Has them start; awaitStart() waits for them. */
export function start(): void {
  const self = here().apicId;
  let left: u32 = 0;
  for (let i: u32 = 0; i < madt.cpuCount; i++) {
    const apicId = madt.cpu(i);
    if (apicId === self) continue;
    if (known === x86.CPUS || apicId > APIC_ID_MAX || !clock.timerRuns) left++;
    else prepare(known++, apicId);
  }
  if (left > 0)
    log('cpu')
      .decimal('', left)
      .text(clock.timerRuns ? ' more CPUs than are used' : ' CPUs not started: they need timers')
      .end();
  startAbsent(0);
}

/** By the main thread, on the first CPU. Those that do not come are left out. */
export function awaitStart(): void {
  if (!awaitOnline(clock.after(INIT_MS))) {
    startAbsent(INIT_MS); // the pace that the manual asks for
    awaitOnline(clock.after(START_MS_MAX));
  }
  let online: u32 = 0;
  for (let i: u32 = 0; i < known; i++) {
    const cpu = cpus[i]!;
    if (cpu.online) online++;
    else
      log('cpu')
        .decimal('', i)
        .decimal(', APIC ', cpu.apicId)
        .decimal(' does not start in ', START_MS_MAX)
        .text(' ms')
        .end();
  }
  log('cpu').decimal('ap start done: ', online).decimal(' of ', known).text(' CPUs').end();
}

/** Called by asm/ on another CPU, on its own stack, interrupts off. */
export function cpu_main(_number: u32): void {
  vectors.initCpu();
  scheduler.goOnline();
  started.event.signal();
  scheduler.idle();
}

function prepare(number: u32, apicId: u32): void {
  prepareLog(number);
  scheduler.prepareCpu(number, apicId);
  x86.cpu_prepare(STARTUP_PAGE, number, apicId);
}

function allOnline(): bool {
  for (let i: u32 = 0; i < known; i++) if (!cpus[i]!.online) return false;
  return true;
}

function awaitOnline(deadline: u64): bool {
  const event = started.event;
  while (true) {
    event.reset();
    x86.mfence();
    if (allOnline()) return true;
    if (!event.wait(deadline)) return allOnline();
  }
}

/** Starts those that are not online, with a pause between INIT and the startup message. */
function startAbsent(pause_ms: u64): void {
  for (let i: u32 = 1; i < known; i++) if (!cpus[i]!.online) lapic.sendInit(cpus[i]!.apicId);
  scheduler.sleep(pause_ms * 1_000_000);
  for (let i: u32 = 1; i < known; i++) if (!cpus[i]!.online) lapic.startUp(cpus[i]!.apicId, STARTUP_PAGE);
}
