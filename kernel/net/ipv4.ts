// IPv4 (RFC 791) for one host that only answers: whole datagrams without options.

import { Ipv4, isHost } from './address.ts';
import { checksum } from './checksum.ts';
import { ETHERNET_BYTES, load16, load32, store16, store32 } from './frames.ts';
import {
  BAD_IPV4,
  BAD_SOURCE,
  FRAGMENT,
  IPV4_CHECKSUM,
  KEPT,
  OPTIONS,
  OTHER_ADDRESS,
  SHORT,
} from './statistics.ts';

export const TYPE_IPV4: u32 = 0x0800;

// Offsets in a frame.
const VERSION: u32 = ETHERNET_BYTES + 0; // and header length
const TOTAL_BYTES: u32 = ETHERNET_BYTES + 2;
const IDENTIFICATION: u32 = ETHERNET_BYTES + 4;
const FRAGMENTS: u32 = ETHERNET_BYTES + 6; // flags and offset
const LIFE: u32 = ETHERNET_BYTES + 8;
const PROTOCOL: u32 = ETHERNET_BYTES + 9;
const CHECKSUM: u32 = ETHERNET_BYTES + 10;
const SOURCE: u32 = ETHERNET_BYTES + 12;
const DESTINATION: u32 = ETHERNET_BYTES + 16;

const HEADER_BYTES: u32 = 20;
export const PAYLOAD: u32 = ETHERNET_BYTES + HEADER_BYTES;
const VERSION_4: u32 = 4;
const DONT_FRAGMENT: u32 = 0x4000;
const MORE_OR_OFFSET: u32 = 0x3fff;
const LIFE_HOPS: u32 = 64;

/** Why a frame is no whole datagram for `ip`; KEPT: it is one, and its lengths hold. */
export function check(frame: u32, bytes: u32, ip: Ipv4): u32 {
  if (bytes < PAYLOAD) return SHORT;
  const version = load<u8>(frame + VERSION);
  const headerBytes = ((version & 15) as u32) * 4;
  const total = load16(frame + TOTAL_BYTES);
  if (version >> 4 !== VERSION_4 || headerBytes < HEADER_BYTES) return BAD_IPV4;
  if (total < headerBytes || total > bytes - ETHERNET_BYTES) return BAD_IPV4;
  if (checksum(frame + VERSION, headerBytes) !== 0) return IPV4_CHECKSUM;
  if (load32(frame + DESTINATION) !== ip) return OTHER_ADDRESS;
  const source = load32(frame + SOURCE);
  if (source === ip || !isHost(source)) return BAD_SOURCE;
  if (load16(frame + FRAGMENTS) & MORE_OR_OFFSET) return FRAGMENT;
  return headerBytes === HEADER_BYTES ? KEPT : OPTIONS;
}

export function protocolOf(frame: u32): u32 {
  return load<u8>(frame + PROTOCOL);
}

/** Of a frame that was checked. */
export function payloadBytes(frame: u32): u32 {
  return load16(frame + TOTAL_BYTES) - HEADER_BYTES;
}

/** Where the two addresses are, 8 bytes in a row. */
export function addresses(frame: u32): u32 {
  return frame + SOURCE;
}

/** Sends a datagram back: the length stays, so it is never too long; returns the frame's. */
export function turn(frame: u32): u32 {
  const source = load32(frame + SOURCE);
  store32(frame + SOURCE, load32(frame + DESTINATION));
  store32(frame + DESTINATION, source);
  store8(frame + VERSION, (VERSION_4 << 4) | (HEADER_BYTES / 4));
  store8(frame + VERSION + 1, 0);
  // RFC 6864 §4.1: what is never fragmented needs no identification.
  store16(frame + IDENTIFICATION, 0);
  store16(frame + FRAGMENTS, DONT_FRAGMENT);
  store8(frame + LIFE, LIFE_HOPS);
  store16(frame + CHECKSUM, 0);
  store<u16>(frame + CHECKSUM, checksum(frame + VERSION, HEADER_BYTES) as u16);
  return ETHERNET_BYTES + load16(frame + TOTAL_BYTES);
}

function store8(at: u32, value: u32): void {
  store<u8>(at, value as u8);
}
