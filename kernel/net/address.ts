// IPv4 addresses, as numbers whose highest byte is the first, and how they and Ethernet's are written.

import { Line } from '../lib/line.ts';
import { Mac } from './frames.ts';

export type Ipv4 = u32;

const DOT: i32 = 0x2e;

/** Whether it can be one host's own (RFC 1122 §3.2.1.3): not 0/8, 127/8, nor a group's or everybody's. */
export function isHost(address: Ipv4): bool {
  const first = address >> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** Of its four decimal numbers; 0: it is none. */
export function parse(text: string): Ipv4 {
  let address: Ipv4 = 0;
  let at = 0;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && (at >= text.length || text.charCodeAt(at++) !== DOT)) return 0;
    const start = at;
    let value: u32 = 0;
    for (; at < text.length && at - start < 3 && text.charCodeAt(at) !== DOT; at++) {
      const digit = (text.charCodeAt(at) as u32) - 0x30;
      if (digit > 9) return 0;
      value = value * 10 + digit;
    }
    if (at === start || value > 255) return 0;
    address = (address << 8) | value;
  }
  return at === text.length ? address : 0;
}

export function appendIpv4(line: Line, address: Ipv4): Line {
  line.decimal('', address >> 24);
  for (let shift = 16; shift >= 0; shift -= 8) line.decimal('.', (address >> shift) & 0xff);
  return line;
}

export function appendMac(line: Line, mac: Mac): Line {
  for (let shift = 0; shift < 48; shift += 8) line.digits(shift > 0 ? ':' : '', (mac >> shift) & 0xff, 2);
  return line;
}
