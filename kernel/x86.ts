// The machine as the kernel sees it: intrinsics that the translator turns into single instructions, and the few
// functions of asm/ that need assembly. docs/abi.md §6 and §7 define them; none is ever moved, merged or dropped.
// Addresses are linear-memory addresses, which are machine addresses below 4 GiB.

/** As many as asm/ has stacks for; a CPU's number is below. */
export const CPUS: u32 = 16;

export declare function in8(port: u32): u32;
export declare function in16(port: u32): u32;
export declare function in32(port: u32): u32;
export declare function out8(port: u32, value: u32): void;
export declare function out16(port: u32, value: u32): void;
export declare function out32(port: u32, value: u32): void;

/** Volatile accesses: for whatever a device or another CPU reads or changes. */
export declare function load8(address: u32): u32;
export declare function load16(address: u32): u32;
export declare function load32(address: u32): u32;
export declare function load64(address: u32): u64;
export declare function store8(address: u32, value: u32): void;
export declare function store16(address: u32, value: u32): void;
export declare function store32(address: u32, value: u32): void;
export declare function store64(address: u32, value: u64): void;

/** Reads of native memory, the only way to look above 4 GiB: for registers, stacks and tables in a panic. */
export declare function peek8(native: u64): u32;
export declare function peek32(native: u64): u32;
export declare function peek64(native: u64): u64;

/** The number of the CPU that this runs on, from 0 on. A thread may come back from a wait on another one. */
export declare function cpu(): u32;
export declare function rdmsr(msr: u32): u64;
export declare function wrmsr(msr: u32, value: u64): void;
export declare function read_cr0(): u64;
export declare function read_cr2(): u64;
export declare function read_cr3(): u64;
export declare function read_cr4(): u64;
export declare function cpuid_eax(leaf: u32, subleaf: u32): u32;
export declare function cpuid_ebx(leaf: u32, subleaf: u32): u32;
export declare function cpuid_ecx(leaf: u32, subleaf: u32): u32;
export declare function cpuid_edx(leaf: u32, subleaf: u32): u32;
export declare function rdtsc(): u64;

export declare function mfence(): void;
export declare function lfence(): void;
export declare function sfence(): void;
export declare function pause(): void;
export declare function hlt(): void;
export declare function cli(): void;
export declare function sti(): void;
/** Enables interrupts and halts; an interrupt that is pending ends the halt. */
export declare function sti_hlt(): void;
/** Disables interrupts; the old flags go to irq_restore. */
export declare function irq_save(): u32;
export declare function irq_restore(flags: u32): void;

/** Executes nothing: who calls it cannot be reached from an interrupt handler, or the build fails (proofs.txt). */
export declare function threads_only(): void;

/** Maps pages of the low zone; `flags` and results are in mm/map.ts. */
export declare function map(virt: u32, phys: u64, bytes: u32, flags: u32): u32;
export declare function unmap(virt: u32, bytes: u32): u32;
/** The page tables' entry for an address, of a page or of a large one; 0: it is not mapped. */
export declare function mapping(address: u32): u64;
export declare function image_start(): u32;
export declare function image_end(): u32;
/** Has the CPU with this local APIC ID become CPU `number` and call cpu_main when it starts at `page`. */
export declare function cpu_prepare(page: u32, number: u32, apicId: u32): void;
/** Prepares stack `slot`: the first switch to it calls thread_main(arg). */
export declare function thread_new(slot: u32, arg: u32): void;
export declare function thread_switch(from: u32, to: u32): void;
/** The translator's tables and the stacks; `which` is in panic/symbols.ts. */
export declare function table(which: u32): u64;
