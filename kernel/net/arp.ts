// The Address Resolution Protocol (RFC 826) for IPv4 on Ethernet.

import { Ipv4 } from './address.ts';
import * as frames from './frames.ts';
import { ETHERNET_BYTES, Mac } from './frames.ts';
import { BAD_ARP, KEPT, OTHER_ARP } from './statistics.ts';

export const TYPE_ARP: u32 = 0x0806;

// Offsets in a frame.
const HARDWARE: u32 = ETHERNET_BYTES + 0;
const PROTOCOL: u32 = ETHERNET_BYTES + 2;
const LENGTHS: u32 = ETHERNET_BYTES + 4;
const OPERATION: u32 = ETHERNET_BYTES + 6;
const SENDER_MAC: u32 = ETHERNET_BYTES + 8;
const SENDER_IP: u32 = ETHERNET_BYTES + 14;
const TARGET_MAC: u32 = ETHERNET_BYTES + 18;
const TARGET_IP: u32 = ETHERNET_BYTES + 24;
const END: u32 = ETHERNET_BYTES + 28;

const ETHERNET: u32 = 1;
const IPV4: u32 = 0x0800;
const SIX_AND_FOUR: u32 = 0x0604;
const REQUEST: u32 = 1;
const REPLY: u32 = 2;

/** Why a frame is no request for `ip`'s address; KEPT: it is one. */
export function check(frame: u32, bytes: u32, ip: Ipv4): u32 {
  if (bytes < END || frames.load16(frame + HARDWARE) !== ETHERNET || frames.load16(frame + PROTOCOL) !== IPV4)
    return BAD_ARP;
  if (frames.load16(frame + LENGTHS) !== SIX_AND_FOUR || frames.isGroup(frames.loadMac(frame + SENDER_MAC)))
    return BAD_ARP;
  if (frames.load16(frame + OPERATION) !== REQUEST || frames.load32(frame + TARGET_IP) !== ip)
    return OTHER_ARP;
  return KEPT;
}

/** Turns a request into its reply. */
export function answer(frame: u32, mac: Mac, ip: Ipv4): u32 {
  const asker = frames.loadMac(frame + SENDER_MAC);
  const askerIp = frames.load32(frame + SENDER_IP);
  return write(frame, REPLY, asker, mac, ip, asker, askerIp);
}

/** An announcement (RFC 5227 §2.3): who has this address is told where it is now. */
export function announce(frame: u32, mac: Mac, ip: Ipv4): u32 {
  frames.store16(frame + HARDWARE, ETHERNET);
  frames.store16(frame + PROTOCOL, IPV4);
  frames.store16(frame + LENGTHS, SIX_AND_FOUR);
  return write(frame, REQUEST, frames.BROADCAST, mac, ip, 0, ip);
}

function write(frame: u32, operation: u32, to: Mac, mac: Mac, ip: Ipv4, targetMac: Mac, targetIp: Ipv4): u32 {
  frames.writeHeader(frame, to, mac, TYPE_ARP);
  frames.store16(frame + OPERATION, operation);
  frames.storeMac(frame + SENDER_MAC, mac);
  frames.store32(frame + SENDER_IP, ip);
  frames.storeMac(frame + TARGET_MAC, targetMac);
  frames.store32(frame + TARGET_IP, targetIp);
  return frames.padded(frame, END);
}
