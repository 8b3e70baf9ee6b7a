// Jobs that fail on purpose, each in its own way, so that panics can be seen and tested on the real machine:
// job=fault-memory, fault-field, fault-copy, fault-division, fault-overflow, fault-unreachable, fault-call, fault-atomic, fault-assert,
// fault-stack, fault-arguments. The kernel has no floating-point numbers whose conversion could fail.

import { number } from '../lib/cmdline.ts';

/** Page 0, unless the command line says otherwise. */
export function memoryFault(): void {
  const address = number('address', 0, u32.MAX_VALUE);
  store<u32>(address, load<u32>(address) + 1);
}

/** A field of an object whose address is wild: with its offset it is beyond 4 GiB. */
export function fieldFault(): void {
  const object = number('address', u32.MAX_VALUE, u32.MAX_VALUE);
  store<u32>(object, load<u32>(object, 64) + 1, 64);
}

/** A bulk operator, which runs in assembly (asm/memory.S). */
export function copyFault(): void {
  memory.copy(number('address', 0, u32.MAX_VALUE) as usize, 0x1000, 64);
}

/** A fault below a call with more arguments than there are registers for. */
export function argumentsFault(depth: u32): u32 {
  return depth === 0 ? load<u32>(0) : manyArguments(depth - 1, 1, 2, 3, 4, 5, 6, 7, 8) + 1;
}

function manyArguments(depth: u32, a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32): u32 {
  return argumentsFault(depth) + a + b * c + d * e + f * g + h;
}

export function divisionFault(): void {
  const divisor = number('divisor', 0, u32.MAX_VALUE);
  assert(1000 / divisor > 1000, 'job=fault-division with a divisor');
}

/** -2^31 / -1. */
export function overflowFault(): void {
  const divisor = number('divisor', u32.MAX_VALUE, u32.MAX_VALUE) as i32;
  assert(i32.MIN_VALUE / divisor > 0, 'job=fault-overflow with a divisor');
}

export function unreachableFault(): void {
  unreachable();
}

/** Calls a table's element: one that is not there, is null (function=0), or is another kind of function. */
export function callFault(): void {
  call_indirect<u64>(number('function', u32.MAX_VALUE, u32.MAX_VALUE), 1 as u64, 2 as u64, 3 as u64);
}

/** Across a multiple of 4. */
export function atomicFault(): void {
  const address = number('address', 0x80_0002, u32.MAX_VALUE);
  atomic.add<u32>(address, 0);
}

export function assertFault(): void {
  assert(number('truth', 0, 1) !== 0, 'job=fault-assert');
}

/** Never comes to its end: there is no stack for so many calls. */
export function stackFault(depth: u32): u32 {
  return depth === u32.MAX_VALUE ? depth : stackFault(depth + 1) ^ load<u8>(0x1000 + (depth & 1));
}
