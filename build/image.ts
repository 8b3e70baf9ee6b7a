// Makes the bootable disk image: the boot block in sector 0, kernel.elf (what of it is loaded) from sector 1
// on, the loader behind it, padded to at least 1 MiB. The boot block learns from here where the others lie
// (boot/boot.S), and the sums of what is loaded. Checks the kernel as boot/kernel.S does, so that a bad one is found before it is booted.

import { UserError } from './error.ts';

const SECTOR_BYTES = 512;
const KERNEL_SECTOR = 1;
const IMAGE_BYTES_MIN = 1 << 20; // smaller disks are not read by AHCI firmware

/** What the boot block accepts (boot/kernel.S). */
const HEADERS_BYTES = 1024;
const KERNEL_LOWEST = 0x100000;
const KERNEL_HIGHEST = 0x800000;

/** Fields of the boot block (boot/boot.S). */
const PROGRAM_HEADER_BYTES = 56;
const KERNEL_BYTES_AT = 0x1a4;
const LOADER_SECTORS_AT = 0x1aa;
const LOADER_SECTOR_AT = 0x1b0;
const KERNEL_SUM_AT = 0x1b8;
const LOADER_SUM_AT = 0x1bc;
const PARTITION_AT = 0x1be;

/** `boot` is the boot block with the loader behind it, `kernel` the linked ELF file. */
export function makeImage(boot: Uint8Array, kernel: Uint8Array): Uint8Array {
  if (boot.length <= SECTOR_BYTES || boot[510] !== 0x55 || boot[511] !== 0xaa) {
    throw new UserError('yaos: boot.bin: not a boot block and loader: no signature 55 aa at byte 510');
  }
  const loaded = loadedPart(kernel);
  const kernelSectors = Math.ceil(loaded.length / SECTOR_BYTES);
  const loaderSector = KERNEL_SECTOR + kernelSectors;
  const loaderSectors = Math.ceil(boot.length / SECTOR_BYTES) - 1;
  const end = (loaderSector + loaderSectors) * SECTOR_BYTES;
  const image = new Uint8Array(Math.max(IMAGE_BYTES_MIN, end));
  image.set(boot.subarray(0, SECTOR_BYTES));
  image.set(loaded, KERNEL_SECTOR * SECTOR_BYTES);
  image.set(boot.subarray(SECTOR_BYTES), loaderSector * SECTOR_BYTES);

  const view = new DataView(image.buffer);
  view.setUint32(KERNEL_BYTES_AT, loaded.length, true);
  view.setUint16(LOADER_SECTORS_AT, loaderSectors, true);
  view.setUint32(LOADER_SECTOR_AT, loaderSector, true);
  writePartition(view, image.length / SECTOR_BYTES - KERNEL_SECTOR);
  seal(image);
  return image;
}

/** Writes the sums of the loader and of the kernel's headers and segments in an image, as boot/boot.S and boot/kernel.S make them. */
export function seal(image: Uint8Array): void {
  const block = new DataView(image.buffer, image.byteOffset);
  const loader = block.getUint32(LOADER_SECTOR_AT, true) * SECTOR_BYTES;
  const loaderEnd = loader + block.getUint16(LOADER_SECTORS_AT, true) * SECTOR_BYTES;
  block.setUint16(LOADER_SUM_AT, sum16(image.subarray(loader, loaderEnd)), true);

  const elf = image.subarray(KERNEL_SECTOR * SECTOR_BYTES);
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  let sum = sum32(0, elf.subarray(0, HEADERS_BYTES));
  for (const at of loadHeaders(view)) {
    const [start, bytes] = [view.getUint32(at + 8, true), view.getUint32(at + 32, true)];
    sum = sum32(sum, elf.subarray(start, start + bytes));
  }
  block.setUint32(KERNEL_SUM_AT, sum, true);
}

function sum16(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2)
    sum = (((sum << 1) | (sum >>> 15)) + bytes[at] + bytes[at + 1] * 256) & 0xffff;
  return sum;
}

