// What must be on the disk of job=records (kernel/jobs/records.ts): in each sector the newest record that the log has promised, or
// one that came later; never an older one, and never anything else.

import { SECTOR_BYTES } from './machine.ts';

const RECORD_SECTORS = 8;
/** Records whose lines may not have come yet. */
const UNTOLD_MAX = 8;

export class Ledger {
  /** The oldest record that each sector may have. */
  private readonly floors: number[];
  /** What the kernel must find as the newest when it starts. */
  private found = 0;
  private newest = 0;
  /** Lines of the log that have been read. */
  private read = 0;
  private readonly places: number;
  private readonly promise: string;

  /** `promise`: the word of the log's lines that is taken for one. */
  constructor(sectors: number, promise = 'safe') {
    this.places = Math.floor(sectors / RECORD_SECTORS);
    this.floors = new Array(this.places * RECORD_SECTORS).fill(0);
    this.promise = promise;
  }

  /** A machine is started on the disk as it is: nobody writes older records from now on. Its log begins. */
  start(disk: Buffer): void {
    this.read = 0;
    for (const sector of this.floors.keys()) this.floors[sector] = recordIn(disk, sector);
    this.found = Math.max(...this.floors);
    this.newest = this.found;
  }

  /** Takes what is new in a log; what is wrong with it. */
  note(lines: string[]): string[] {
    const problems: string[] = [];
    for (; this.read < lines.length; this.read++) {
      const line = lines[this.read]!;
      const [, newest] = /^records: \d+ places, the newest is (\d+)$/.exec(line) ?? [];
      if (newest !== undefined && Number(newest) !== this.found)
        problems.push(`"${line}", but the disk has record ${this.found}`);
      const [, first, last, what] = /^records: (\d+) to (\d+) (.*)$/.exec(line) ?? [];
      if (what === undefined) continue;
      this.newest = Math.max(this.newest, Number(last));
      if (what === this.promise) this.promised(Number(first), Number(last));
    }
    return problems;
  }

  /** What is on the disk and should not be, a line each; `complete`: the whole log has been read. */
  check(disk: Buffer, complete = true): string[] {
    const newest = complete ? this.newest + UNTOLD_MAX : Number.MAX_SAFE_INTEGER;
    return this.floors.flatMap((floor, sector) => {
      const problem = this.problem(disk, sector, floor, newest);
      return problem === null ? [] : [`sector ${sector} has ${problem}; record ${floor} was ${this.promise}`];
    });
  }

  private promised(first: number, last: number): void {
    for (let record = first; record <= last; record++)
      for (let part = 0; part < RECORD_SECTORS; part++) this.floors[this.sectorOf(record) + part] = record;
  }

  private problem(disk: Buffer, sector: number, floor: number, newest: number): string | null {
    const words = disk.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
    const record = recordIn(disk, sector);
    if (record === 0) {
      if (words.some((byte) => byte !== 0)) return 'no record';
      return floor === 0 ? null : 'nothing';
    }
    const part = sector % RECORD_SECTORS;
    if (this.sectorOf(record) + part !== sector) return `record ${record} of another place`;
    for (let i = 0; i < SECTOR_BYTES / 8; i++)
      if (words.readUInt32LE(i * 8) !== ((part << 16) | i) || words.readUInt32LE(i * 8 + 4) !== record)
        return `a damaged record ${record}`;
    if (record > newest) return `record ${record}, of which nobody knows`;
    return record < floor ? `record ${record}` : null;
  }

  private sectorOf(record: number): number {
    return (record % this.places) * RECORD_SECTORS;
  }
}

function recordIn(disk: Buffer, sector: number): number {
  return disk.readUInt32LE(sector * SECTOR_BYTES + 4);
}
