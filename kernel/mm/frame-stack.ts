// A list of frames by their numbers, which grows and shrinks at its end, in frames of its own.

import { NO_FRAME } from './buddy.ts';
import * as frames from './frames.ts';
import { PAGE } from './layout.ts';

/** The first word of each of its frames leads to the one before, 0: there is none. */
const ENTRIES: u32 = PAGE / 4 - 1;

/** One thread at a time. */
export class FrameStack {
  count: u32 = 0;
  private page: u32 = 0;
  /** Entries of `page` that are used. */
  private used: u32 = ENTRIES;

  /** False: there is no memory for the list itself. */
  push(frame: u32): bool {
    if (this.used === ENTRIES) {
      const page = frames.tryAllocate(PAGE);
      if (page === 0) return false;
      store<u32>(page, this.page);
      this.page = page;
      this.used = 0;
    }
    this.used++;
    store<u32>(this.page + this.used * 4, frame);
    this.count++;
    return true;
  }

  /** NO_FRAME: it is empty. */
  pop(): u32 {
    if (this.count === 0) return NO_FRAME;
    const frame = load<u32>(this.page + this.used * 4);
    this.used--;
    this.count--;
    if (this.used > 0) return frame;
    const page = this.page;
    this.page = load<u32>(page);
    this.used = ENTRIES;
    frames.free(page, PAGE);
    return frame;
  }
}
