// The Internet checksum (RFC 1071): the one's complement sum of 16-bit words. It is the same in either byte order, so
// words are added as they lie in memory.

/** Adds `bytes` bytes to a sum; an odd last byte counts as if a zero followed. */
export function add(sum: u64, at: u32, bytes: u32): u64 {
  const end = at + (bytes & ~3);
  for (; at < end; at += 4) sum += load<u32>(at);
  if (bytes & 2) {
    sum += load<u16>(at);
    at += 2;
  }
  return bytes & 1 ? sum + load<u8>(at) : sum;
}

/** The checksum, to be stored as it is: 0 if what was added holds its own right one. */
export function finish(sum: u64): u32 {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~(sum as u32) & 0xffff;
}

export function checksum(at: u32, bytes: u32): u32 {
  return finish(add(0, at, bytes));
}
