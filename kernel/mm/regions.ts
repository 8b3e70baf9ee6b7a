// A list of ranges of physical memory, as a boot loader tells them or as frames are left.

export class Region {
  constructor(
    public start: u64,
    public end: u64,
  ) {}
}

const REGIONS_MAX: u32 = 64;

export class Regions {
  count: u32 = 0;
  /** Ranges that did not fit, or overlap others. */
  lost: u32 = 0;
  private readonly regions: StaticArray<Region | null> = new StaticArray<Region | null>(REGIONS_MAX);

  at(index: u32): Region {
    return this.regions[index]!;
  }

  /** Empty ranges, and those that wrap around, are not taken. */
  add(start: u64, bytes: u64): void {
    if (bytes === 0 || start + bytes < start) return;
    if (this.count === REGIONS_MAX || this.overlaps(start, start + bytes)) this.lost++;
    else this.regions[this.count++] = new Region(start, start + bytes);
  }

  overlaps(start: u64, end: u64): bool {
    for (let i: u32 = 0; i < this.count; i++) {
      const region = this.at(i);
      if (start < region.end && end > region.start) return true;
    }
    return false;
  }
}
