// job=memory: takes RAM in blocks of 2 MiB, mib=N of it or all, writes a pattern to all of it, reads it back, and gives it
// back. RAM above 4 GiB comes first, through a window.

import { number } from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import * as frames from '../mm/frames.ts';
import { LARGE_PAGE } from '../mm/layout.ts';
import { mapWindow, reserveWindow } from '../mm/map.ts';

const BLOCK_BYTES: u32 = LARGE_PAGE;
const BLOCKS_MAX: u32 = 32 * 1024;

class Blocks {
  count: u32 = 0;
  private readonly addresses: StaticArray<u64> = new StaticArray<u64>(BLOCKS_MAX);
  private readonly window: u32 = reserveWindow(BLOCK_BYTES);

  take(blocks: u32, high: bool): u32 {
    const before = this.count;
    while (this.count < blocks) {
      const address: u64 = high ? frames.allocateHigh(BLOCK_BYTES) : frames.tryAllocate(BLOCK_BYTES);
      if (address === 0) break;
      this.addresses[this.count++] = address;
    }
    return this.count - before;
  }

  /** Where block `index` can be reached. */
  open(index: u32): u32 {
    const address = this.addresses[index];
    if (address + BLOCK_BYTES <= u32.MAX_VALUE) return address as u32;
    if (this.window === 0 || !mapWindow(this.window, address, BLOCK_BYTES))
      panic('RAM above 4 GiB has no window');
    return this.window;
  }

  physical(index: u32): u64 {
    return this.addresses[index];
  }

  release(): void {
    for (let i: u32 = 0; i < this.count; i++) frames.free(this.addresses[i], BLOCK_BYTES);
  }
}

function fill(at: u32, seed: u64): void {
  for (let offset: u32 = 0; offset < BLOCK_BYTES; offset += 8) store<u64>(at + offset, seed + offset);
}

/** The first offset that does not hold what fill() wrote; BLOCK_BYTES: all does. */
function check(at: u32, seed: u64): u32 {
  let offset: u32 = 0;
  while (offset < BLOCK_BYTES && load<u64>(at + offset) === seed + offset) offset += 8;
  return offset;
}

export function memoryJob(): void {
  const blocks = new Blocks();
  const most = min(number('mib', u32.MAX_VALUE, u32.MAX_VALUE) / 2, BLOCKS_MAX);
  frames.logStatistics();
  const high = blocks.take(most, true);
  const low = blocks.take(most, false);
  for (let i: u32 = 0; i < blocks.count; i++) fill(blocks.open(i), blocks.physical(i));
  for (let i: u32 = 0; i < blocks.count; i++) {
    const at = check(blocks.open(i), blocks.physical(i));
    if (at === BLOCK_BYTES) continue;
    log('memory')
      .hex('wrong at ', blocks.physical(i) + at, 12)
      .end();
    panic('RAM does not keep what is written');
  }
  blocks.release();
  log('memory')
    .decimal('', low * 2)
    .decimal(' MiB below 4 GiB and ', high * 2)
    .text(' MiB above hold what was written')
    .end();
  frames.logStatistics();
}
