// What the host can have happen at any rate shall not fill the log.

const ALL: u32 = 8;

/** Whether the `count`th time gets a line: the first ones do, and then ever fewer. */
export function isWorthALine(count: u32): bool {
  return count <= ALL || (count & (count - 1)) === 0;
}
