// Objects: what asc's `new` takes from the heap (heap.mjs ties its runtime to this). One that is made while its thread has an
// arena belongs to that, and is given back with all others there: so what a device or a card needs is given back with it,
// whoever made it, and nobody has to know all of it. A thread's arena is nobody else's business: what outlives it, tables that
// grow for instance, is made with none.

import { allocate, release } from './heap.ts';

// What asc has in front of an object (its std/assembly/rt/common.ts): two words of a collector, of which the first one says here
// whether the object is in an arena; class and size.
const HEAD_BYTES: u32 = 16;
const MARK: u32 = 0;
const IN_ARENA: u32 = 0x4e45_5241; // 'AREN'
const CLASS: u32 = 8;
const BYTES: u32 = 12;

const CHUNK_BYTES: usize = 2032;
/** The chunk that was taken before. */
const CHUNK_BEFORE: u32 = 0;
const CHUNK_HEAD_BYTES: usize = 16;

/** Objects that are given back together. */
export class Arena {
  private latest: usize = 0;
  private at: usize = 0;
  private end: usize = 0;

  get isEmpty(): bool {
    return this.latest === 0;
  }

  /** Gives back all that is in it, to which nobody has a reference that will be used, and itself. */
  free(): void {
    for (let chunk = this.latest; chunk !== 0; ) {
      const before = load<usize>(chunk, CHUNK_BEFORE);
      release(chunk);
      chunk = before;
    }
    free(this);
  }

  take(bytes: usize): usize {
    bytes = (bytes + 15) & ~15;
    if (bytes > CHUNK_BYTES - CHUNK_HEAD_BYTES) return this.addChunk(bytes + CHUNK_HEAD_BYTES);
    if (bytes > this.end - this.at) {
      this.at = this.addChunk(CHUNK_BYTES);
      this.end = this.latest + CHUNK_BYTES;
    }
    const address = this.at;
    this.at = address + bytes;
    return address;
  }

  /** Where its objects begin. */
  private addChunk(bytes: usize): usize {
    const chunk = allocate(bytes);
    store<usize>(chunk, this.latest, CHUNK_BEFORE);
    this.latest = chunk;
    return chunk + CHUNK_HEAD_BYTES;
  }
}

/** Who makes objects: a thread. */
export class Maker {
  /** Null: each of its objects is on its own. */
  arena: Arena | null = null;
}

export abstract class Makers {
  abstract current(): Maker;
}

/** In static memory, as objects are made before any module has been initialised. */
class State {
  /** Null: nobody has an arena yet. */
  makers: Makers | null = null;
}

const state = changetype<State>(memory.data(offsetof<State>(), 8));

/** From now on a thread can have an arena. */
export function setMakers(makers: Makers): void {
  state.makers = makers;
}

/** The running thread makes objects in `arena` from now on; returns where it did before. */
export function makeIn(arena: Arena | null): Arena | null {
  const makers = state.makers;
  if (makers === null) return null;
  const maker = makers.current();
  const before = maker.arena;
  maker.arena = arena;
  return before;
}

/** A new arena, in no other one. */
export function newArena(): Arena {
  const before = makeIn(null);
  const arena = new Arena();
  makeIn(before);
  return arena;
}

/** asc's __new. */
export function allocateObject(bytes: usize, id: u32): usize {
  const arena = ownArena();
  const address = arena === null ? allocate(bytes + HEAD_BYTES) : arena.take(bytes + HEAD_BYTES);
  store<u32>(address, arena === null ? 0 : IN_ARENA, MARK);
  store<u32>(address, id, CLASS);
  store<u32>(address, bytes as u32, BYTES);
  return address + HEAD_BYTES;
}

function ownArena(): Arena | null {
  const makers = state.makers;
  return makers === null ? null : makers.current().arena;
}

/** asc's __renew: it stays where it is only if it shrinks. */
export function resizeObject(object: usize, bytes: usize): usize {
  const head = object - HEAD_BYTES;
  const before: usize = load<u32>(head, BYTES);
  if (bytes > before) {
    const larger = allocateObject(bytes, load<u32>(head, CLASS));
    memory.copy(larger, object, before);
    giveBack(head);
    return larger;
  }
  store<u32>(head, bytes as u32, BYTES);
  return object;
}

/** Gives an object back, to which nobody has a reference that will be used. What it refers to stays. */
export function free<T>(object: T): void {
  giveBack(changetype<usize>(object) - HEAD_BYTES);
}

/** But for what stays: constants, and what is in an arena. */
function giveBack(head: usize): void {
  if (head >= __heap_base && load<u32>(head, MARK) !== IN_ARENA) release(head);
}
