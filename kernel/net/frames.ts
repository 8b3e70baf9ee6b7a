// Ethernet frames in memory (IEEE 802.3), without preamble and checksum, and who handles those that arrive.

export const ETHERNET_BYTES: u32 = 14; // destination, source, type
export const FRAME_BYTES_MIN: u32 = 60;
export const FRAME_BYTES_MAX: u32 = 1514;

const DESTINATION: u32 = 0;
const SOURCE: u32 = 6;
const TYPE: u32 = 12;

/** An Ethernet address as it lies in memory, read as a little-endian number: the first byte is the lowest. */
export type Mac = u64;
export const BROADCAST: Mac = 0xffff_ffff_ffff;
const GROUP: Mac = 1;

export abstract class FrameUser {
  /** The link is up, or is so again: writes a frame to be sent to `frame`, and returns its length, 0: none. */
  abstract greeting(frame: u32): u32;
  /** `bytes` bytes of an untrusted frame: makes an answer of them in their place, and returns its length, 0: none. */
  abstract received(frame: u32, bytes: u32): u32;
  /** Nothing comes any more: the interface has failed. */
  abstract failed(): void;
}

// Numbers on the wire are big-endian.

export function load16(at: u32): u32 {
  return bswap<u16>(load<u16>(at));
}

export function load32(at: u32): u32 {
  return bswap<u32>(load<u32>(at));
}

export function store16(at: u32, value: u32): void {
  store<u16>(at, bswap<u16>(value as u16));
}

export function store32(at: u32, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

export function loadMac(at: u32): Mac {
  return load<u32>(at) | ((load<u16>(at + 4) as u64) << 32);
}

export function storeMac(at: u32, mac: Mac): void {
  store<u32>(at, mac as u32);
  store<u16>(at + 4, (mac >> 32) as u16);
}

export function isGroup(mac: Mac): bool {
  return (mac & GROUP) !== 0;
}

export function destinationOf(frame: u32): Mac {
  return loadMac(frame + DESTINATION);
}

export function sourceOf(frame: u32): Mac {
  return loadMac(frame + SOURCE);
}

export function typeOf(frame: u32): u32 {
  return load16(frame + TYPE);
}

export function writeHeader(frame: u32, destination: Mac, source: Mac, type: u32): void {
  storeMac(frame + DESTINATION, destination);
  storeMac(frame + SOURCE, source);
  store16(frame + TYPE, type);
}

/** Fills a short frame up with zeros, not with what was in memory; returns its length then. */
export function padded(frame: u32, bytes: u32): u32 {
  if (bytes >= FRAME_BYTES_MIN) return bytes;
  memory.fill(frame + bytes, 0, FRAME_BYTES_MIN - bytes);
  return FRAME_BYTES_MIN;
}
