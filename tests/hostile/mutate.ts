// Changes a WebAssembly file: bytes anywhere; sections, their entries and the instructions of bodies with everything around them put right
// again, so that what was changed is looked at and not only refused for its size.

import type { Random } from '../translator/values.ts';
import { edge, number, snippet } from './instructions.ts';
import {
  type Body,
  type Bytes,
  bodyEntry,
  codeOf,
  join,
  putTogether,
  readBody,
  type Section,
  takeApart,
} from './parts.ts';

const CODE = 10;

/** `others` give what is put in. */
export function mutate(file: Bytes, others: readonly Bytes[], random: Random): Bytes {
  let changed = file;
  do {
    changed = random.chance(0.12) ? changeBytes(changed, random) : changeParts(changed, others, random);
  } while (random.chance(0.45));
  return changed;
}

export function changeBytes(file: Bytes, random: Random): Bytes {
  const at = random.below(file.length + 1);
  const count = 1 + random.below(random.chance(0.9) ? 8 : 2000);
  const [before, behind] = [file.subarray(0, at), file.subarray(at)];
  const noise = Uint8Array.from({ length: count }, () => random.below(256));
  return random.pick([
    () => join([before, noise, behind]),
    () => join([before, behind.subarray(count)]),
    () => join([before, noise.subarray(0, behind.length), behind.subarray(count)]),
    () => join([before, behind.subarray(0, count), behind]),
    () => join([before, Uint8Array.from(number(random)), behind.subarray(1)]),
    () => before,
  ])();
}

function changeParts(file: Bytes, others: readonly Bytes[], random: Random): Bytes {
  let sections: Section[];
  try {
    sections = takeApart(file);
  } catch {
    return changeBytes(file, random);
  }
  const roll = random.below(10);
  if (roll < 1) changeSections(sections, apart(random.pick(others)), random);
  else if (roll < 4) changeEntries(sections, apart(random.pick(others)), random);
  else changeCode(sections, random);
  return putTogether(sections);
}

function apart(file: Bytes): Section[] {
  try {
    return takeApart(file);
  } catch {
    return [];
  }
}

function changeSections(sections: Section[], others: readonly Section[], random: Random): void {
  const at = random.below(sections.length + 1);
  const section = sections[at] as Section | undefined;
  random.pick([
    () => sections.splice(at, 1),
    () => section && sections.splice(random.below(sections.length), 0, section),
    () => sections.splice(at, 1, ...sections.splice(random.below(sections.length + 1), 1)),
    () => others.length > 0 && sections.splice(at, 0, random.pick(others)),
    () => section && Object.assign(section, { id: random.below(16) }),
    // A count that is wrong.
    () => {
      if (!section?.entries) return;
      section.bytes = join([Uint8Array.from(number(random)), ...section.entries]);
      section.entries = undefined;
    },
    () =>
      sections.push({
        id: random.below(14),
        bytes: Uint8Array.from({ length: random.below(20) }, () => random.below(128)),
      }),
  ])();
}

function changeEntries(sections: Section[], others: readonly Section[], random: Random): void {
  const rich = sections.filter(({ entries }) => entries);
  if (rich.length === 0) return;
  const { id, entries } = random.pick(rich);
  const at = random.below(entries!.length + 1);
  const entry = entries![at] as Bytes | undefined;
  const foreign = others.find((other) => other.id === id)?.entries ?? [];
  random.pick([
    () => entries!.splice(at, 1),
    () => entry && entries!.splice(random.below(entries!.length), 0, entry),
    () =>
      entry && entries!.push(...new Array<Bytes>(random.below(random.chance(0.9) ? 10 : 2000)).fill(entry)),
    () => foreign.length > 0 && entries!.splice(at, random.below(2), random.pick(foreign)),
    () => entry && entries!.splice(at, 1, changeNumber(entry, random)),
    () => entry && entries!.splice(at, 1, changeNumber(entry, random)),
    () => entry && entry.length < 10_000 && entries!.splice(at, 1, changeBytes(entry, random)),
  ])();
}

/** One LEB128 number somewhere, by another one. */
function changeNumber(bytes: Bytes, random: Random): Bytes {
  const at = random.below(bytes.length);
  let end = at;
  while (bytes[end] >= 0x80 && end < at + 9) end++;
  return join([bytes.subarray(0, at), Uint8Array.from(number(random)), bytes.subarray(end + 1)]);
}

function changeCode(sections: Section[], random: Random): void {
  const code = codeOf(sections);
  if (!code || code.length === 0) {
    sections.push({
      id: CODE,
      bytes: new Uint8Array(),
      entries: [bodyEntry({ locals: [], code: [Uint8Array.from([0x0b])] })],
    });
    return;
  }
  const at = random.below(code.length);
  try {
    const body = readBody(code[at]);
    changeBody(body, random);
    code[at] = bodyEntry(body);
  } catch {
    code[at] = changeBytes(code[at], random);
  }
}

function changeBody({ locals, code }: Body, random: Random): void {
  const at = random.below(code.length);
  const other = random.below(code.length);
  const insert = (bytes: number[]) => code.splice(at, 0, Uint8Array.from(bytes));
  random.pick([
    () => insert(snippet(random)),
    () => insert(snippet(random)),
    () => insert(snippet(random)),
    () => insert(snippet(random)),
    () => code.splice(at, 1),
    () => code.splice(at, 0, code[other]),
    () => code.splice(at, 1, code[other]),
    () => code.splice(at, 1, changeNumber(code[at], random)),
    () => code.splice(at, 1 + random.below(20)),
    // In a block, a loop or a branch.
    () => {
      code.splice(Math.max(at, other), 0, Uint8Array.of(0x0b));
      code.splice(
        Math.min(at, other),
        0,
        Uint8Array.from([random.pick([0x02, 0x03]), random.pick([0x40, 0x40, 0x7f])]),
      );
    },
    () =>
      locals.push(
        Uint8Array.from([...number(random), random.pick([0x7f, 0x7e, 0x7d, 0x7c, 0x70, 0x6f, 0x7b, 0x64])]),
      ),
    () => locals.splice(random.below(locals.length + 1), 1),
    // The same for a long time.
    () =>
      insert(new Array<number[]>(random.below(200 + (edge(random) & 0xfff))).fill(snippet(random)).flat()),
  ])();
}
