// Sources of random bytes, whatever drives them.

export abstract class EntropySource {
  constructor(
    /** Driver and function, for the log. */
    public readonly name: string,
  ) {}

  /** Puts `bytes` random bytes at `buffer`, each given out once; false after a line that says what went wrong. */
  abstract read(buffer: u32, bytes: u32): bool;
}

let first: EntropySource | null = null;

export function addEntropySource(source: EntropySource): void {
  if (first === null) first = source;
}

/** The source that was found first, null: there is none. */
export function firstEntropySource(): EntropySource | null {
  return first;
}
