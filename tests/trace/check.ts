// What Google's "Trace Event Format" asks of a file, and what must hold of ours besides.

import { expect } from 'vitest';
import type { ChromeEvent } from '../../build/trace/chrome.ts';

/** Times are rounded to a thousandth of a microsecond. */
const ROUNDING = 0.002;
const PHASES = new Set(['M', 'X', 'i', 'b', 'e', 's', 'f']);

/** The events of a file in the format. */
export function checkTraceFile(text: string): ChromeEvent[] {
  const file = JSON.parse(text) as { traceEvents: ChromeEvent[]; displayTimeUnit: string };
  expect(['ms', 'ns']).toContain(file.displayTimeUnit);
  const events = file.traceEvents;
  for (const event of events) {
    const what = JSON.stringify(event);
    expect(PHASES.has(event.ph), what).toBe(true);
    expect(typeof event.name === 'string' && event.name.length > 0, what).toBe(true);
    expect(Number.isInteger(event.pid) && Number.isInteger(event.tid), what).toBe(true);
    if (event.ph === 'M') expect(event.args, what).toBeDefined();
    else expect(Number.isFinite(event.ts) && event.ts! >= 0, what).toBe(true);
    if (event.ph === 'X') expect(event.dur, what).toBeGreaterThanOrEqual(0);
    if ('besf'.includes(event.ph))
      expect(typeof event.cat === 'string' && event.id !== undefined, what).toBe(true);
  }
  checkPairs(events, 'b', 'e');
  checkPairs(events, 's', 'f');
  checkNesting(events);
  checkArrows(events);
  return events;
}

/** Ids are of one pair each, and the end does not come before the start. */
function checkPairs(events: ChromeEvent[], start: string, end: string): void {
  const starts = new Map<string, ChromeEvent>();
  const ended = new Set<string>();
  for (const event of events) {
    const key = `${event.cat} ${event.name} ${event.id}`;
    if (event.ph === start) {
      expect(starts.has(key), key).toBe(false);
      starts.set(key, event);
    }
    if (event.ph !== end) continue;
    expect(ended.has(key), key).toBe(false);
    ended.add(key);
    expect(event.ts, key).toBeGreaterThanOrEqual(starts.get(key)!.ts!);
  }
}

/** On a track, a slice lies in another one or beside it. */
function checkNesting(events: ChromeEvent[]): void {
  for (const [tid, slices] of slicesByTrack(events)) {
    const open: number[] = [];
    for (const { ts, dur, name } of slices) {
      while (open.length > 0 && open.at(-1)! <= ts! + ROUNDING) open.pop();
      if (open.length > 0)
        expect(ts! + dur!, `track ${tid}: ${name}`).toBeLessThanOrEqual(open.at(-1)! + ROUNDING);
      open.push(ts! + dur!);
    }
  }
}

/** An arrow ends in a slice. */
function checkArrows(events: ChromeEvent[]): void {
  const tracks = slicesByTrack(events);
  for (const { ph, tid, ts, bp } of events) {
    if (ph !== 'f') continue;
    expect(bp).toBe('e');
    const around = tracks.get(tid)?.some((s) => s.ts! <= ts! + ROUNDING && s.ts! + s.dur! >= ts! - ROUNDING);
    expect(around, `an arrow to ${ts} on track ${tid}`).toBe(true);
  }
}

function slicesByTrack(events: ChromeEvent[]): Map<number, ChromeEvent[]> {
  const tracks = new Map<number, ChromeEvent[]>();
  for (const event of events) {
    if (event.ph !== 'X') continue;
    if (!tracks.has(event.tid)) tracks.set(event.tid, []);
    tracks.get(event.tid)!.push(event);
  }
  // Of those that start together, the longest is the outermost.
  for (const slices of tracks.values()) slices.sort((a, b) => a.ts! - b.ts! || b.dur! - a.dur!);
  return tracks;
}
