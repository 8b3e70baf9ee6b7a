// The heap: where memory for objects (objects.ts) comes from (heap.mjs ties asc's runtime to this). A page of memory is a
// slab (Bonwick, The Slab Allocator, 1994), a head and slots of one size; what is larger than the largest slot has pages
// for itself, with such a head. Pages are linear memory's own first, then frames.
//
// What is free is zero. So who uses an object that was given back meets a null pointer, as a rule. Threads only: interrupt
// handlers neither take nor give back.

import { ThreadLock } from '../lib/lock.ts';
import { log } from '../lib/log.ts';
import { panic } from '../lib/panic.ts';
import { HEAP_END, PAGE } from './layout.ts';

/** Slots' sizes, such that as little of a page as can be is left over; all are multiples of 16, as asc wants it. */
const SLOT_BYTES: usize = memory.data<u16>([
  32, 48, 64, 80, 96, 128, 192, 256, 384, 512, 672, 1008, 1344, 2032,
]);
const SIZES: u32 = 14;
const SLOT_BYTES_MAX: u32 = 2032;

const HEAD_BYTES: u32 = 32;
/** Of one object: asc's own limit (BLOCK_MAXSIZE). */
const BYTES_MAX: usize = (1 << 30) - 16;

/** Where pages come from when linear memory's own are taken. Has to do without the heap. */
export abstract class PageSource {
  /** 0: there are none. */
  abstract take(bytes: u32): u32;
  abstract give(address: u32, bytes: u32): void;
}

/** A page's head. It lies in the page, and is not allocated. */
class Page {
  /** In the list of pages that have such slots free. */
  next: Page | null = null;
  previous: Page | null = null;
  /** Of each slot; 0: this is the first page of an object of its own. */
  slotBytes: u32 = 0;
  /** Slots that are free, or pages. */
  count: u32 = 0;
  /** A bit for each slot that is taken. */
  takenLow: u64 = 0;
  takenHigh: u64 = 0;
}

/** In static memory, as all here: it is used before any module has been initialised. */
class Heap {
  /** Of linear memory's own, the first page that was never used; 0: none was. */
  fresh: u32 = 0;
  /** And those of its own that were given back. */
  own: Page | null = null;
  /** Null: there is none yet. */
  source: PageSource | null = null;
  pages: u32 = 0;
  objects: u64 = 0;
  bytes: u64 = 0;
}

const heapState = changetype<Heap>(memory.data(offsetof<Heap>(), 8));
const lock = changetype<ThreadLock>(memory.data(offsetof<ThreadLock>()));
/** By size: the first page with a free slot. */
const firstPages: usize = memory.data(SIZES * 4);

/** From now on there are more pages. */
export function setSource(source: PageSource): void {
  heapState.source = source;
}

/** asc's __alloc. */
export function allocate(bytes: usize): usize {
  if (bytes > SLOT_BYTES_MAX) return allocatePages(bytes);
  let size: u32 = 0;
  while (load<u16>(SLOT_BYTES + size * 2) < (bytes as u16)) size++;
  lock.acquire();
  const first = load<Page | null>(firstPages + size * 4);
  const page = first !== null ? first : addSlab(size);
  const slot = takeSlot(page);
  if (--page.count === 0) unlink(page, size);
  heapState.objects++;
  heapState.bytes += page.slotBytes;
  lock.release();
  return changetype<usize>(page) + HEAD_BYTES + slot * page.slotBytes;
}

/** asc's __free; panics if nothing is there, or nothing any more. */
export function release(address: usize): void {
  const page = pageOf(address);
  if (page.slotBytes === 0) {
    if (page.count === 0 || (address & (PAGE - 1)) !== HEAD_BYTES) refuse();
    releasePages(page);
    return;
  }
  const offset = (address as u32) - (changetype<usize>(page) as u32) - HEAD_BYTES;
  const slot = offset / page.slotBytes;
  lock.acquire();
  const taken = offset < PAGE && offset % page.slotBytes === 0 && giveSlot(page, slot);
  if (taken) {
    memory.fill(address, 0, page.slotBytes);
    heapState.objects--;
    heapState.bytes -= page.slotBytes;
    slotReturned(page);
  }
  lock.release();
  if (!taken) refuse();
}

function refuse(): void {
  panic('an object is given back that nobody has');
}

/** asc's __realloc. */
export function resize(address: usize, bytes: usize): usize {
  const capacity = capacityOf(address);
  if (bytes <= capacity) return address;
  const larger = allocate(max(bytes, capacity * 2));
  memory.copy(larger, address, capacity);
  release(address);
  return larger;
}

/** What all objects take. */
export function usedBytes(): u64 {
  return heapState.bytes;
}

