// What the boot block hands to the kernel: multiboot 1 information (Multiboot specification 0.6.96 §3.3), with the BIOS'
// memory map as SeaBIOS leaves it (docs/abi.md §9).

export const MULTIBOOT_MAGIC = 0x2bad_b002;
const INFO = 0x9000;
const COMMAND_LINE = 0x9400;
const COMMAND_LINE_BYTES = 0x800;
const MAP = 0x9100;
const LOADER_NAME = 0x9080;

const HAS_MEMORY = 1 << 0;
const HAS_COMMAND_LINE = 1 << 2;
const HAS_MAP = 1 << 6;
const HAS_LOADER_NAME = 1 << 9;

const RAM = 1;
const RESERVED = 2;
const LOW_RAM_END = 0x9_fc00;
const MIB = 0x10_0000;

/** What SeaBIOS keeps at the top of RAM: ACPI's tables and its own data. */
const TOP_BYTES = { pc: 0x2_3000, q35: 0x2_4000, microvm: 0 } as const;

export interface BootOptions {
  machine: keyof typeof TOP_BYTES;
  ramBytes: number;
  /** Of the boot loader; QEMU's -append. The kernel's file for fw_cfg is another. */
  commandLine: string;
}

/** Where the RAM ends that is the kernel's. */
export function usableEnd(machine: keyof typeof TOP_BYTES, ramBytes: number): number {
  return ramBytes - TOP_BYTES[machine];
}

/** Writes the information into RAM and returns its address. */
export function writeMultiboot(ram: DataView, { machine, ramBytes, commandLine }: BootOptions): number {
  const end = usableEnd(machine, ramBytes);
  const map: [start: number, end: number, type: number][] = [
    [0, LOW_RAM_END, RAM],
    [LOW_RAM_END, 0xa_0000, RESERVED],
    [0xf_0000, MIB, RESERVED],
    [MIB, end, RAM],
    [end, ramBytes, RESERVED],
    [0xfeff_c000, 0xff00_0000, RESERVED],
    [0xfffc_0000, 2 ** 32, RESERVED],
  ];
  const set = (at: number, value: number) => ram.setUint32(INFO + at, value, true);
  set(0, HAS_MEMORY | HAS_COMMAND_LINE | HAS_MAP | HAS_LOADER_NAME);
  set(4, LOW_RAM_END / 1024);
  set(8, (end - MIB) / 1024);
  set(16, COMMAND_LINE);
  set(44, map.length * 24);
  set(48, MAP);
  set(64, LOADER_NAME);
  for (const [i, [start, stop, type]] of map.entries()) {
    const at = MAP + i * 24;
    ram.setUint32(at, 20, true);
    ram.setBigUint64(at + 4, BigInt(start), true);
    ram.setBigUint64(at + 12, BigInt(stop - start), true);
    ram.setUint32(at + 20, type, true);
  }
  writeText(ram, COMMAND_LINE, commandLine.slice(0, COMMAND_LINE_BYTES - 1));
  writeText(ram, LOADER_NAME, 'yaos boot');
  return INFO;
}

function writeText(ram: DataView, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) ram.setUint8(at + i, text.charCodeAt(i));
  ram.setUint8(at + text.length, 0);
}
