// CRC-32 (IEEE 802.3, reflected), as zlib computes it: a host can say what a log's checksum has to be.

const POLYNOMIAL: u32 = 0xedb88320;

const table = makeTable();

function makeTable(): StaticArray<u32> {
  const table = new StaticArray<u32>(256);
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    table[byte] = crc;
  }
  return table;
}

/** Of `bytes` bytes that follow those whose checksum is `crc`; 0: none were before. */
export function crc32(crc: u32, address: u32, bytes: u32): u32 {
  crc = ~crc;
  for (let i: u32 = 0; i < bytes; i++) crc = (crc >> 8) ^ table[(crc ^ load<u8>(address + i)) & 0xff];
  return ~crc;
}
