// KVM's clock (Linux, Documentation/virt/kvm/x86/msr.rst): a CPU says where in its memory, and the hypervisor writes there
// how its time-stamp counter becomes nanoseconds.

import type { Ram } from '../bus/memory.ts';
import type { Clock } from '../time/clock.ts';

export const KVM_SYSTEM_TIME = 0x4b56_4d01;
const ENABLE = 1n;

export class KvmClock {
  /** It is always about to change what it says. */
  busy = false;
  private readonly ram: Ram;
  private readonly clock: Clock;
  private readonly tsc_khz: number;

  constructor(ram: Ram, clock: Clock, tsc_khz: number) {
    this.ram = ram;
    this.clock = clock;
    this.tsc_khz = tsc_khz;
  }

  /** The MSR was written: struct pvclock_vcpu_time_info goes to its address. */
  write(value: bigint, tsc: bigint): void {
    if ((value & ENABLE) === 0n) return;
    const at = Number(value & ~ENABLE);
    const { view } = this.ram;
    // mul is a fraction of 32 bits that has its highest one set: ns = ((TSC << shift) * mul) >> 32.
    const shift = Math.floor(Math.log2(1e6 / this.tsc_khz)) + 1;
    view.setUint32(at, this.busy ? 3 : 2, true);
    view.setBigUint64(at + 8, tsc, true);
    view.setBigUint64(at + 16, BigInt(Math.floor(this.clock.now_ns)), true);
    view.setUint32(at + 24, Math.floor((1e6 / this.tsc_khz / 2 ** shift) * 2 ** 32), true);
    view.setInt8(at + 28, shift);
  }
}
