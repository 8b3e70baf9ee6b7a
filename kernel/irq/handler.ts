// Who handles interrupts; vectors.ts has the rules.

import { Activity } from '../lib/activity.ts';

export abstract class InterruptHandler {
  /** The next that has a share in its vector. */
  next: InterruptHandler | null = null;
  /** Whose interrupts they are, for traces and panics. */
  name: string = '';
  /** What they are a part of. */
  activity: Activity | null = null;

  abstract interrupt(vector: u32): void;
}