export function logStatistics(): void {
  log('memory')
    .decimal('', heapState.objects)
    .size(' objects take ', heapState.bytes)
    .size(' of the heap, which has ', (heapState.pages as u64) * PAGE)
    .end();
}

function pageOf(address: usize): Page {
  return changetype<Page>(address & ~((PAGE - 1) as usize));
}

function capacityOf(address: usize): usize {
  const page = pageOf(address);
  return page.slotBytes !== 0 ? page.slotBytes : page.count * PAGE - HEAD_BYTES;
}

/** A free slot's number, which is free no more. */
function takeSlot(page: Page): u32 {
  if (~page.takenLow !== 0) {
    const slot = ctz(~page.takenLow) as u32;
    page.takenLow |= bit(slot);
    return slot;
  }
  const slot = ctz(~page.takenHigh) as u32;
  page.takenHigh |= bit(slot);
  return slot + 64;
}

/** False: it is free. */
function giveSlot(page: Page, slot: u32): bool {
  const high = slot >= 64;
  const taken = high ? page.takenHigh : page.takenLow;
  if (!(taken & bit(slot))) return false;
  if (high) page.takenHigh = taken & ~bit(slot);
  else page.takenLow = taken & ~bit(slot);
  return true;
}

function bit(slot: u32): u64 {
  return (1 as u64) << (slot & 63);
}

/** One slot more is free: the page can be used again, or is not needed. */
function slotReturned(page: Page): void {
  let size: u32 = 0;
  while (load<u16>(SLOT_BYTES + size * 2) !== (page.slotBytes as u16)) size++;
  if (page.count++ === 0) link(page, size);
  const alone = page.next === null && page.previous === null;
  if (page.takenLow !== 0 || page.takenHigh !== 0 || alone) return; // the last one stays, for who comes next
  unlink(page, size);
  givePages(page, 1);
}

/** A page of free slots, in its list. */
function addSlab(size: u32): Page {
  const page = takePages(1);
  page.slotBytes = load<u16>(SLOT_BYTES + size * 2);
  page.count = (PAGE - HEAD_BYTES) / page.slotBytes;
  link(page, size);
  return page;
}

function link(page: Page, size: u32): void {
  const first = load<Page | null>(firstPages + size * 4);
  page.next = first;
  page.previous = null;
  if (first !== null) first.previous = page;
  store<Page | null>(firstPages + size * 4, page);
}

function unlink(page: Page, size: u32): void {
  const next = page.next;
  const previous = page.previous;
  if (next !== null) next.previous = previous;
  if (previous !== null) previous.next = next;
  else store<Page | null>(firstPages + size * 4, next);
  page.next = page.previous = null;
}

function allocatePages(bytes: usize): usize {
  if (bytes > BYTES_MAX) panic('an object is too large for the heap');
  const count = ((bytes as u32) + HEAD_BYTES + PAGE - 1) / PAGE;
  lock.acquire();
  const page = takePages(count);
  page.count = count;
  heapState.objects++;
  heapState.bytes += count * PAGE;
  lock.release();
  return changetype<usize>(page) + HEAD_BYTES;
}

function releasePages(page: Page): void {
  lock.acquire();
  heapState.objects--;
  const count = page.count;
  heapState.bytes -= count * PAGE;
  page.count = 0;
  givePages(page, count);
  lock.release();
}

/** The head of `count` pages of zeros. With the lock held. */
function takePages(count: u32): Page {
  const source = heapState.source;
  let start = count === 1 || source === null ? takeOwn(count) : 0;
  if (start === 0 && source !== null) start = source.take(count * PAGE);
  if (start === 0) {
    lock.release();
    panic('the heap is full');
  }
  heapState.pages += count;
  memory.fill(start, 0, count * PAGE);
  return changetype<Page>(start);
}

/** Of linear memory's own pages; 0: there are none. */
function takeOwn(count: u32): u32 {
  const own = heapState.own;
  if (own !== null && count === 1) {
    heapState.own = own.next;
    return changetype<usize>(own) as u32;
  }
  let start = heapState.fresh;
  if (start === 0) start = ((__heap_base as u32) + PAGE - 1) & ~(PAGE - 1);
  if (count * PAGE > HEAP_END - start) return 0;
  heapState.fresh = start + count * PAGE;
  return start;
}

/** With the lock held. */
function givePages(page: Page, count: u32): void {
  const address = changetype<usize>(page) as u32;
  const source = heapState.source;
  if (count === 1 && address < HEAP_END) {
    page.next = heapState.own;
    heapState.own = page;
  } else if (source !== null) source.give(address, count * PAGE);
  else return;
  heapState.pages -= count;
}
