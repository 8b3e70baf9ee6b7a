// UDP (RFC 768) as far as an echo (RFC 862) needs it.

import { add, finish } from './checksum.ts';
import { load16, store16 } from './frames.ts';
import * as ipv4 from './ipv4.ts';
import { BAD_UDP, KEPT, LOOP, OTHER_PORT, UDP_CHECKSUM } from './statistics.ts';

export const PROTOCOL_UDP: u32 = 17;

// Offsets in a frame.
const SOURCE_PORT: u32 = ipv4.PAYLOAD + 0;
const DESTINATION_PORT: u32 = ipv4.PAYLOAD + 2;
const LENGTH: u32 = ipv4.PAYLOAD + 4;
const CHECKSUM: u32 = ipv4.PAYLOAD + 6;
const HEADER_BYTES: u32 = 8;
export const DATA: u32 = ipv4.PAYLOAD + HEADER_BYTES;

/** Why a checked datagram is not to be sent back by the echo at `port`; KEPT: it is. */
export function check(frame: u32, port: u32): u32 {
  const room = ipv4.payloadBytes(frame);
  if (room < HEADER_BYTES) return BAD_UDP;
  const length = load16(frame + LENGTH);
  if (length < HEADER_BYTES || length > room) return BAD_UDP;
  if (load16(frame + CHECKSUM) !== 0 && !isRight(frame, length)) return UDP_CHECKSUM;
  if (load16(frame + DESTINATION_PORT) !== port) return OTHER_PORT;
  // Another echo would send the answer back for ever; port 0 has nobody to answer to.
  const source = load16(frame + SOURCE_PORT);
  return source === port || source === 0 ? LOOP : KEPT;
}

/** With the pseudo header: addresses, protocol, length. */
function isRight(frame: u32, length: u32): bool {
  let sum = add(0, ipv4.addresses(frame), 8);
  sum += bswap<u16>(PROTOCOL_UDP as u16);
  sum += load<u16>(frame + LENGTH);
  return finish(add(sum, frame + SOURCE_PORT, length)) === 0;
}

export function dataBytes(frame: u32): u32 {
  return load16(frame + LENGTH) - HEADER_BYTES;
}

/** The checksum stays right: it adds up the same numbers. */
export function answer(frame: u32): void {
  const source = load16(frame + SOURCE_PORT);
  store16(frame + SOURCE_PORT, load16(frame + DESTINATION_PORT));
  store16(frame + DESTINATION_PORT, source);
}
