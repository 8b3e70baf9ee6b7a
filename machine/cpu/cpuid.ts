// What CPUID answers: QEMU's qemu64 under TCG, as far as a kernel asks, and what a machine's options add to it. No rates.

const VENDOR = 'AuthenticAMD';
const HYPERVISOR = 'TCGTCGTCGTCG';
const KVM = 'KVMKVMKVM\0\0\0';
const KVM_CLOCK = 1 << 3;

const LEAF_1_EDX = 0x078b_fbfd;
const LEAF_1_ECX = 0x8000_2001; // SSE3, CMPXCHG16B, hypervisor
const X2APIC = 1 << 21;
const TSC_DEADLINE = 1 << 24;

export interface Identity {
  x2apic: boolean;
  tscDeadline: boolean;
  kvmclock: boolean;
  apicId: number;
}

/** eax, ebx, ecx, edx. */
export function cpuid(leaf: number, identity: Identity): readonly [number, number, number, number] {
  switch (leaf) {
    case 0: {
      const [b, d, c] = words(VENDOR);
      return [0xd, b, c, d];
    }
    case 1:
      return [
        0x0006_0fb1,
        identity.apicId << 24,
        LEAF_1_ECX | (identity.x2apic ? X2APIC : 0) | (identity.tscDeadline ? TSC_DEADLINE : 0),
        LEAF_1_EDX,
      ];
    case 0x4000_0000: {
      const [b, c, d] = words(identity.kvmclock ? KVM : HYPERVISOR);
      return [0x4000_0001, b, c, d];
    }
    case 0x4000_0001:
      return [identity.kvmclock ? KVM_CLOCK : 0, 0, 0, 0];
    case 0x8000_0000:
      return [0x8000_000a, 0, 0, 0];
    case 0x8000_0001:
      return [0x0006_0fb1, 0, 0x0000_0065, 0x2191_abfd]; // long mode, NX
    case 0x8000_0008:
      return [0x3028, 0, 0, 0]; // 40 bits physical, 48 linear
    default:
      return [0, 0, 0, 0];
  }
}

function words(text: string): number[] {
  return [0, 4, 8].map((at) => [3, 2, 1, 0].reduce((sum, i) => sum * 256 + text.charCodeAt(at + i), 0));
}
