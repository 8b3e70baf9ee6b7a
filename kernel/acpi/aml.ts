// Just enough AML (ACPI 6.4 §20) to find in a definition block `Name (\_S5, Package () { SLP_TYPa, SLP_TYPb, … })` and
// `Method (_CBA) { Return (ADDRESS) }`. They are found by their bytes, not by interpreting the block, as small systems
// have always done.

const HEADER_BYTES: u32 = 36;
const S5_NAME: u32 = 0x5f35_535f; // '_S5_'
const CBA_NAME: u32 = 0x4142_435f; // '_CBA'

// §20.2: opcodes.
const ZERO_OP: u32 = 0x00;
const ONE_OP: u32 = 0x01;
const NAME_OP: u32 = 0x08;
const BYTE_PREFIX: u32 = 0x0a;
const DWORD_PREFIX: u32 = 0x0c;
const QWORD_PREFIX: u32 = 0x0e;
const PACKAGE_OP: u32 = 0x12;
const ROOT_CHAR: u32 = 0x5c;
const RETURN_OP: u32 = 0xa4;

/** SLP_TYPa | SLP_TYPb << 8, or -1 if the block has no such package. */
export function findS5(table: u32, length: u32): i32 {
  const end = table + length;
  for (let at = table + HEADER_BYTES + 2; at + 4 < end; at++) {
    if (load<u32>(at) !== S5_NAME) continue;
    const before: u32 = load<u8>(at - 1);
    if (before !== NAME_OP && !(before === ROOT_CHAR && load<u8>(at - 2) === NAME_OP)) continue;
    const types = readPackage(at + 4, end);
    if (types >= 0) return types;
  }
  return -1;
}

/** What the first such _CBA says, 0: there is none. Of a method, its flags stand between the name and the body. */
export function findCba(table: u32, length: u32): u64 {
  const end = table + length;
  for (let at = table + HEADER_BYTES; at + 4 < end; at++) {
    if (load<u32>(at) !== CBA_NAME) continue;
    const constant = load<u8>(at - 1) === NAME_OP ? at + 4 : at + 6;
    if (constant + 9 > end || (constant === at + 6 && load<u8>(at + 5) !== RETURN_OP)) continue;
    const op: u32 = load<u8>(constant);
    if (op === DWORD_PREFIX) return load<u32>(constant + 1);
    if (op === QWORD_PREFIX) return load<u64>(constant + 1);
  }
  return 0;
}

/** §20.2.5.4: PackageOp PkgLength NumElements PackageElementList. */
function readPackage(at: u32, end: u32): i32 {
  // Opcode, up to 4 bytes of length, the count, and two elements of 2 bytes, or the table ends too early.
  if (end - at < 3 || load<u8>(at) !== PACKAGE_OP) return -1;
  at += 2 + (load<u8>(at + 1) >> 6); // §20.2.4: the top bits of PkgLength's first byte count the others
  if (at >= end || load<u8>(at) === 0) return -1;
  const elements: u32 = load<u8>(at++);
  const first = readByte(at, end);
  if (first < 0) return -1;
  if (elements < 2) return first & 0xff;
  const second = readByte(at + ((first >> 8) as u32), end);
  return second < 0 ? -1 : (first & 0xff) | ((second & 0xff) << 8);
}

/** An integer constant of a byte: value | encoded length << 8, or -1. */
function readByte(at: u32, end: u32): i32 {
  if (at >= end) return -1;
  const op: u32 = load<u8>(at);
  if (op === ZERO_OP || op === ONE_OP) return (op as i32) | (1 << 8);
  if (op === BYTE_PREFIX && at + 1 < end) return (load<u8>(at + 1) as i32) | (2 << 8);
  return -1;
}
