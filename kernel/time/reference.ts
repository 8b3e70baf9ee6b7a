// A clock of known rate, by which others are measured.

export abstract class Reference {
  constructor(
    /** For the log. */
    readonly name: string,
  ) {}

  /** Counts a second; after start(). */
  abstract hz(): u64;
  /** How many counts are enough to measure by: each reading is wrong by a part of a microsecond. */
  abstract measureCounts(): u32;
  /** Starts to count from 0; false: there is no such clock. */
  abstract start(): bool;
  /** Counts since start(); 0 for ever if it stands still. */
  abstract elapsed(): u32;
  /** Whether the count has come to its end, and elapsed() is of no use any more. */
  abstract ended(): bool;
}