/** Goes on with a sum: in words, then in the bytes that are left. */
function sum32(before: number, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const words = bytes.length & ~3;
  let sum = before;
  for (let at = 0; at < bytes.length; at += at < words ? 4 : 1) {
    const value = at < words ? view.getUint32(at, true) : bytes[at];
    sum = (((sum << 1) | (sum >>> 31)) + value) >>> 0;
  }
  return sum;
}

/** One bootable partition over everything behind sector 0, of type "no file system". */
function writePartition(view: DataView, sectors: number): void {
  const chsBeyond = 0xfffffe; // head 254, sector 63, cylinder 1023: the LBA fields hold
  view.setUint32(PARTITION_AT, 0x80 | (0x000200 << 8), true); // active; cylinder 0, head 0, sector 2
  view.setUint32(PARTITION_AT + 4, 0xda | (chsBeyond << 8), true);
  view.setUint32(PARTITION_AT + 8, KERNEL_SECTOR, true);
  view.setUint32(PARTITION_AT + 12, sectors, true);
}

/** Where the program headers of type PT_LOAD begin, of those in the first HEADERS_BYTES. */
function loadHeaders(elf: DataView): number[] {
  const [first, count] = [elf.getUint32(32, true), elf.getUint16(56, true)];
  const room = Math.max(0, Math.floor((HEADERS_BYTES - first) / PROGRAM_HEADER_BYTES));
  const all = Array.from({ length: Math.min(count, room) }, (_, i) => first + i * PROGRAM_HEADER_BYTES);
  return all.filter((at) => elf.getUint32(at, true) === 1);
}

/** The ELF file up to the last byte that is loaded, its section headers (which lie behind) taken away. */
function loadedPart(elf: Uint8Array): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const bad = (why: string) => new UserError(`yaos: kernel.elf: not a bootable kernel: ${why}`);
  if (elf.length < HEADERS_BYTES || view.getUint32(0) !== 0x7f454c46) throw bad('not an ELF file');
  if (view.getUint16(4) !== 0x0201 || view.getUint32(16, true) !== ((62 << 16) | 2)) {
    throw bad('not an x86-64 executable (ELF64, little-endian, ET_EXEC)');
  }
  const entry = view.getBigUint64(24, true);
  const phoff = view.getBigUint64(32, true);
  const phentsize = view.getUint16(54, true);
  const phnum = view.getUint16(56, true);
  const phbytes = phnum * PROGRAM_HEADER_BYTES;
  if (phentsize !== PROGRAM_HEADER_BYTES || phnum === 0 || phoff + BigInt(phbytes) > HEADERS_BYTES) {
    throw bad(`its program headers do not lie in its first ${HEADERS_BYTES} bytes`);
  }

  let end = HEADERS_BYTES;
  let entryFound = false;
  for (const at of loadHeaders(view)) {
    const [offset, paddr, filesz, memsz] = [8, 24, 32, 40].map((field) =>
      view.getBigUint64(at + field, true),
    );
    const segment = `program header ${(at - Number(phoff)) / PROGRAM_HEADER_BYTES}`;
    if (filesz > memsz || offset + filesz > elf.length) throw bad(`${segment} does not lie in the file`);
    if (paddr < KERNEL_LOWEST || paddr + memsz > KERNEL_HIGHEST) {
      const range = `0x${paddr.toString(16)} … 0x${(paddr + memsz).toString(16)}`;
      throw bad(`${segment} is loaded at ${range}, not between 1 MiB and 8 MiB`);
    }
    if (entry >= paddr && entry < paddr + filesz) entryFound = true;
    end = Math.max(end, Number(offset + filesz));
  }
  if (!entryFound) throw bad(`the entry 0x${entry.toString(16)} is not a physical address in its segments`);

  const loaded = elf.slice(0, end);
  const out = new DataView(loaded.buffer);
  out.setBigUint64(40, 0n, true); // e_shoff
  out.setUint32(60, 0, true); // e_shnum, e_shstrndx
  return loaded;
}
