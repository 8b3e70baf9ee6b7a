// How a function interrupts: by messages (MSI-X), or else by its pin.

import { Line, LineUser } from '../../irq/line.ts';
import { PciFunction } from './function.ts';
import { connectPin } from './intx.ts';
import { findMsix, Msix } from './msix.ts';

export class PciInterrupts {
  /** Null: there is none that can be used, or it was given up for the pin. */
  private msix: Msix | null;

  constructor(private readonly fn: PciFunction) {
    const msix = findMsix(fn);
    if (msix !== null) msix.enable();
    this.msix = msix;
  }

  get byMessage(): bool {
    return this.msix !== null;
  }

  /** The function neither interrupts any more nor decodes or reaches anything. */
  close(): void {
    const msix = this.msix;
    if (msix !== null) msix.disable();
    this.fn.disable();
  }

  /** How many messages can be told apart, 0: none. */
  get vectorCount(): u32 {
    const msix = this.msix;
    return msix === null ? 0 : msix.entryCount;
  }

  /** Sends message `index` to a CPU as `vector`. */
  route(index: u32, vector: u32, apicId: u32): void {
    this.msix!.route(index, vector, apicId);
  }

  /** Interrupts by the pin from now on; null after a line that says why that cannot be. */
  usePin(user: LineUser): Line | null {
    const msix = this.msix;
    if (msix !== null) msix.disable();
    this.msix = null;
    return connectPin(this.fn, user);
  }
}
