// The command line: words `name=value`, separated by spaces. There may be several, from fw_cfg and from the boot loader;
// the first one that has a word decides. Words that nobody knows are told of, but for the first: a loader puts the kernel's file
// name there.

import { Line } from './line.ts';
import { log } from './log.ts';
import { WORDS } from './words.ts';

const SPACE: u32 = 0x20;
const EQUALS: u32 = 0x3d;
const SOURCES_MAX: u32 = 3;
/** Has a space, which no value has. */
const ABSENT: string = ' ';

/** Addresses of NUL-terminated command lines. */
const sources = new StaticArray<usize>(SOURCES_MAX);
let sourceCount: u32 = 0;

/** Adds a command line, after those that were added before. */
export function add(origin: string, address: usize, bytes_max: u32): void {
  if (load<u8>(address) === 0) return;
  sources[sourceCount++] = address;
  log('cmdline').bytes(address, bytes_max).text(' (').text(origin).text(')').end();
  tellUnknown(address);
}

/** In one line: there may be thousands. */
function tellUnknown(address: usize): void {
  const line = log('cmdline').text('ignored, there are no such words:');
  const length = line.length;
  for (let at = address; load<u8>(at) !== 0; ) {
    while (load<u8>(at) === SPACE) at++;
    const start = at;
    while (load<u8>(at) > SPACE) at++;
    const isName = start === address && !isAssigned(start);
    if (at > start && !isName && !isKnown(start)) {
      line.char(SPACE);
      for (let i = start; i < at; i++) line.printable(load<u8>(i));
    }
    if (load<u8>(at) !== 0 && load<u8>(at) !== SPACE) at++; // a control character
  }
  if (line.length > length) line.end();
}

function isAssigned(word: usize): bool {
  while (load<u8>(word) > SPACE) if (load<u8>(word++) === EQUALS) return true;
  return false;
}

/** Whether WORDS has what stands before the `=`. */
function isKnown(word: usize): bool {
  let i = 0;
  while (i < WORDS.length) {
    let at = word;
    while (i < WORDS.length && load<u8>(at) === WORDS.charCodeAt(i)) {
      at++;
      i++;
    }
    if ((i === WORDS.length || WORDS.charCodeAt(i) === SPACE) && load<u8>(at) === EQUALS) return true;
    while (i < WORDS.length && WORDS.charCodeAt(i) !== SPACE) i++;
    i++;
  }
  return false;
}

/** The value of `name`, or the default. */
export function value(name: string, otherwise: string): string {
  for (let i: u32 = 0; i < sourceCount; i++) {
    const at = find(sources[i], name);
    if (at !== 0) return word(at);
  }
  return otherwise;
}

/** Of all words with this name, the value of the `index`th; '': there are not so many. */
export function nthValue(name: string, index: u32): string {
  for (let i: u32 = 0; i < sourceCount; i++) {
    for (let at = find(sources[i], name); at !== 0; at = find(at, name)) if (index-- === 0) return word(at);
  }
  return '';
}

/** The value of `name` as a decimal number, or the default, also (after a line) when it is no number up to `most`. */
export function number(name: string, otherwise: u32, most: u32): u32 {
  const text = value(name, ABSENT);
  if (text === ABSENT) return otherwise;
  const result = parse(text, most);
  if (result >= 0) return result as u32;
  wrong(name, text).decimal(' is no number up to ', most).text(', ignored').end();
  return otherwise;
}

/** A decimal number; -1: it is none up to `most`. */
export function parse(text: string, most: u32): i64 {
  let result: i64 = text.length > 0 ? 0 : -1;
  for (let i = 0; i < text.length; i++) {
    const digit = (text.charCodeAt(i) as u32) - 0x30;
    result = result * 10 + digit;
    if (digit > 9 || result > (most as i64)) return -1;
  }
  return result;
}

/** Begins the line that says what is wrong with a word. */
export function wrong(name: string, text: string): Line {
  return log('cmdline').text(name).text('=').text(text);
}

/** Address of the text after `name=`, 0 if there is none. */
function find(at: usize, name: string): usize {
  while (load<u8>(at) !== 0) {
    while (load<u8>(at) === SPACE) at++;
    let i = 0;
    while (i < name.length && load<u8>(at + i) === name.charCodeAt(i)) i++;
    if (i === name.length && load<u8>(at + i) === EQUALS) return at + i + 1;
    while (load<u8>(at) > SPACE) at++;
    if (load<u8>(at) !== 0) at++;
  }
  return 0;
}

const scratch = new Line();

function word(at: usize): string {
  scratch.clear();
  for (; load<u8>(at) > SPACE; at++) scratch.printable(load<u8>(at));
  return scratch.toString();
}
