// Memory that is lent to the host, and how often that has changed.

import { Attachment } from '../bus/attachment.ts';
import { Event } from '../sched/event.ts';
import { Registry } from './registry.ts';

export abstract class BalloonState extends Attachment {
  /** Frames that the host has. */
  pages: u32 = 0;
  /** And that it wants to have. */
  wanted: u32 = 0;
  /** How often the host's wish was met, as far as it could be; `settled` is signalled each time. */
  changes: u32 = 0;
  /** Nothing will change any more. */
  failed: bool = false;
  readonly settled: Event = new Event();
}

export const balloons = new Registry<BalloonState>();
