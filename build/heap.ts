// How much of the engine's heap is left: a module for which it does not suffice ends in a line, and not in V8's own crash. What the
// translator makes most of says so here, one by one.

import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { WasmError } from './wasm/module.ts';

/** A look takes microseconds. */
const MADE_BETWEEN_LOOKS = 4096;
/** Of the heap: what is made between two looks, and what a stage makes beside, has room in the rest. */
const SHARE_MAX = 0.8;
const MIB = 2 ** 20;
/** Of the limit, what V8 keeps for new objects. */
const YOUNG_BYTES = 64 * MIB;

let made = 0;
let collect: (() => void) | undefined;

/** An instruction, or anything as small of which there are as many, is made. */
export function countMade(): void {
  made++;
  if (made < MADE_BETWEEN_LOOKS) return;
  made = 0;
  if (isNearlyFull()) collectOrFail();
}

function isNearlyFull(): boolean {
  const { used_heap_size, heap_size_limit } = getHeapStatistics();
  return used_heap_size > (heap_size_limit - YOUNG_BYTES) * SHARE_MAX;
}

/** V8 collects when it thinks fit: what is used may be used no more. */
function collectOrFail(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
    setFlagsFromString('--no-expose-gc');
  }
  collect();
  if (!isNearlyFull()) return;
  const most = Math.floor(getHeapStatistics().heap_size_limit / MIB);
  throw new WasmError(
    `the translation needs more than ${most} MiB of memory: raise the limit by NODE_OPTIONS=--max-old-space-size=MIB`,
  );
}
