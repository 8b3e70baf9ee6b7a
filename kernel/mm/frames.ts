// Page frames: RAM that is not linear memory's own, in contiguous runs, for rings, headers and buffers. What lies above
// 4 GiB has no address in linear memory: it is kept apart, for who maps it to a window (map.ts).

import { ThreadLock } from '../lib/lock.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import * as x86 from '../x86.ts';
import { Buddy, bitmapBytes, NO_FRAME } from './buddy.ts';
import { PageSource, setSource } from './heap.ts';
import { FRAMES_NEEDED_BYTES, HEAP_END, MIB, PAGE, RAM_MAPPED_END, STATIC_START } from './layout.ts';
import { keepForRam, MAP_DONE, MAP_WRITABLE, mapProblem } from './map.ts';
import { Regions } from './regions.ts';

const LOW_4_GIB: u64 = 0x1_0000_0000;
/** So far frames are kept account of, by 64 bytes for each MiB: what asm/ has mapped at entry holds that. */
const END_MAX: u64 = 16 * LOW_4_GIB;
const LOW_FRAMES: u32 = (LOW_4_GIB / PAGE) as u32;

/** For the drivers' own buffers, whatever devices ask for. */
const RESERVE_BYTES: u32 = MIB / 2;

class Frames {
  /** Guards the rest. Threads only. */
  readonly lock: ThreadLock = new ThreadLock();
  buddy: Buddy | null = null;
  total: u32 = 0;
  high: u32 = 0;
}

const frames = new Frames();

class HeapPages extends PageSource {
  take(bytes: u32): u32 {
    return tryAllocate(bytes);
  }

  give(address: u32, bytes: u32): void {
    free(address, bytes);
  }
}

/** Maps all RAM below 4 GiB and makes all of it available; `source` is who told it. */
export function init(ram: Regions, source: string): void {
  keepForRam(ram);
  let usable: u64 = 0;
  let end: u64 = 0;
  let first: u64 = 0;
  let sufficient: bool = false;
  for (let i: u32 = 0; i < ram.count; i++) {
    const region = ram.at(i);
    usable += region.end - region.start;
    end = max(end, min(region.end, END_MAX));
    if (region.start <= STATIC_START && region.end >= HEAP_END + FRAMES_NEEDED_BYTES) {
      sufficient = true;
      first = region.end;
    }
  }
  // A map that tells of more RAM than there is room to keep account of is not believed.
  if (HEAP_END + bitmapBytes((end / PAGE) as u32) + FRAMES_NEEDED_BYTES > first) end = min(end, first);
  log('memory')
    .size('', usable & ~1023)
    .decimal(' of RAM in ', ram.count)
    .text(' ranges by ')
    .text(source)
    .end();
  if (ram.lost > 0) log('memory').decimal('', ram.lost).text(' more ranges ignored').end();
  if (!sufficient) {
    log('memory')
      .decimal('too little RAM: yaos needs it from 1 to ', (HEAP_END + FRAMES_NEEDED_BYTES) / MIB)
      .text(' MiB; give the machine 16 MiB or more')
      .end();
    panic('too little RAM');
  }
  const count = (end / PAGE) as u32;
  frames.buddy = new Buddy(HEAP_END, count);
  const start = HEAP_END + bitmapBytes(count);
  for (let i: u32 = 0; i < ram.count; i++) {
    const region = ram.at(i);
    addFrames(max(region.start, start), min(region.end, min(end, LOW_4_GIB)), true);
    frames.high += addFrames(max(region.start, LOW_4_GIB), min(region.end, end), false);
  }
  frames.total = frames.buddy!.freeFrames;
  setSource(new HeapPages());
}

/** How many frames were added. */
function addFrames(start: u64, end: u64, mapped: bool): u32 {
  start = (start + PAGE - 1) & ~((PAGE - 1) as u64);
  end &= ~((PAGE - 1) as u64);
  if (start >= end) return 0;
  if (mapped && end > RAM_MAPPED_END) {
    const unmapped = max(start, RAM_MAPPED_END);
    const result = x86.map(unmapped as u32, unmapped, (end - unmapped) as u32, MAP_WRITABLE);
    if (result !== MAP_DONE) {
      log('memory').hex('RAM at ', unmapped, 8).text(' cannot be mapped: ').text(mapProblem(result)).end();
      end = unmapped;
    }
  }
  if (start >= end) return 0;
  const count = ((end - start) / PAGE) as u32;
  frames.buddy!.release((start / PAGE) as u32, count);
  return count;
}

/** Whether a device may have so much, contiguous: its wish must not be what others lack. */
export function affords(bytes: u32): bool {
  const address = tryAllocate(bytes + RESERVE_BYTES);
  if (address === 0) return false;
  free(address, bytes + RESERVE_BYTES);
  return true;
}

/** `bytes`, rounded up to pages, contiguous, with any content; panics when there are none. */
export function allocate(bytes: u32): u32 {
  const address = tryAllocate(bytes);
  if (address !== 0) return address;
  log('memory').size('no ', roundUp(bytes)).text(' of contiguous RAM left').end();
  panic('out of memory');
  return 0;
}

/** As allocate(), but 0 when there are none. */
export function tryAllocate(bytes: u32): u32 {
  return (take(bytes, 0, LOW_FRAMES) as u32) * PAGE;
}

/** The physical address of so much RAM above 4 GiB, contiguous; 0: there is none. */
export function allocateHigh(bytes: u32): u64 {
  return take(bytes, LOW_FRAMES, u32.MAX_VALUE) * PAGE;
}

/** Gives back what was allocated, or a part of it in whole pages, wherever it is. */
export function free(address: u64, bytes: u32): void {
  frames.lock.acquire();
  frames.buddy!.release((address / PAGE) as u32, roundUp(bytes) / PAGE);
  frames.lock.release();
}

/** Above 4 GiB too. */
export function freeBytes(): u64 {
  return (frames.buddy!.freeFrames as u64) * PAGE;
}

/** What there was to be given out at first. */
export function totalBytes(): u64 {
  return (frames.total as u64) * PAGE;
}

export function logStatistics(): void {
  const buddy = frames.buddy!;
  log('memory')
    .size('', (frames.total as u64) * PAGE)
    .size(' in frames, ', (frames.high as u64) * PAGE)
    .size(' of it above 4 GiB; free ', (buddy.freeFrames as u64) * PAGE)
    .size(', at most ', (buddy.largest() as u64) * PAGE)
    .text(' in a row')
    .end();
}

/** A frame's number; 0: there is none. */
function take(bytes: u32, from: u32, to: u32): u64 {
  frames.lock.acquire();
  const frame = frames.buddy!.allocate(roundUp(bytes) / PAGE, from, to);
  frames.lock.release();
  return frame === NO_FRAME ? 0 : frame;
}

function roundUp(bytes: u32): u32 {
  return (bytes + PAGE - 1) & ~(PAGE - 1);
}
