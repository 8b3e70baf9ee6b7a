// Builds, splits and searches strings with AssemblyScript's own String and Array, on its garbage-collected runtime.

import { EMPTY, mix } from './lib/hash';
import { random, seed } from './lib/random';

const WORDS: u32 = 200;

function word(): string {
  const length: u32 = 1 + (random() % 9);
  let text = '';
  for (let i: u32 = 0; i < length; i++) text += String.fromCharCode(0x61 + (random() % 26));
  return text;
}

function hashOf(text: string): u64 {
  let hash = EMPTY;
  for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
  return hash;
}

function build(): string {
  const words: string[] = [];
  for (let i: u32 = 0; i < WORDS; i++) {
    const kind = random() % 4;
    if (kind === 0) words.push(`${i}:${random() % 100000}`);
    else if (kind === 1) words.push(word().toUpperCase());
    else words.push(word().padEnd(4, '-'));
  }
  return words.join(' ');
}

export function run(count: u32): u64 {
  seed(17);
  let hash = EMPTY;
  for (let round: u32 = 0; round < count; round++) {
    const text = build();
    const parts = text.split(' ');
    parts.sort();
    const again = parts.slice(10, 60).join(',').replaceAll('-', '+');
    hash = mix(hash, hashOf(again)) + <u64>text.indexOf('zz') + <u64>(parts[3] < parts[4] ? 1 : 0);
  }
  return hash;
}
