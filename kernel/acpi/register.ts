// Generic address structures (ACPI 6.4 §5.2.3.2): where a register is that a table tells of, among ports or in memory.

import { mapDevice } from '../mm/map.ts';
import * as x86 from '../x86.ts';

const SPACE: u32 = 0;
const SPACE_MEMORY: u32 = 0;
const SPACE_PORTS: u32 = 1;
const ADDRESS: u32 = 4;

/** A register of one byte. */
export class AcpiRegister {
  constructor(
    public readonly isPort: bool,
    /** The port, or the linear address that it is mapped at. */
    private readonly at: u32,
    /** For the log. */
    public readonly address: u64,
  ) {}

  write(value: u32): void {
    if (this.isPort) x86.out8(this.at, value);
    else x86.store8(this.at, value);
  }
}

/** By the structure at `at`; null: there is none, or none that can be reached. */
export function openRegister(at: u32): AcpiRegister | null {
  const space: u32 = load<u8>(at + SPACE);
  const address = load<u64>(at + ADDRESS);
  if (address === 0) return null;
  if (space === SPACE_PORTS)
    return address <= u16.MAX_VALUE ? new AcpiRegister(true, address as u32, address) : null;
  if (space !== SPACE_MEMORY) return null;
  const mapped = mapDevice(address, 1);
  return mapped === 0 ? null : new AcpiRegister(false, mapped, address);
}
