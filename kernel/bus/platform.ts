// Devices that are on no bus that could be asked: virtio-mmio's, which QEMU's microvm has. ACPI describes them (hardware id
// LNRO0005), each with the place of its registers and its interrupt.

import { AmlDevices, Resources } from '../acpi/resources.ts';
import { findDsdt, HEADER_BYTES, tableLength } from '../acpi/tables.ts';

const VIRTIO_MMIO_ID: u64 = 0x3530_3030_4f52_4e4c; // 'LNRO0005'
const DEVICES_MAX: u32 = 64;

/** Every virtio-mmio device that has registers and an interrupt, in the firmware's order. */
export function findVirtioMmio(): Array<Resources> {
  const found: Array<Resources> = [];
  const dsdt = findDsdt();
  if (dsdt === 0) return found;
  const devices = new AmlDevices(dsdt + HEADER_BYTES, dsdt + tableLength(dsdt), VIRTIO_MMIO_ID);
  while ((found.length as u32) < DEVICES_MAX && devices.next()) {
    const resources = devices.resources;
    if (resources.bytes > 0 && resources.hasInterrupt) found.push(resources);
  }
  return found;
}
