// The firmware's ACPI tables (ACPI 6.4 §5.2): RSDP, RSDT, FADT, MADT, DSDT with \_S5 and the host bridge, HPET where there
// is one, and MCFG where there is ECAM. They lie where SeaBIOS puts them: the root pointer in the BIOS area, the tables at the top of RAM.

import { HPET_ADDRESS, HPET_ID } from '../devices/hpet.ts';
import { IOAPIC_ADDRESS } from '../devices/ioapic.ts';
import * as power from '../devices/power.ts';
import { GPE0 } from '../pci/acpi-slots.ts';
import { PciBridge } from '../pci/bridge.ts';
import type { PciBus } from '../pci/bus.ts';
import { ECAM_ADDRESS, ECAM_BYTES, type PciHost } from '../pci/host.ts';
import { ascii, checksum, Fields, TablePlaces, table, word } from './acpi-table.ts';
import { hostBridge, slotNumbers } from './aml.ts';

const RSDP_ADDRESS = 0xf_5a40;
const LAPIC_ADDRESS = 0xfee0_0000;
export const SCI_INTERRUPT = 9;

const FADT_BYTES = 116;
const FADT_FLAGS = 0x84a5; // as QEMU's: WBINVD, C1, sleep button, RTC_S4, reset register

/** `Scope (\_SB) {} Name (\_S5, Package () { 0, 0, 0, 0 })`, as QEMU's DSDT has it (§20.2). */
const S5 = [
  ...[0x10, 0x06, 0x5c, 0x5f, 0x53, 0x42, 0x5f],
  0x08,
  0x5f,
  0x53,
  0x35,
  0x5f,
  0x12,
  0x06,
  0x04,
  0x00,
  0x00,
  0x00,
  0x00,
];

export interface AcpiOptions {
  machine: 'pc' | 'q35';
  apicIds: readonly number[];
  ramBytes: number;
  /** Where the tables go; all of it is reserved. */
  address: number;
  hpet: boolean;
  pci: PciHost;
}

/** Writes the tables into RAM. */
export function writeAcpi(ram: DataView, options: AcpiOptions): void {
  const places = new TablePlaces(ram, options.address);
  const place = (bytes: Uint8Array) => places.put(bytes);
  const q35 = options.machine === 'q35';
  const ecam = q35 ? { start: ECAM_ADDRESS, end: ECAM_ADDRESS + ECAM_BYTES } : undefined;
  const buses = numberSlots(options.pci, options.machine);
  const aml = [...S5, ...hostBridge(options.ramBytes, ecam, slotNumbers(options.pci.root, buses))];
  const dsdt = place(table('DSDT', 1, Uint8Array.from(aml)));
  const tables = [
    place(table('FACP', 1, fadt(options.machine, dsdt))),
    place(table('APIC', 1, madt(options.apicIds))),
  ];
  if (options.hpet) tables.push(place(table('HPET', 1, hpet())));
  if (q35) tables.push(place(table('MCFG', 1, mcfg())));
  const rsdt = new DataView(new ArrayBuffer(tables.length * 4));
  for (const [i, address] of tables.entries()) rsdt.setUint32(i * 4, address, true);
  writeRsdp(ram, place(table('RSDT', 1, new Uint8Array(rsdt.buffer))));
}

/** Numbers the buses in whose slots cards come and go by ACPI: of pc the root bus, and what is behind plain bridges. */
function numberSlots(pci: PciHost, machine: 'pc' | 'q35'): PciBus[] {
  const buses = machine === 'pc' ? [pci.root] : [];
  for (const fn of pci.functions())
    if (fn instanceof PciBridge && !fn.secondary.express) buses.push(fn.secondary);
  pci.acpi?.buses.push(...buses);
  return buses;
}

/** §5.2.9. */
function fadt(machine: 'pc' | 'q35', dsdt: number): Uint8Array {
  const fields = new Fields(FADT_BYTES);
  fields.set32(40, dsdt);
  fields.set16(46, SCI_INTERRUPT);
  fields.set32(48, power.SMI_COMMAND);
  fields.set8(52, power.ACPI_ENABLE[machine]);
  fields.set8(53, power.ACPI_DISABLE[machine]);
  fields.set32(56, power.PM1_EVENT);
  fields.set32(64, power.PM1_CONTROL);
  fields.set32(76, power.PM_TIMER);
  fields.set32(80, GPE0[machine].port);
  fields.set8(92, GPE0[machine].bytes);
  fields.set8(88, 4); // PM1_EVT_LEN
  fields.set8(89, 2); // PM1_CNT_LEN
  fields.set8(91, 4); // PM_TMR_LEN
  fields.set8(108, 0x32); // century
  fields.set32(112, FADT_FLAGS);
  return fields.bytes;
}

/** §5.2.12: the local APICs, the IOAPIC, and the ISA interrupts that are not where their number says. */
function madt(apicIds: readonly number[]): Uint8Array {
  const bytes: number[] = [...word(LAPIC_ADDRESS), ...word(1)];
  for (const [i, id] of apicIds.entries()) bytes.push(0, 8, i, id, ...word(1));
  bytes.push(1, 12, 0, 0, ...word(IOAPIC_ADDRESS), ...word(0));
  bytes.push(2, 10, 0, 0, ...word(2), 0, 0); // the PIT's line is on pin 2
  for (const irq of [5, 9, 10, 11]) bytes.push(2, 10, 0, irq, ...word(irq), 0x0d, 0); // active high, level
  bytes.push(4, 6, 0xff, 0, 0, 1); // LINT1 is NMI
  return Uint8Array.from(bytes);
}

/** IA-PC HPET Specification 1.0a §3.2.4. */
function hpet(): Uint8Array {
  return Uint8Array.from([...word(HPET_ID), 0, 0, 0, 0, ...word(HPET_ADDRESS), ...word(0), 0, 0, 0, 0]);
}

/** PCI Firmware Specification 3.0 §4.1.2. */
function mcfg(): Uint8Array {
  return Uint8Array.from([
    ...word(0),
    ...word(0),
    ...word(ECAM_ADDRESS),
    ...word(0),
    0,
    0,
    0,
    0xff,
    ...word(0),
  ]);
}

function writeRsdp(ram: DataView, rsdt: number): void {
  const rsdp = new Uint8Array(20);
  rsdp.set(ascii('RSD PTR '), 0);
  rsdp.set(ascii('BOCHS '), 9);
  new DataView(rsdp.buffer).setUint32(16, rsdt, true);
  rsdp[8] = checksum(rsdp);
  new Uint8Array(ram.buffer).set(rsdp, RSDP_ADDRESS);
}
