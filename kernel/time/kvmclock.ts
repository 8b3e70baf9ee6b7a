// KVM's clock (Linux, Documentation/virt/kvm/x86/msr.rst and cpuid.rst): the hypervisor writes to a page of ours how the
// time-stamp counter becomes nanoseconds, and so tells its rate. The page is looked at once, and taken back; the counter
// itself is the clock to measure the APIC's timer by.

import * as x86 from '../x86.ts';
import { Reference } from './reference.ts';

const CPUID_1_ECX_HYPERVISOR: u32 = 1 << 31;
const LEAF_SIGNATURE: u32 = 0x4000_0000; // 'KVMKVMKVM'
const SIGNATURE_EBX: u32 = 0x4b4d_564b;
const SIGNATURE_ECX: u32 = 0x564b_4d56;
const SIGNATURE_EDX: u32 = 0x0000_004d;
const LEAF_FEATURES: u32 = 0x4000_0001;
const CLOCK: u32 = 1 << 3; // KVM_FEATURE_CLOCKSOURCE2
const SYSTEM_TIME: u32 = 0x4b56_4d01; // MSR: the page's address, and whether it is to be written
const ENABLE: u32 = 1 << 0;

// struct pvclock_vcpu_time_info. An odd version: it is being changed.
const VERSION: u32 = 0;
const TSC_TO_NS_MUL: u32 = 24; // ns = (TSC << shift) * mul >> 32
const TSC_SHIFT: u32 = 28; // signed
const SHIFT_MAX: i32 = 31;

const LOOKS_MAX: u32 = 1000;
const MEASURE_HZ: u64 = 10_000;
/** A page with nothing else in it. */
const TIME: u32 = memory.data(4096, 4096) as u32;

export class KvmClock extends Reference {
  private tsc_khz: u64 = 0;
  private first: u64 = 0;

  constructor() {
    super('kvmclock');
  }

  hz(): u64 {
    return this.tsc_khz * 1000;
  }

  /** As long as the APIC's timer needs. */
  measureCounts(): u32 {
    return (this.hz() / MEASURE_HZ) as u32;
  }

  start(): bool {
    if (!offered()) return false;
    x86.wrmsr(SYSTEM_TIME, TIME | ENABLE);
    this.tsc_khz = readRate();
    x86.wrmsr(SYSTEM_TIME, 0);
    this.first = x86.rdtsc();
    return this.tsc_khz !== 0;
  }

  elapsed(): u32 {
    return (x86.rdtsc() - this.first) as u32;
  }

  ended(): bool {
    return false;
  }
}

function offered(): bool {
  if (!(x86.cpuid_ecx(1, 0) & CPUID_1_ECX_HYPERVISOR)) return false;
  if (x86.cpuid_eax(LEAF_SIGNATURE, 0) < LEAF_FEATURES) return false;
  if (x86.cpuid_ebx(LEAF_SIGNATURE, 0) !== SIGNATURE_EBX) return false;
  if (x86.cpuid_ecx(LEAF_SIGNATURE, 0) !== SIGNATURE_ECX) return false;
  if (x86.cpuid_edx(LEAF_SIGNATURE, 0) !== SIGNATURE_EDX) return false;
  return (x86.cpuid_eax(LEAF_FEATURES, 0) & CLOCK) !== 0;
}

/** Of the time-stamp counter, in kHz; 0: what is told is no rate. */
function readRate(): u64 {
  for (let looks: u32 = 0; looks < LOOKS_MAX; looks++) {
    const version = x86.load32(TIME + VERSION);
    const mul = x86.load32(TIME + TSC_TO_NS_MUL);
    const shift: i32 = x86.load8(TIME + TSC_SHIFT) as i8;
    if (version & 1 || x86.load32(TIME + VERSION) !== version) continue;
    if (mul === 0 || shift > SHIFT_MAX || shift < -SHIFT_MAX) return 0;
    const khz = ((1_000_000 as u64) << 32) / mul;
    return shift < 0 ? khz << -shift : khz >> shift;
  }
  return 0;
}
