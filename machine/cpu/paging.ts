// The page tables of the low 4 GiB as far as drivers see them: what x86.map has mapped, and how (asm/paging.S). Volatile
// accesses are checked against them, and plain ones below the kernel's own memory (kernel/checks.ts); other loads and
// stores of the kernel are WebAssembly's own and reach all of RAM, mapped or not.

import { PageFault } from '../error.ts';

export const PAGE_BYTES = 4096;
const TABLE_PAGES = 1024;

// Flags of x86.map and its results (docs/abi.md §7).
const MAP_WRITABLE = 1;
export const MAP_UNCACHED = 2;
const DONE = 0;
const NOT_ALIGNED = 1;
export const NOT_ALLOWED = 2;

// The kernel image's physical pages. Here they hold nothing but the model's own: the threads' saved frames.
export const IMAGE_START = 0x10_0000;
export const IMAGE_END = 0x20_0000;

/** What kmain finds mapped (asm/start.S, docs/abi.md §8). */
const AT_ENTRY = [
  [0x1000, 0xa_0000, MAP_WRITABLE],
  [0xc_0000, 0x10_0000, 0],
  [IMAGE_END, 0x100_0000, MAP_WRITABLE],
] as const;

// An entry: physical page << 3 | uncached << 2 | writable << 1 | present. 29 bits of page number reach 2 TiB.
const PRESENT = 1;
const FRAME_SHIFT = 3;
export const PHYSICAL_BITS = 40;

// As the processor has them (Intel SDM 3A 4.5.4).
const PTE_PRESENT = 1n << 0n;
const PTE_WRITABLE = 1n << 1n;
const PTE_CACHE_DISABLE = 1n << 4n;
const PTE_NO_EXECUTE = 1n << 63n;

export class PageMap {
  /** Of TABLE_PAGES entries each, made when there is something to enter. */
  private readonly tables: (Uint32Array | undefined)[] = [];

  constructor() {
    for (const [start, end, flags] of AT_ENTRY) this.map(start, start, end - start, flags);
  }

  /** x86.map. */
  map(virtual: number, physical: number, bytes: number, flags: number): number {
    if (flags > (MAP_WRITABLE | MAP_UNCACHED) || physical % PAGE_BYTES !== 0) return NOT_ALIGNED;
    if (physical + bytes > 2 ** PHYSICAL_BITS) return NOT_ALIGNED;
    if (physical < IMAGE_END && physical + bytes > IMAGE_START) return NOT_ALLOWED;
    const first = ((physical / PAGE_BYTES) * (1 << FRAME_SHIFT) + ((flags << 1) | PRESENT)) >>> 0;
    return this.change(virtual, bytes, first, 1 << FRAME_SHIFT);
  }

  /** x86.unmap. */
  unmap(virtual: number, bytes: number): number {
    return this.change(virtual, bytes, 0, 0);
  }

  /**
   * The physical address behind a linear-memory address; throws the fault that the processor would raise. `plain`: by a
   * load or store of WebAssembly's own.
   */
  translate(address: number, width: number, write: boolean, plain = false): number {
    const physical = this.translatePage(address, write, plain);
    const last = address + width - 1;
    if (Math.floor(last / PAGE_BYTES) !== Math.floor(address / PAGE_BYTES))
      this.translatePage(last, write, plain);
    return physical;
  }

  /** x86.mapping: the page-table entry that stands for an address. */
  mapping(address: number): bigint {
    const entry = this.entry(address);
    if ((entry & PRESENT) === 0) return 0n;
    const writable = entry & (MAP_WRITABLE << 1) ? PTE_WRITABLE : 0n;
    const uncached = entry & (MAP_UNCACHED << 1) ? PTE_CACHE_DISABLE : 0n;
    return BigInt((entry >>> FRAME_SHIFT) * PAGE_BYTES) | PTE_PRESENT | PTE_NO_EXECUTE | writable | uncached;
  }

  private entry(address: number): number {
    return address < 2 ** 32 ? (this.tables[address >>> 22]?.[(address >>> 12) % TABLE_PAGES] ?? 0) : 0;
  }

  private translatePage(address: number, write: boolean, plain: boolean): number {
    const entry = this.entry(address);
    if ((entry & PRESENT) === 0) throw new PageFault(address, write, false, plain);
    if (write && (entry & (MAP_WRITABLE << 1)) === 0) throw new PageFault(address, write, true, plain);
    return (entry >>> FRAME_SHIFT) * PAGE_BYTES + (address % PAGE_BYTES);
  }

  /** Writes entries: the first one, and what is added from page to page. */
  private change(virtual: number, bytes: number, first: number, step: number): number {
    if (virtual % PAGE_BYTES !== 0 || bytes % PAGE_BYTES !== 0 || bytes === 0) return NOT_ALIGNED;
    if (virtual + bytes > 2 ** 32) return NOT_ALIGNED;
    if (virtual === 0) return NOT_ALLOWED;
    let page = virtual / PAGE_BYTES;
    let entry = first;
    for (const end = page + bytes / PAGE_BYTES; page < end; page++, entry += step) {
      this.tables[page >>> 10] ??= new Uint32Array(TABLE_PAGES);
      this.tables[page >>> 10]![page % TABLE_PAGES] = entry;
    }
    return DONE;
  }
}
