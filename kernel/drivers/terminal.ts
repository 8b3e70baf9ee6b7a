// Terminals, whatever drives them: somebody types, and reads what is written.

import { Attachment } from '../bus/attachment.ts';
import { Registry } from './registry.ts';

/** Who has a terminal for as long as it is there. */
export abstract class TerminalUser {
  /** It takes nothing any more, and is to be dropped. */
  abstract terminalGone(): void;
}

export abstract class Terminal extends Attachment {
  /** Is told when it goes. */
  user: TerminalUser | null = null;

  constructor(
    /** Driver and function, for the log. */
    public readonly name: string,
  ) {
    super();
  }

  /** By threads of any CPU: all of it in one piece, or, when nobody takes it for too long, nothing. */
  abstract write(address: usize, bytes: u32): void;
  /** As write(), in a panic, when nobody else runs. */
  abstract writeInPanic(address: usize, bytes: u32): void;
  /** Waits until all that was written is out, but not for ever. */
  abstract drain(): void;

  /** The next byte that was typed; -1: none until the deadline (clock.after). One thread at a time. */
  abstract read(deadline: u64): i32;
}

export const terminals = new Registry<Terminal>();
