// The command line: words `name=value`, separated by spaces. There may be several, from fw_cfg and from the boot loader;
// the first one that has a word decides. Other words (a loader puts the kernel's file name first) are ignored.

import { Line } from './line.ts';
import { log } from './log.ts';

const SPACE: u32 = 0x20;
const EQUALS: u32 = 0x3d;
const SOURCES_MAX: u32 = 3;

/** Addresses of NUL-terminated command lines. */
const sources = new StaticArray<usize>(SOURCES_MAX);
let sourceCount: u32 = 0;

/** Adds a command line, after those that were added before. */
export function add(origin: string, address: usize, bytes_max: u32): void {
  if (load<u8>(address) === 0) return;
  sources[sourceCount++] = address;
  log('cmdline').bytes(address, bytes_max).text(' (').text(origin).text(')').end();
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
  const text = value(name, '');
  if (text.length === 0) return otherwise;
  let result: u64 = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = (text.charCodeAt(i) as u32) - 0x30;
    result = result * 10 + digit;
    if (digit > 9 || result > most) {
      log('cmdline')
        .text(name)
        .text('=')
        .text(text)
        .decimal(' is no number up to ', most)
        .text(', ignored')
        .end();
      return otherwise;
    }
  }
  return result as u32;
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
