// ACPI's tables on microvm, whose ACPI is hardware-reduced (ACPI 6.4 §4.1): a power switch in memory, two I/O APICs without
// overrides, and the virtio-mmio devices in the DSDT as QEMU 7.2's acpi-microvm.c describes them.

import { IOAPIC_2_ADDRESS, IOAPIC_ADDRESS, IOAPIC_PINS } from '../devices/ioapic.ts';
import { SLEEP_CONTROL, SLEEP_TYPE_OFF } from '../devices/sleep.ts';
import { MMIO_BYTES } from '../virtio/mmio.ts';
import { ascii, checksum, Fields, TablePlaces, table, word } from './acpi-table.ts';
import { name, packaged } from './aml.ts';

const RSDP_ADDRESS = 0xf_34d0;
const RSDP_BYTES = 36;
const TABLES_ADDRESS = 0xe_8000;
const LAPIC_ADDRESS = 0xfee0_0000;
const FADT_BYTES = 268;
const FADT_FLAGS = 0x10_0400; // hardware-reduced, with a reset register

export interface MmioDevice {
  address: number;
  gsi: number;
}

export function writeReducedAcpi(
  ram: DataView,
  apicIds: readonly number[],
  devices: readonly MmioDevice[],
): void {
  const places = new TablePlaces(ram, TABLES_ADDRESS);
  const dsdt = places.put(table('DSDT', 2, Uint8Array.from(definitionBlock(devices))));
  const tables = [
    places.put(table('FACP', 5, fadt(dsdt))),
    places.put(table('APIC', 4, Uint8Array.from(madt(apicIds)))),
  ];
  const xsdt = places.put(
    table('XSDT', 1, Uint8Array.from(tables.flatMap((at) => [...word(at), ...word(0)]))),
  );
  const rsdp = new Fields(RSDP_BYTES + 36).bytes; // which have no header
  rsdp.set([...ascii('RSD PTR \0BOCHS '), 2]);
  rsdp.set([...word(0), ...word(RSDP_BYTES), ...word(xsdt), ...word(0)], 16);
  rsdp[8] = checksum(rsdp.subarray(0, 20));
  rsdp[32] = checksum(rsdp);
  new Uint8Array(ram.buffer).set(rsdp, RSDP_ADDRESS);
}

/** §5.2.9; generic addresses are §5.2.3.2's. */
function fadt(dsdt: number): Uint8Array {
  const fields = new Fields(FADT_BYTES);
  fields.set32(40, dsdt);
  fields.set32(112, FADT_FLAGS);
  for (const [at, address] of [
    [116, SLEEP_CONTROL + 2],
    [244, SLEEP_CONTROL],
    [256, SLEEP_CONTROL + 1],
  ]) {
    fields.set8(at + 1, 8); // bits, in memory
    fields.set32(at + 4, address);
  }
  fields.set8(128, 0x42); // what resets
  fields.set8(131, 1);
  fields.set32(140, dsdt);
  return fields.bytes;
}

function madt(apicIds: readonly number[]): number[] {
  const ioApic = (id: number, address: number) => [1, 12, id, 0, ...word(address), ...word(id * IOAPIC_PINS)];
  return [
    ...[...word(LAPIC_ADDRESS), ...word(0)],
    ...apicIds.flatMap((id, i) => [0, 8, i, id, ...word(1)]),
    ...[...ioApic(0, IOAPIC_ADDRESS), ...ioApic(1, IOAPIC_2_ADDRESS)],
    ...[4, 6, 0xff, 0, 0, 1], // LINT1 is NMI
  ];
}

/** `Scope (\_SB) { Device () { _HID, _UID, _CCA, _CRS } … } Name (\_S5, Package () { 5, 0, 0, 0 })` (§20.2). */
function definitionBlock(devices: readonly MmioDevice[]): number[] {
  const body = devices.flatMap(({ address, gsi }, i) => {
    const template = [
      ...[0x86, 9, 0, 1, ...word(address), ...word(MMIO_BYTES)], // 32-bit memory, fixed
      ...[0x89, 6, 0, 0x01, 1, ...word(gsi)], // interrupt: level, active high
      ...[0x79, 0],
    ];
    return [
      ...[0x5b, 0x82],
      ...packaged([
        ...ascii(`VR${String(i).padStart(2, '0')}`),
        ...[...name('_HID'), 0x0d, ...ascii('LNRO0005\0')],
        ...[...name('_UID'), 0x0a, i],
        ...[...name('_CCA'), 0x01],
        ...[...name('_CRS'), 0x11, ...packaged([0x0a, template.length, ...template])],
      ]),
    ];
  });
  const s5 = [0x08, 0x5c, ...ascii('_S5_'), 0x12, ...packaged([4, 0x0a, SLEEP_TYPE_OFF, 0, 0, 0])];
  return [0x10, ...packaged([0x5c, ...ascii('_SB_'), ...body]), ...s5];
}
