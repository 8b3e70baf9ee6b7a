// Disks whose content the host knows, and the dump of it that the kernel must print.

import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

export const SECTOR_BYTES = 512;

/** The same for the same seed. */
export function randomBytes(seed: string, bytes: number): Buffer {
  return createHash('shake256', { outputLength: bytes }).update(seed).digest();
}

/** A raw disk that begins with `content`, as far as it has room for that, and has holes behind. */
export function writeDisk(path: string, sectors: number, content: Buffer): void {
  const file = openSync(path, 'w');
  try {
    writeSync(file, content.subarray(0, sectors * SECTOR_BYTES));
    ftruncateSync(file, sectors * SECTOR_BYTES);
  } finally {
    closeSync(file);
  }
}

/** What the kernel prints of a buffer at `address`. */
export function hexDump(bytes: Buffer, address: number): string[] {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  const lines = [`addr:${hex(address, 8)}:`];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const text = row.map((byte) => (byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`~${hex(address + at, 8)} - ${row.map((byte) => `${hex(byte, 2)} `).join('')}${text}`);
  }
  return lines;
}

/** The dumps of a log, each from its `addr:` line on. */
export function dumpsOf(lines: string[], bytes = SECTOR_BYTES): string[][] {
  return lines.flatMap((line, i) => (line.startsWith('addr:') ? [lines.slice(i, i + 1 + bytes / 16)] : []));
}

export function addressOf(dump: string[]): number {
  return Number.parseInt(dump[0].slice('addr:'.length), 16);
}
