// Devices that are on no bus that could be asked: virtio-mmio's, which QEMU's microvm has. ACPI describes them (hardware id
// LNRO0005), each with the place of its registers and its interrupt; or else the command line, as Linux has it:
// virtio_mmio.device=BYTES@ADDRESS:GSI, which QEMU adds with acpi=off.

import { AmlDevices, Resources } from '../acpi/resources.ts';
import { findDsdt, HEADER_BYTES, tableLength } from '../acpi/tables.ts';
import * as fwcfg from '../boot/fwcfg.ts';
import { COMMAND_LINE_BYTES } from '../boot/info.ts';
import * as cmdline from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';

const VIRTIO_MMIO_ID: u64 = 0x3530_3030_4f52_4e4c; // 'LNRO0005'
const DEVICES_MAX: u32 = 64;
const DEVICE_WORD = 'virtio_mmio.device';
const BYTES_MAX: u64 = 0x10_0000;
const GSI_MAX: u64 = 0xff;

/** Every virtio-mmio device that has registers and an interrupt, in the firmware's order. */
export function findVirtioMmio(): Array<Resources> {
  const found: Array<Resources> = [];
  const dsdt = findDsdt();
  if (dsdt === 0) {
    readCommandLine(found);
    return found;
  }
  const devices = new AmlDevices(dsdt + HEADER_BYTES, dsdt + tableLength(dsdt), VIRTIO_MMIO_ID);
  while ((found.length as u32) < DEVICES_MAX && devices.next()) {
    const resources = devices.resources;
    if (resources.bytes > 0 && resources.hasInterrupt) found.push(resources);
  }
  return found;
}

function readCommandLine(found: Array<Resources>): void {
  // QEMU tells of its devices at the reset, when a multiboot kernel has got its line already.
  const line = heap.alloc(COMMAND_LINE_BYTES) as u32;
  fwcfg.readLoaderLine(line, COMMAND_LINE_BYTES);
  cmdline.add('fw_cfg', line, COMMAND_LINE_BYTES);
  for (let i: u32 = 0; i < DEVICES_MAX; i++) {
    const word = cmdline.nthValue(DEVICE_WORD, i);
    if (word.length === 0) return;
    const resources = parse(word);
    if (resources !== null) found.push(resources);
    else log('cmdline').text(DEVICE_WORD).text('=').text(word).text(': give BYTES@0xADDRESS:GSI').end();
  }
}

function parse(word: string): Resources | null {
  const at = word.indexOf('@');
  const colon = word.indexOf(':');
  if (at <= 0 || colon < at) return null;
  const bytes = U64.parseInt(word.substring(0, at));
  const address = U64.parseInt(word.substring(at + 1, colon));
  const gsi = U64.parseInt(word.substring(colon + 1));
  if (bytes === 0 || bytes > BYTES_MAX || address === 0 || address > u32.MAX_VALUE || gsi > GSI_MAX)
    return null;
  const resources = new Resources();
  resources.bytes = bytes as u32;
  resources.address = address as u32;
  resources.gsi = gsi as u32;
  resources.hasInterrupt = true;
  return resources;
}
