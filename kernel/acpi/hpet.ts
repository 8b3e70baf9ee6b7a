// Where the high precision event timer is, by the HPET table (IA-PC HPET Specification 1.0a §3.2.4).

import { findTable, tableLength } from './tables.ts';

const SIGNATURE: u32 = 0x5445_5048; // 'HPET'
const ADDRESS_SPACE: u32 = 40; // of a generic address (ACPI 6.4 §5.2.3.2)
const ADDRESS: u32 = 44;
const BYTES_MIN: u32 = 56;
const MEMORY: u32 = 0;

/** Its physical address; 0 if the firmware tells of none. */
export function findHpet(): u64 {
  const table = findTable(SIGNATURE);
  if (table === 0 || tableLength(table) < BYTES_MIN || load<u8>(table + ADDRESS_SPACE) !== MEMORY) return 0;
  return load<u64>(table + ADDRESS);
}
