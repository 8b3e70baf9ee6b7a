// Network interfaces, whatever drives them.

import { FrameUser, Mac } from '../net/frames.ts';
import { Statistics } from '../net/statistics.ts';

export abstract class Nic {
  constructor(
    /** Driver and function, for the log. */
    public readonly name: string,
    public readonly mac: Mac,
    public readonly statistics: Statistics,
  ) {}

  /** From now on frames are received, and given to `user` by a thread of CPU `cpu`; false after a line that says why not. */
  abstract start(user: FrameUser, cpu: u32): bool;

  /** Ends that thread, and waits until it has, and what was sent has gone. */
  abstract stop(): void;
}

let first: Nic | null = null;

export function addNic(nic: Nic): void {
  if (first === null) first = nic;
}

/** The interface that was found first, null: there is none. */
export function firstNic(): Nic | null {
  return first;
}
