// What is mapped at an address: the entry of the page tables that stands for it (Intel SDM 3A 4.5.4).

import * as x86 from '../x86.ts';
import { HUGE_PAGE, LARGE_PAGE, PAGE } from './layout.ts';

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const CACHE_DISABLE: u64 = 1 << 4;
const LARGE: u64 = 1 << 7;
const HUGE: u64 = 1 << 9; // asm/paging.S marks what is of 1 GiB
const NO_EXECUTE: u64 = (1 as u64) << 63;
const ENTRY_ADDRESS: u64 = 0x000f_ffff_ffff_f000;

export class Mapping {
  present: bool = false;
  physical: u64 = 0;
  pageBytes: u32 = 0;
  writable: bool = false;
  executable: bool = false;
  cached: bool = false;

  find(address: u32): void {
    const entry = x86.mapping(address);
    this.present = (entry & PRESENT) !== 0;
    this.pageBytes = entry & HUGE ? HUGE_PAGE : entry & LARGE ? LARGE_PAGE : PAGE;
    const offset = address & (this.pageBytes - 1);
    this.physical = (entry & ENTRY_ADDRESS & ~((this.pageBytes - 1) as u64)) | offset;
    this.writable = (entry & WRITABLE) !== 0;
    this.executable = (entry & NO_EXECUTE) === 0;
    this.cached = (entry & CACHE_DISABLE) === 0;
  }
}
