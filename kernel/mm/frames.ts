// Page frames for what devices read and write: rings, headers and buffers. RAM below 4 GiB that is not linear
// memory's own; taken in contiguous runs, not cleared, and kept for good, because drivers keep what they take.

import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import * as x86 from '../x86.ts';
import { FRAMES_NEEDED_BYTES, HEAP_END, MIB, PAGE, RAM_MAPPED_END, STATIC_START } from './layout.ts';
import { keepForRam, MAP_DONE, MAP_WRITABLE, mapProblem } from './map.ts';
import { Regions } from './regions.ts';

const LOW_4_GIB: u64 = 0x1_0000_0000;

/** For the drivers' own buffers, whatever devices ask for. */
const RESERVE_BYTES: u32 = MIB / 2;

/** What is left of each range of RAM; taken from its start. */
const free = new Regions();

/** Maps all RAM below 4 GiB and makes it available; `source` is who told it. */
export function init(ram: Regions, source: string): void {
  keepForRam(ram);
  let usable: u64 = 0;
  let high: u64 = 0;
  let sufficient: bool = false;
  for (let i: u32 = 0; i < ram.count; i++) {
    const region = ram.at(i);
    usable += region.end - region.start;
    if (region.end > LOW_4_GIB) high += region.end - max(region.start, LOW_4_GIB);
    if (region.start <= STATIC_START && region.end >= HEAP_END + FRAMES_NEEDED_BYTES) sufficient = true;
    addFrames(max(region.start, HEAP_END), min(region.end, LOW_4_GIB));
  }
  log('memory')
    .size('', usable & ~1023)
    .decimal(' of RAM in ', ram.count)
    .text(' ranges by ')
    .text(source)
    .end();
  if (ram.lost > 0) log('memory').decimal('', ram.lost).text(' more ranges ignored').end();
  if (high > 0) log('memory').size('', high).text(' above 4 GiB not used').end();
  if (sufficient) return;
  log('memory')
    .decimal('too little RAM: yaos needs it from 1 to ', (HEAP_END + FRAMES_NEEDED_BYTES) / MIB)
    .text(' MiB; give the machine 16 MiB or more')
    .end();
  panic('too little RAM');
}

function addFrames(start: u64, end: u64): void {
  start = (start + PAGE - 1) & ~((PAGE - 1) as u64);
  end &= ~((PAGE - 1) as u64);
  if (start >= end) return;
  const unmapped = max(start, RAM_MAPPED_END);
  if (unmapped < end) {
    const result = x86.map(unmapped as u32, unmapped, (end - unmapped) as u32, MAP_WRITABLE);
    if (result !== MAP_DONE) {
      log('memory').hex('RAM at ', unmapped, 8).text(' cannot be mapped: ').text(mapProblem(result)).end();
      end = unmapped;
    }
  }
  if (start < end) free.add(start, end - start);
}

/** Whether a device may have so much, contiguous: its wish must not be what others lack. */
export function affords(bytes: u32): bool {
  for (let i: u32 = 0; i < free.count; i++) {
    const region = free.at(i);
    if (region.end - region.start >= (bytes as u64) + RESERVE_BYTES) return true;
  }
  return false;
}

/** `bytes`, rounded up to pages, contiguous, with any content; panics when there are none. */
export function allocate(bytes: u32): u32 {
  const length = (bytes + PAGE - 1) & ~(PAGE - 1);
  for (let i: u32 = 0; i < free.count; i++) {
    const region = free.at(i);
    if (region.end - region.start < length) continue;
    const address = region.start as u32;
    region.start += length;
    return address;
  }
  log('memory').size('no ', length).text(' of contiguous RAM left').end();
  panic('out of memory');
  return 0;
}
