// How a function interrupts: by messages, of MSI-X or else of MSI, or by its pin.

import { Line, LineUser } from '../../irq/line.ts';
import { PciFunction } from './function.ts';
import { connectPin } from './intx.ts';
import { Messages } from './messages.ts';
import { findMsi } from './msi.ts';
import { findMsix } from './msix.ts';

export class PciInterrupts {
  /** Null: there is none that can be used, or it was given up for the pin. */
  private messages: Messages | null;

  constructor(
    private readonly fn: PciFunction,
    /** Whether the device knows MSI as well. */
    msi: bool,
  ) {
    let messages = findMsix(fn);
    if (messages === null && msi) messages = findMsi(fn);
    if (messages !== null) messages.enable();
    this.messages = messages;
  }

  get byMessage(): bool {
    return this.messages !== null;
  }

  /** The function neither interrupts any more nor decodes or reaches anything. */
  close(): void {
    const messages = this.messages;
    if (messages !== null) messages.disable();
    this.fn.disable();
  }

  /** How many messages can be told apart, 0: none. */
  get vectorCount(): u32 {
    const messages = this.messages;
    return messages === null ? 0 : messages.count;
  }

  /** Sends message `index` to a CPU as `vector`. */
  route(index: u32, vector: u32, apicId: u32): void {
    this.messages!.route(index, vector, apicId);
  }

  /** Interrupts by the pin from now on; null after a line that says why that cannot be. */
  usePin(user: LineUser): Line | null {
    const messages = this.messages;
    if (messages !== null) messages.disable();
    this.messages = null;
    return connectPin(this.fn, user);
  }
}
