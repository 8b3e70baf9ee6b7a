// The memory map: what lies where in the low 4 GiB, which are the kernel's linear memory. docs/abi.md §8 has the whole
// picture; asm/ has mapped what is marked "at entry".

export const PAGE: u32 = 4096;
export const MIB: u32 = 0x10_0000;
export const LARGE_PAGE: u32 = 2 * MIB;
export const HUGE_PAGE: u32 = 1024 * MIB;

/** Page 0 is never mapped: a null dereference traps. */
export const LOW_RAM_START: u32 = 0x1000; // mapped at entry, read-write
export const LOW_RAM_END: u32 = 0xa_0000;

/** Where the other CPUs start, in real mode. What the boot loader had there has been read by then. */
export const STARTUP_PAGE: u32 = 0x8000;

/** Where a panic unpacks the tables that it reads: conventional memory, in which nothing of the kernel lies. */
export const WORK_START: u32 = 0x1_0000;
export const WORK_END: u32 = 0x9_0000;

/** The BIOS area, where ACPI's root pointer may lie (ACPI 6.4 §5.2.5.1); mapped at entry, read-only. */
export const BIOS_START: u32 = 0xe_0000;
export const BIOS_END: u32 = 0x10_0000;

/** Linear memory's own part: asc's static data (--memoryBase), then its heap, which grows up to --maximumMemory. */
export const STATIC_START: u32 = 0x80_0000;
export const HEAP_END: u32 = 0xa0_0000;

/** asm/ has mapped RAM from the image's end up to here; the rest is mapped from the boot loader's memory map. */
export const RAM_MAPPED_END: u32 = 0x100_0000;

/** I/O APICs and local APICs (Intel SDM 3A §10.4.1), in front of whatever else says to be there. */
export const APICS_START: u32 = 0xfec0_0000;
export const APICS_END: u32 = 0xfef0_0000;

/** Device registers that lie higher appear here, in place of the firmware's flash, which nobody needs. */
export const WINDOWS_START: u32 = 0xff00_0000;
export const WINDOWS_END: u32 = 0xffff_f000;

/** Rings and buffers of the drivers we have fit in a fraction of this. */
export const FRAMES_NEEDED_BYTES: u32 = 2 * MIB;
