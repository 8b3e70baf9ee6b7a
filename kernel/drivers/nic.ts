// Network interfaces, whatever drives them.

import { Attachment } from '../bus/attachment.ts';
import { FrameUser, Mac } from '../net/frames.ts';
import { Statistics } from '../net/statistics.ts';
import { Registry } from './registry.ts';

export abstract class Nic extends Attachment {
  constructor(
    /** Driver and function, for the log. */
    public readonly name: string,
    public readonly mac: Mac,
    public readonly statistics: Statistics,
  ) {
    super();
  }

  /** From now on frames are received, and given to `user` by a thread of CPU `cpu`; false after a line that says why not. */
  abstract start(user: FrameUser, cpu: u32): bool;

  /** Ends that thread, and waits until it has, and what was sent has gone. */
  abstract stop(): void;
}

export const nics = new Registry<Nic>();
