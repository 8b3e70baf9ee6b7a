// A WebAssembly file in parts (sections, their entries, the instructions of bodies), to be changed and put together again with
// sizes and counts that fit. What cannot be taken apart stays as bytes.

import { skipImmediates } from '../../build/wasm/operators.ts';
import { Reader } from '../../build/wasm/reader.ts';
import { HEADER, leb } from '../wasm/encode.ts';

export type Bytes = Uint8Array;

export interface Body {
  /** Each `count type`. */
  locals: Bytes[];
  code: Bytes[];
}

export interface Section {
  id: number;
  /** The entries behind the count; undefined: `bytes` is all that is known. */
  entries?: Bytes[];
  bytes: Bytes;
}

const END = 0x0b;
const CODE = 10;

/** By section id: skips one entry. */
const ENTRIES: (((r: Reader) => void) | undefined)[] = [
  undefined,
  (r) => {
    r.u8();
    r.take(r.u32());
    r.take(r.u32());
  },
  (r) => {
    r.name();
    r.name();
    const kind = r.u8();
    if (kind === 0) r.u32();
    else if (kind === 3) r.take(2);
    else {
      if (kind === 1) r.u8();
      skipLimits(r);
    }
  },
  (r) => r.u32(),
  (r) => {
    r.u8();
    skipLimits(r);
  },
  skipLimits,
  (r) => {
    r.take(2);
    skipExpression(r);
  },
  (r) => {
    r.name();
    r.u8();
    r.u32();
  },
  undefined,
  skipElements,
  (r) => r.take(r.u32()),
  (r) => {
    const flags = r.u32();
    if (flags === 2) r.u32();
    if (flags !== 1) skipExpression(r);
    r.take(r.u32());
  },
];

function skipLimits(r: Reader): void {
  const flags = r.u8();
  r.u32();
  if (flags & 1) r.u32();
}

function skipExpression(r: Reader): void {
  for (let opcode = r.u8(); opcode !== END; opcode = r.u8()) skipImmediates(r, opcode);
}

function skipElements(r: Reader): void {
  const flags = r.u32();
  if ((flags & 3) === 2) r.u32();
  if (!(flags & 1)) skipExpression(r);
  if (flags & 3) r.u8();
  for (let n = r.count(); n > 0; n--) {
    if (flags & 4) skipExpression(r);
    else r.u32();
  }
}

/** Throws where the file has no sections. */
export function takeApart(file: Bytes): Section[] {
  const r = new Reader(file, HEADER.length);
  const sections: Section[] = [];
  while (r.pos < file.length) {
    const id = r.u8();
    const bytes = r.take(r.u32());
    sections.push({ id, bytes, entries: split(id, bytes) });
  }
  return sections;
}

function split(id: number, bytes: Bytes): Bytes[] | undefined {
  const skip = ENTRIES[id];
  if (!skip) return undefined;
  const r = new Reader(bytes);
  try {
    return Array.from({ length: r.count() }, () => piece(r, () => skip(r)));
  } catch {
    return undefined;
  }
}

function piece(r: Reader, skip: () => void): Bytes {
  const start = r.pos;
  skip();
  return r.bytes.subarray(start, r.pos);
}

export function putTogether(sections: readonly Section[]): Bytes {
  return join([Uint8Array.from(HEADER), ...sections.map(sectionBytes)]);
}

function sectionBytes({ id, bytes, entries }: Section): Bytes {
  const content = entries ? join([Uint8Array.from(leb(entries.length)), ...entries]) : bytes;
  return join([Uint8Array.from([id, ...leb(content.length)]), content]);
}

export function join(list: readonly Bytes[]): Bytes {
  return new Uint8Array(Buffer.concat(list));
}

/** The entry of a code section; throws where it is none. */
export function readBody(entry: Bytes): Body {
  const r = new Reader(entry);
  r.u32();
  const locals = Array.from({ length: r.count(2) }, () =>
    piece(r, () => {
      r.u32();
      r.u8();
    }),
  );
  const code: Bytes[] = [];
  while (r.pos < entry.length) code.push(piece(r, () => skipImmediates(r, r.u8())));
  return { locals, code };
}

export function bodyEntry({ locals, code }: Body): Bytes {
  const content = join([Uint8Array.from(leb(locals.length)), ...locals, ...code]);
  return join([Uint8Array.from(leb(content.length)), content]);
}

export function codeOf(sections: readonly Section[]): Bytes[] | undefined {
  return sections.find(({ id }) => id === CODE)?.entries;
}
