// ACPI's tables (ACPI 6.4 §5.2): from the root pointer to any table by its signature. Everything is read-only,
// mapped as it is reached, and used only after its length and checksum are found right.

import { BootInfo } from '../boot/info.ts';
import { log } from '../lib/log.ts';
import { BIOS_END, BIOS_START, LOW_RAM_END, LOW_RAM_START } from '../mm/layout.ts';
import { mapFirmware } from '../mm/map.ts';

// Root System Description Pointer (§5.2.5.3).
const RSDP_SIGNATURE: u64 = 0x2052_5450_2044_5352; // 'RSD PTR '
const RSDP_BYTES: u32 = 20; // what the first checksum covers
const RSDP_REVISION: u32 = 15;
const RSDP_RSDT: u32 = 16;
const RSDP_LENGTH: u32 = 20;
const RSDP_XSDT: u32 = 24;
const RSDP_BYTES_2: u32 = 36; // from revision 2
const EBDA_SEARCH_BYTES: u32 = 1024;

// System description table header (§5.2.6).
export const HEADER_BYTES: u32 = 36;
const HEADER_LENGTH: u32 = 4;
const TABLE_BYTES_MAX: u32 = 0x10_0000;

export const FADT_SIGNATURE: u32 = 0x5043_4146; // 'FACP'
const FADT_DSDT: u32 = 40;

/** Physical address of the RSDT or XSDT, 0: none; and the size of its entries. */
let root: u32 = 0;
let rootEntryBytes: u32 = 4;

export function init(info: BootInfo): void {
  root = 0;
  const rsdp = findRsdp(info);
  if (rsdp === 0) {
    log('acpi').text('no root pointer').end();
    return;
  }
  const second = load<u8>(rsdp + RSDP_REVISION) >= 2 && extended(rsdp);
  const xsdt: u64 = second ? load<u64>(rsdp + RSDP_XSDT) : 0;
  root = xsdt !== 0 ? openTable(xsdt) : 0;
  rootEntryBytes = root !== 0 ? 8 : 4;
  if (root === 0) root = openTable(load<u32>(rsdp + RSDP_RSDT));
}

/** The linear-memory address of the first sound table with this signature, 0 if there is none. */
export function findTable(signature: u32): u32 {
  if (root === 0) return 0;
  const end = root + tableLength(root);
  for (let at = root + HEADER_BYTES; at + rootEntryBytes <= end; at += rootEntryBytes) {
    const address: u64 = rootEntryBytes === 8 ? load<u64>(at) : load<u32>(at);
    if (mapFirmware(address, HEADER_BYTES) && load<u32>(address as u32) === signature) {
      const table = openTable(address);
      if (table !== 0) return table;
    }
  }
  return 0;
}

/** The DSDT (§5.2.11.1), of which the FADT (§5.2.9) tells; 0 if there is none. */
export function findDsdt(): u32 {
  const fadt = findTable(FADT_SIGNATURE);
  if (fadt === 0 || tableLength(fadt) < FADT_DSDT + 4) return 0;
  return openTable(load<u32>(fadt + FADT_DSDT));
}

export function tableLength(table: u32): u32 {
  return load<u32>(table + HEADER_LENGTH);
}

/** Maps and checks the table at a physical address; 0 (after a line) if it is not sound. */
export function openTable(address: u64): u32 {
  if (mapFirmware(address, HEADER_BYTES)) {
    const length = tableLength(address as u32);
    const sound = length >= HEADER_BYTES && length <= TABLE_BYTES_MAX && mapFirmware(address, length);
    if (sound && sum(address as u32, length) === 0) return address as u32;
  }
  log('acpi').hex('bad table at ', address, 8).end();
  return 0;
}

function findRsdp(info: BootInfo): u32 {
  if (info.rsdp !== 0 && mapFirmware(info.rsdp, RSDP_BYTES_2) && isRsdp(info.rsdp as u32))
    return info.rsdp as u32;
  const ebda = info.ebda & ~15;
  if (ebda >= LOW_RAM_START && ebda <= LOW_RAM_END - EBDA_SEARCH_BYTES) {
    const found = search(ebda, ebda + EBDA_SEARCH_BYTES);
    if (found !== 0) return found;
  }
  return search(BIOS_START, BIOS_END);
}

/** §5.2.5.1: on a 16-byte boundary. What starts in the last 16 bytes would end where nothing is mapped. */
function search(start: u32, end: u32): u32 {
  for (let at = start; at + RSDP_BYTES <= end; at += 16) if (isRsdp(at)) return at;
  return 0;
}

function isRsdp(at: u32): bool {
  return load<u64>(at) === RSDP_SIGNATURE && sum(at, RSDP_BYTES) === 0;
}

function extended(rsdp: u32): bool {
  return (
    mapFirmware(rsdp, RSDP_BYTES_2) &&
    load<u32>(rsdp + RSDP_LENGTH) === RSDP_BYTES_2 &&
    sum(rsdp, RSDP_BYTES_2) === 0
  );
}

function sum(at: u32, bytes: u32): u32 {
  let total: u32 = 0;
  for (let i: u32 = 0; i < bytes; i++) total += load<u8>(at + i);
  return total & 0xff;
}
