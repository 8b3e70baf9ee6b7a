// A memory dump: the address, then lines of 16 bytes in hexadecimal and ASCII.

import { bare } from './log.ts';

const BYTES_PER_LINE: u32 = 16;

/** Dumps `bytes` bytes, a multiple of 16. */
export function hexdump(address: u32, bytes: u32): void {
  bare().digits('addr:', address, 8).text(':').end();
  for (let at = address; at < address + bytes; at += BYTES_PER_LINE) dumpLine(at);
}

function dumpLine(address: u32): void {
  const line = bare().digits('~', address, 8).text(' - ');
  for (let i: u32 = 0; i < BYTES_PER_LINE; i++) line.digits('', load<u8>(address + i), 2).text(' ');
  for (let i: u32 = 0; i < BYTES_PER_LINE; i++) line.printable(load<u8>(address + i));
  line.end();
}
