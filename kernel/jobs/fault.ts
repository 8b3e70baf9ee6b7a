// Jobs that fail on purpose, each in its own way, so that panics can be seen and tested on the real machine:
// job=fault-memory, fault-copy, fault-division, fault-assert, fault-stack, fault-arguments.

import { number } from '../lib/cmdline.ts';

/** Page 0, unless the command line says otherwise. */
export function memoryFault(): void {
  const address = number('address', 0, u32.MAX_VALUE);
  store<u32>(address, load<u32>(address) + 1);
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

export function assertFault(): void {
  assert(number('truth', 0, 1) !== 0, 'job=fault-assert');
}

/** Never comes to its end: there is no stack for so many calls. */
export function stackFault(depth: u32): u32 {
  return depth === u32.MAX_VALUE ? depth : stackFault(depth + 1) ^ load<u8>(0x1000 + (depth & 1));
}
