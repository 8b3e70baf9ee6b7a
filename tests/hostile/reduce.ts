// Makes a file small that fails (delta debugging, Zeller and Hildebrandt 2002): takes out sections, then entries, then instructions, with sizes and
// counts put right, then bytes.

import { type Bytes, bodyEntry, join, putTogether, readBody, type Section, takeApart } from './parts.ts';

export type Fails = (file: Bytes) => boolean;

export function reduce(file: Bytes, fails: Fails, end_ms: number): Bytes {
  let best = file;
  for (let before = Number.POSITIVE_INFINITY; best.length < before && Date.now() < end_ms; ) {
    before = best.length;
    for (const step of [reduceSections, reduceEntries, reduceCode, reduceBytes])
      best = step(best, fails, end_ms);
  }
  return best;
}

/** What is left of a list when all has gone that could: halves, quarters, … single ones. */
function thin<T>(list: readonly T[], fails: (list: T[]) => boolean, end_ms: number): T[] {
  let best = [...list];
  for (let count = best.length; count >= 1; count = Math.floor(count / 2)) {
    for (let at = 0; at < best.length && Date.now() < end_ms; ) {
      const shorter = [...best.slice(0, at), ...best.slice(at + count)];
      if (fails(shorter)) best = shorter;
      else at += count;
    }
  }
  return best;
}

function apart(file: Bytes): Section[] {
  try {
    return takeApart(file);
  } catch {
    return [];
  }
}

function reduceSections(file: Bytes, fails: Fails, end_ms: number): Bytes {
  const sections = apart(file);
  if (sections.length === 0) return file;
  const left = putTogether(thin(sections, (list) => fails(putTogether(list)), end_ms));
  return fails(left) ? left : file;
}

function reduceEntries(file: Bytes, fails: Fails, end_ms: number): Bytes {
  const sections = apart(file);
  for (const section of sections) {
    if (!section.entries) continue;
    const whole = section.entries;
    section.entries = thin(whole, attempt(sections, section, fails), end_ms);
  }
  return better(putTogether(sections), file, fails);
}

function attempt(sections: Section[], section: Section, fails: Fails): (entries: Bytes[]) => boolean {
  return (entries) => {
    const before = section.entries;
    section.entries = entries;
    const failed = fails(putTogether(sections));
    section.entries = before;
    return failed;
  };
}

function reduceCode(file: Bytes, fails: Fails, end_ms: number): Bytes {
  const sections = apart(file);
  const section = sections.find(({ id, entries }) => id === 10 && entries);
  const entries = section?.entries ?? [];
  for (const [i, entry] of entries.entries()) {
    let body: ReturnType<typeof readBody>;
    try {
      body = readBody(entry);
    } catch {
      continue;
    }
    const with_ = (code: Bytes[], locals: Bytes[]) => {
      const before = entries[i];
      entries[i] = bodyEntry({ locals, code });
      const failed = fails(putTogether(sections));
      entries[i] = before;
      return failed;
    };
    const code = thin(body.code, (list) => with_(list, body.locals), end_ms);
    const locals = thin(body.locals, (list) => with_(code, list), end_ms);
    if (with_(code, locals)) entries[i] = bodyEntry({ locals, code });
  }
  return sections.length > 0 ? better(putTogether(sections), file, fails) : file;
}

function reduceBytes(file: Bytes, fails: Fails, end_ms: number): Bytes {
  if (file.length > 4096) return file;
  const pieces = Array.from(file, (byte) => Uint8Array.of(byte));
  return better(join(thin(pieces, (list) => fails(join(list)), end_ms)), file, fails);
}

function better(candidate: Bytes, file: Bytes, fails: Fails): Bytes {
  return candidate.length < file.length && fails(candidate) ? candidate : file;
}
