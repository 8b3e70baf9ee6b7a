// The one interrupt of a function that has no use for several: by a message where it can send one, else by its pin.

import { Line, LineUser } from '../../irq/line.ts';
import { freeVector, InterruptHandler, shareVector } from '../../irq/vectors.ts';
import { Activity } from '../../lib/activity.ts';
import { apicIdOf } from '../../sched/cpu.ts';
import { PciFunction } from './function.ts';
import { PciInterrupts } from './interrupts.ts';

/** A driver derives from it: serve() asks the device what it wants, as others may have the same vector or line. */
export abstract class PciInterrupt extends LineUser {
  private readonly interrupts: PciInterrupts;
  private readonly message: MessageHandler = new MessageHandler();
  private vector: u32 = 0;
  private line: Line | null = null;

  constructor(fn: PciFunction) {
    super();
    this.interrupts = new PciInterrupts(fn, true);
    this.message.user = this;
    this.message.name = fn.name;
  }

  /** By this message, if there are so many; false after a line that says why the function cannot interrupt. */
  connect(message: u32 = 0): bool {
    if (message >= this.interrupts.vectorCount) {
      this.line = this.interrupts.usePin(this);
      return this.line !== null;
    }
    this.vector = shareVector(this.message);
    this.interrupts.route(message, this.vector, apicIdOf(0));
    return true;
  }

  /** What a panic in serve() tells. */
  setActivity(activity: Activity): void {
    this.activity = activity;
    this.message.activity = activity;
  }

  get byMessage(): bool {
    return this.vector !== 0;
  }

  /** The function neither interrupts nor reaches memory any more. */
  close(): void {
    this.interrupts.close();
    const line = this.line;
    if (line !== null) line.remove(this);
    if (this.vector !== 0) freeVector(this.vector, this.message);
  }
}

class MessageHandler extends InterruptHandler {
  user: LineUser | null = null;

  interrupt(vector: u32): void {
    this.user!.serve(vector);
  }
}
