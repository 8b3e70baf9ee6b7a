// Jobs that fail on purpose, each in its own way, so that panics can be seen and tested on the real machine:
// job=fault-memory, fault-division, fault-assert, fault-stack.

import { number } from '../lib/cmdline.ts';

/** Page 0, unless the command line says otherwise. */
export function memoryFault(): void {
  const address = number('address', 0, u32.MAX_VALUE);
  store<u32>(address, load<u32>(address) + 1);
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
