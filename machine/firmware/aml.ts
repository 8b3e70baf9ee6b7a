// Pieces of AML (ACPI 6.4 §20.2), the bytecode of definition blocks, and the host bridge's device as QEMU's have it.

import { PciBridge } from '../pci/bridge.ts';
import type { PciBus } from '../pci/bus.ts';
import { ascii, word } from './acpi-table.ts';

const EISA_PNP0A03 = 0x030a_d041; // a PCI host bridge
const GIB = 2 ** 30;
const IOAPICS = 0xfec0_0000;

const BUSES = 2;
const PORTS = 1;
const MEMORY = 0;

/** `Scope (\_SB) { Device (PCI0) { _HID, _CRS } }`: bus numbers, ports, and memory between RAM and the APICs but for ECAM. */
export function hostBridge(
  ramBytes: number,
  ecam: { start: number; end: number } | undefined,
  slots: readonly number[],
): number[] {
  const memory = ecam
    ? [
        [ramBytes, ecam.start - 1],
        [ecam.end, IOAPICS - 1],
      ]
    : [[ramBytes, IOAPICS - 1]];
  const high = (ecam ? 32 : 2) * GIB;
  const template = [
    ...range(0x88, 2, BUSES, 0, 0xff),
    ...range(0x88, 2, PORTS, 0, 0xcf7),
    ...range(0x88, 2, PORTS, 0xd00, 0xffff),
    ...memory.flatMap(([first, last]) => range(0x87, 4, MEMORY, first, last)),
    ...range(0x8a, 8, MEMORY, 4 * GIB, 4 * GIB + high - 1),
    ...[0x79, 0],
  ];
  const size = [0x0b, template.length & 0xff, template.length >> 8];
  const device = [
    ...ascii('PCI0'),
    ...[...name('_HID'), 0x0c, ...word(EISA_PNP0A03)],
    ...[...name('_CRS'), 0x11, ...packaged([...size, ...template])],
    ...slots,
  ];
  return [0x10, ...packaged([0x5c, ...ascii('_SB_'), 0x5b, 0x82, ...packaged(device)])];
}

/** `Name (BSEL, …)` of a bus that has one, and the devices of its bridges with theirs. */
export function slotNumbers(bus: PciBus, buses: readonly PciBus[]): number[] {
  const number = buses.indexOf(bus);
  const aml = number < 0 ? [] : [...name('BSEL'), 0x0a, number];
  for (const fn of bus.present()) {
    if (!(fn instanceof PciBridge)) continue;
    const { slot, fn: index } = fn.location!;
    const segment = `S${((slot << 3) | index).toString(16).toUpperCase().padStart(2, '0')}_`;
    const address = [...name('_ADR'), 0x0c, ...word((slot << 16) | index)];
    aml.push(0x5b, 0x82, ...packaged([...ascii(segment), ...address, ...slotNumbers(fn.secondary, buses)]));
  }
  return aml;
}

/** An address space descriptor (§6.4.3.5) whose values have `width` bytes. */
function range(tag: number, width: number, type: number, first: number, last: number): number[] {
  const values = [0, first, last, 0, last - first + 1].flatMap((value) =>
    [...word(value % 2 ** 32), ...word(Math.floor(value / 2 ** 32))].slice(0, width),
  );
  const bytes = 3 + values.length;
  return [tag, bytes, 0, type, 0x0c, type === PORTS ? 3 : 1, ...values]; // its ends are fixed
}

export function name(segment: string): number[] {
  return [0x08, ...ascii(segment)];
}

/** §20.2.4: a length, which counts its own bytes, before what it is of. */
export function packaged(body: number[]): number[] {
  const bytes = body.length;
  if (bytes + 1 < 0x40) return [bytes + 1, ...body];
  if (bytes + 2 < 0x1000) return [0x40 | ((bytes + 2) & 15), (bytes + 2) >> 4, ...body];
  const length = bytes + 3;
  return [0x80 | (length & 15), (length >> 4) & 0xff, length >> 12, ...body];
}
