// pci_move=FUNCTION/BAR@ADDRESS[,…] on the command line: BARs that are to be at addresses of somebody's choice.

import * as cmdline from '../../lib/cmdline.ts';
import { log } from '../../lib/log.ts';
import { moveBar } from './assign.ts';
import { findFunction } from './scan.ts';

const NAME_LENGTH: i32 = 12; // 0000:bb:dd.f

/** After all has been assigned, before drivers have anything. */
export function moveAsTold(): void {
  const words = cmdline.value('pci_move', '').split(',');
  for (let i = 0; i < words.length; i++) if (words[i].length > 0) moveOne(words[i]);
}

function moveOne(word: string): void {
  const fn = findFunction(word.substring(0, NAME_LENGTH));
  const index = (word.charCodeAt(NAME_LENGTH + 1) as u32) - 0x30;
  const shape =
    word.substring(NAME_LENGTH, NAME_LENGTH + 1) === '/' &&
    word.substring(NAME_LENGTH + 2, NAME_LENGTH + 5) === '@0x';
  const base = shape ? hexOf(word, NAME_LENGTH + 5) : 0;
  if (!shape || index > 9 || base === 0)
    log('cmdline').text('pci_move=').text(word).text(': give 0000:BB:DD.F/BAR@0xADDRESS').end();
  else if (fn === null) log('cmdline').text('pci_move=').text(word).text(': there is no such function').end();
  else moveBar(fn, index, base);
}

/** 0: it is no number of 64 bits. */
function hexOf(text: string, at: i32): u64 {
  if (text.length - at > 16) return 0;
  let value: u64 = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at) as u32;
    const digit = code - 0x30 < 10 ? code - 0x30 : (code | 0x20) - 0x61 < 6 ? (code | 0x20) - 0x57 : 16;
    if (digit > 15) return 0;
    value = (value << 4) | digit;
  }
  return value;
}
