// Disks, whatever drives them. Sectors have 512 bytes.

export const SECTOR_BYTES: u32 = 512;
const DISKS_MAX: u32 = 16;

export abstract class Disk {
  constructor(
    /** Driver and function, for the log. */
    public readonly name: string,
  ) {}

  /** Reads `count` sectors from `sector` on into `buffer`; false after a line that says what went wrong. */
  abstract read(sector: u64, count: u32, buffer: u32): bool;

  /** Whether every interrupt and completion is logged. */
  abstract setTrace(on: bool): void;
}

const disks = new StaticArray<Disk | null>(DISKS_MAX);
let diskCount: u32 = 0;

/** False: there are too many. */
export function addDisk(disk: Disk): bool {
  if (diskCount === DISKS_MAX) return false;
  disks[diskCount++] = disk;
  return true;
}

/** The disk that was found first, null: there is none. */
export function firstDisk(): Disk | null {
  return disks[0];
}
