// Which source files have changed. They are looked at again and again: what an editor does to a file, and to the folder around it,
// differs from editor to editor, but the file's time, size or number is another one at the end.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../paths.ts';

const INTERVAL_MS = 100;
/** Nothing has been written for so long: the editor is done. */
const SETTLED_MS = 20;
/** Not what editors keep beside them. */
const SOURCE = /^[^.#].*\.(ts|json|mjs|txt|S|inc|ld)$/;

/** What a file is recognised by. */
type Stamps = Map<string, { stamp: string; time_ms: number }>;

export interface Change {
  files: string[];
  /** When the last of them was written, or moved into place. */
  time_ms: number;
}

export class Changes {
  private readonly folders: readonly string[];
  private known: Stamps;
  /** When nothing was new for the last time. */
  private quiet_ms = Date.now();

  constructor(folders: readonly string[]) {
    this.folders = folders;
    this.known = this.look();
  }

  /** Since it was last asked, or undefined. */
  async take(): Promise<Change | undefined> {
    const looked_ms = Date.now();
    let now = this.look();
    if (differences(this.known, now).length === 0) {
      this.quiet_ms = looked_ms;
      return undefined;
    }
    for (let before: Stamps | undefined; !before || differences(before, now).length > 0; now = this.look()) {
      before = now;
      await pause(SETTLED_MS);
    }
    const files = differences(this.known, now);
    this.known = now;
    const times = files.map((file) => now.get(file)?.time_ms ?? looked_ms);
    // A file can be moved into place by its folder, and the clock of a file system can be another one.
    return { files, time_ms: Math.min(Math.max(...times, this.quiet_ms), Date.now()) };
  }

  /** The next one. */
  async next(signal: AbortSignal): Promise<Change | undefined> {
    while (!signal.aborted) {
      const change = await this.take();
      if (change) return change;
      await pause(INTERVAL_MS);
    }
    return undefined;
  }

  private look(): Stamps {
    const stamps: Stamps = new Map();
    for (const folder of this.folders) {
      for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
        if (!SOURCE.test(entry.name)) continue;
        const path = join(entry.parentPath, entry.name);
        const status = statSync(path, { throwIfNoEntry: false }); // it may have gone meanwhile
        if (!status) continue;
        const stamp = `${status.mtimeMs} ${status.size} ${status.ino}`;
        stamps.set(path.slice(root.length + 1), { stamp, time_ms: status.ctimeMs });
      }
    }
    return stamps;
  }
}

function differences(before: Stamps, after: Stamps): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name)?.stamp !== after.get(name)?.stamp);
}

export function pause(time_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time_ms));
}
