// A message to a local APIC, by MSI or MSI-X: a write of the function's, to an address that the driver has given it.

import { isMessage } from '../bus/memory.ts';
import type { PciFunction } from './function.ts';

/** `entry`: which one of the function's. */
export function sendMessage(fn: PciFunction, entry: number, address: number, data: number): void {
  const { trace } = fn.system;
  const message = { device: fn.name, entry, vector: data & 0xff };
  trace.message?.(message);
  if (trace.allowMessage?.(message) === false) return;
  // It is a write like any other, and lost where nobody takes it.
  const { dma } = fn;
  if (isMessage(address) ? dma.enabled() : dma.reaches(address, 4)) dma.write32(address, data);
}
