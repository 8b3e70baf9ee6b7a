// Sources of random bytes, whatever drives them.

import { Attachment } from '../bus/attachment.ts';
import { Registry } from './registry.ts';

export abstract class EntropySource extends Attachment {
  constructor(
    /** Driver and function, for the log. */
    public readonly name: string,
  ) {
    super();
  }

  /** Puts `bytes` random bytes at `buffer`, each given out once; false after a line that says what went wrong. */
  abstract read(buffer: u32, bytes: u32): bool;
}

export const entropySources = new Registry<EntropySource>();
