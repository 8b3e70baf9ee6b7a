// The address space of the host bridge: which addresses reach the root buses at all, and which of them are free to be given
// out. ACPI's _CRS says the latter. Without it: ports as SeaBIOS gives them out, memory from the end of RAM to the APICs,
// and above all RAM. Several host bridges are taken together, since each passes on what no other takes in QEMU.

import { HostWindows } from '../../acpi/windows.ts';
import { Line } from '../../lib/line.ts';
import { APICS_START, MIB } from '../../mm/layout.ts';
import { endOfLowRam, endOfRam } from '../../mm/map.ts';
import { Region } from '../../mm/regions.ts';
import * as x86 from '../../x86.ts';
import * as config from './config.ts';
import { Resource, Space } from './resource.ts';

/** Below are ports that every PC has had without asking. */
const FIRST_PORT: u64 = 0x100;
const PORTS: u64 = 0x1_0000;
// SeaBIOS (src/fw/pciinit.c, pci_bios_init_root_regions_io): free on pc and q35, the usual range first. What lies
// between belongs to the chipset's hot-plug and power management.
const PORTS_HIGH: u64 = 0xc000;
const PORTS_LOW: u64 = 0x1000;
const PORTS_LOW_END: u64 = 0xa000;

const GIB: u64 = 0x4000_0000;
/** RAM ends here at the latest on PCs that have more above; so there is no doubt whose the addresses are. */
const HOLE: u64 = 3 * GIB;
const LOW_4_GIB: u64 = 4 * GIB;

const CPUID_ADDRESS_BITS: u32 = 0x8000_0008; // Intel SDM 2A, CPUID: EAX bits 7 … 0
const ADDRESS_BITS_MIN: u32 = 36;
const ADDRESS_BITS_MAX: u32 = 52;

/** What nobody may have: ECAM. */
export class Reserved extends Resource {
  write(): void {}

  isKept(): bool {
    return true;
  }

  describe(line: Line): Line {
    return line.text('ECAM');
  }

  get isReserved(): bool {
    return true;
  }
}

export class HostSpaces {
  readonly ports: Space = new Space();
  readonly memory: Space = new Space();

  constructor() {
    const windows = new HostWindows();
    windows.read();
    this.ports.decoded.push(new Region(FIRST_PORT, PORTS));
    const low = endOfLowRam();
    const high = (max(endOfRam(), LOW_4_GIB) + GIB - 1) & ~(GIB - 1);
    const end = endOfAddresses();
    this.memory.decoded.push(new Region(low, APICS_START));
    this.memory.decoded.push(new Region(max(endOfRam(), LOW_4_GIB), end));
    if (!windows.known) {
      windows.io.add(0, PORTS);
      windows.memory.add(low, APICS_START - low);
      windows.memory.add(high, end - high);
    }
    for (let i: u32 = 0; i < windows.io.count; i++) this.addPorts(windows.io.at(i), PORTS_HIGH, PORTS);
    for (let i: u32 = 0; i < windows.io.count; i++) this.addPorts(windows.io.at(i), PORTS_LOW, PORTS_LOW_END);
    for (let i: u32 = 0; i < windows.memory.count; i++)
      this.addMemory(windows.memory.at(i), HOLE, APICS_START);
    for (let i: u32 = 0; i < windows.memory.count; i++) this.addMemory(windows.memory.at(i), low, HOLE);
    for (let i: u32 = 0; i < windows.memory.count; i++) this.addMemory(windows.memory.at(i), high, end);
    this.reserveEcam();
  }

  private addPorts(range: Region, first: u64, end: u64): void {
    add(this.ports, max(range.start, first), min(range.end, end));
  }

  private addMemory(range: Region, first: u64, end: u64): void {
    add(this.memory, max(range.start, first), min(range.end, end));
  }

  private reserveEcam(): void {
    const ecam = config.ecamRange();
    if (ecam === null) return;
    const reserved = new Reserved();
    reserved.start = ecam.base;
    reserved.bytes = ((ecam.lastBus + 1) as u64) * MIB;
    reserved.startWritten = reserved.start;
    reserved.bytesWritten = reserved.bytes;
    reserved.fixed = true;
    this.memory.addMember(reserved);
  }
}

function add(space: Space, start: u64, end: u64): void {
  if (start < end) space.free.push(new Region(start, end));
}

function endOfAddresses(): u64 {
  const bits = x86.cpuid_eax(CPUID_ADDRESS_BITS, 0) & 0xff;
  return (1 as u64) << min(max(bits, ADDRESS_BITS_MIN), ADDRESS_BITS_MAX);
}
