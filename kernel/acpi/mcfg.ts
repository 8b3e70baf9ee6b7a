// Where the enhanced configuration access mechanism (ECAM) is: by the MCFG table (PCI Firmware Specification 3.2
// §4.1.2), or by the host bridge's _CBA (§4.1.3), which QEMU's microvm has instead. What it says is checked by who maps it.

import { findCba } from './aml.ts';
import { findDsdt, findTable, tableLength } from './tables.ts';

const SIGNATURE: u32 = 0x4746_434d; // 'MCFG'
const FIRST_ENTRY: u32 = 44;
const ENTRY_BYTES: u32 = 16;
const ENTRY_BASE: u32 = 0;
const ENTRY_SEGMENT: u32 = 8;
const ENTRY_FIRST_BUS: u32 = 10;
const ENTRY_LAST_BUS: u32 = 11;

export class EcamRange {
  constructor(
    /** Physical address of what would be bus 0's, whatever the first bus is. */
    public readonly base: u64,
    public readonly firstBus: u32,
    public readonly lastBus: u32,
  ) {}
}

/** That of PCI segment 0; null if the firmware tells of none. */
export function findEcam(): EcamRange | null {
  const table = findTable(SIGNATURE);
  if (table !== 0) {
    const end = table + tableLength(table);
    for (let at = table + FIRST_ENTRY; at + ENTRY_BYTES <= end; at += ENTRY_BYTES) {
      if (load<u16>(at + ENTRY_SEGMENT) !== 0) continue;
      const firstBus: u32 = load<u8>(at + ENTRY_FIRST_BUS);
      return new EcamRange(load<u64>(at + ENTRY_BASE), firstBus, load<u8>(at + ENTRY_LAST_BUS));
    }
  }
  const dsdt = findDsdt();
  const base = dsdt === 0 ? 0 : findCba(dsdt, tableLength(dsdt));
  return base === 0 ? null : new EcamRange(base, 0, 0xff);
}
