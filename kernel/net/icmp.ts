// ICMP's echo (RFC 792): pings.

import { checksum } from './checksum.ts';
import * as ipv4 from './ipv4.ts';
import { BAD_ICMP, ICMP_CHECKSUM, KEPT, OTHER_ICMP } from './statistics.ts';

export const PROTOCOL_ICMP: u32 = 1;

// Offsets in a frame.
const TYPE: u32 = ipv4.PAYLOAD + 0; // and code
const CHECKSUM: u32 = ipv4.PAYLOAD + 2;
const HEADER_BYTES: u32 = 8;

/** Type and code as they lie in memory. */
const ECHO: u32 = 0x0008;
const ECHO_REPLY: u32 = 0x0000;

/** Why a checked datagram is no ping; KEPT: it is one. */
export function check(frame: u32): u32 {
  const bytes = ipv4.payloadBytes(frame);
  if (bytes < HEADER_BYTES) return BAD_ICMP;
  if (checksum(frame + TYPE, bytes) !== 0) return ICMP_CHECKSUM;
  return (load<u16>(frame + TYPE) as u32) === ECHO ? KEPT : OTHER_ICMP;
}

/** Makes the ping its answer. */
export function answer(frame: u32): void {
  store<u16>(frame + TYPE, ECHO_REPLY as u16);
  store<u16>(frame + CHECKSUM, 0);
  store<u16>(frame + CHECKSUM, checksum(frame + TYPE, ipv4.payloadBytes(frame)) as u16);
}
