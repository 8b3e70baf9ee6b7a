// What a machine may be given, and what it is without.

import { MachineError } from './error.ts';
import type { FirmwareOptions } from './firmware/pci.ts';
import type { WasmImports, WasmMemory } from './kernel/wasm.ts';
import type { Trace } from './trace.ts';

/** A machine, as the next one sees it. */
export interface MemoryOwner {
  takeMemory(pages: number): WasmMemory | undefined;
}

export interface MachineOptions {
  /** QEMU's machine type; `pc` by default. */
  machine?: 'pc' | 'q35' | 'microvm';
  /** 1 to 16; 1 by default. */
  cpus?: number;
  /** 16 to 2048; 64 by default. */
  memory_mib?: number;
  /** The kernel's command line, as fw_cfg's file opt/yaos/cmdline. */
  commandLine?: string;
  /** The boot loader's command line. */
  loaderLine?: string;
  firmware?: FirmwareOptions;
  trace?: Trace;
  /** Steps (intrinsics) until a run is given up; 100 million by default. */
  budget_steps?: number;
  /** What each step takes; 200 by default. */
  step_ns?: number;
  /** Rate of the time-stamp counter; 2 GHz by default. */
  tsc_khz?: number;
  x2apic?: boolean;
  /** The local APICs have a TSC-deadline timer. */
  tscDeadline?: boolean;
  /** The hypervisor is KVM, with its clock. */
  kvmclock?: boolean;
  /** Whether there is an HPET, on pc and q35; there is one by default. */
  hpet?: boolean;
  /** The date at which the machine is switched on. */
  date?: Date;
  /** Varies when interrupts are taken and how long requests take: other interleavings, each the same every time. */
  seed?: number;
  /** A machine that has run and is not needed any more: its RAM is cleared and used again, which saves half of a run. */
  reuse?: MemoryOwner;
  /** Imports of the kernel's module besides `x86`. */
  imports?: WasmImports;
}

const CPUS_MAX = 16;
export const MEMORY_MIB = 64;
export const STEP_NS = 200;
export const TSC_KHZ = 2_000_000;
export const BUDGET_STEPS = 100_000_000;

const NAMES: Record<keyof MachineOptions, true> = {
  ...{
    machine: true,
    cpus: true,
    memory_mib: true,
    commandLine: true,
    loaderLine: true,
    trace: true,
    budget_steps: true,
  },
  ...{
    firmware: true,
    step_ns: true,
    tsc_khz: true,
    x2apic: true,
    tscDeadline: true,
    kvmclock: true,
    hpet: true,
    date: true,
    seed: true,
    reuse: true,
    imports: true,
  },
};

/** For who has no types: what would be misunderstood, or silently ignored. */
export function checkOptions(options: MachineOptions): void {
  const { machine = 'pc', memory_mib: mib = MEMORY_MIB } = options;
  if (machine !== 'pc' && machine !== 'q35' && machine !== 'microvm')
    throw new MachineError(`there is no machine '${machine}': give 'pc', 'q35' or 'microvm'`);
  if (!Number.isInteger(mib) || mib < 16 || mib > 2048)
    throw new MachineError(`memory_mib is ${mib}: give a whole number from 16 to 2048`);
  const { cpus = 1 } = options;
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > CPUS_MAX)
    throw new MachineError(`cpus is ${cpus}: give a whole number from 1 to ${CPUS_MAX}`);
  for (const name of Object.keys(options))
    if (!(name in NAMES))
      throw new MachineError(`a machine has no option '${name}': it has ${Object.keys(NAMES).join(', ')}`);
}
