// The firmware's part of PCI: bus numbers, then addresses for every BAR and bridge window, in the order and at the
// places that SeaBIOS 1.16 (src/fw/pciinit.c) chooses, then decoding and interrupt lines.

import { PciBridge } from '../pci/bridge.ts';
import type { PciBus } from '../pci/bus.ts';
import { PIRQ_ISA, PIRQ_ROUTES } from '../pci/chipset.ts';
import * as config from '../pci/config.ts';
import type { Bar, PciFunction } from '../pci/function.ts';
import { ECAM_ADDRESS, type PciHost } from '../pci/host.ts';

const KINDS = ['io', 'memory', 'prefetchable'] as const;
type Kind = (typeof KINDS)[number];

const IO_START = 0xc000;
const IO_START_LARGE = 0x1000;
const IO_LARGE = 0x4000;
const MEMORY_END = 0xfec0_0000;
const GIB = 2 ** 30;

const BAR_BYTES_MIN = 4096;
const WINDOW_MIN = { io: 0x1000, memory: 0x20_0000, prefetchable: 0x20_0000 };
const SMBUS_PORT = 0x700;

interface Entry {
  fn: PciFunction;
  /** undefined: a bridge's window. */
  bar: Bar | undefined;
  bytes: number;
  align: number;
  is64: boolean;
}

/** What a bus needs, the largest alignment first. */
class Region {
  base = 0;
  entries: Entry[] = [];

  add(entry: Entry): void {
    const at = this.entries.findIndex(
      (e) => e.align < entry.align || (e.align === entry.align && e.bytes < entry.bytes),
    );
    this.entries.splice(at < 0 ? this.entries.length : at, 0, entry);
  }

  get align(): number {
    return this.entries[0]?.align ?? 1;
  }

  get sum(): number {
    return this.entries.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

type Regions = Record<Kind, Region>;

/** What the firmware leaves to the kernel, as QEMU's qboot does. */
export interface FirmwareOptions {
  /** false: no addresses for BARs and bridges' windows, and nothing is decoded. */
  assign?: boolean;
  /** false: no bus numbers for bridges. */
  number?: boolean;
  /** false, on microvm: no ACPI tables; the command line tells of the devices. */
  acpi?: boolean;
}

export function configurePci(
  host: PciHost,
  machine: 'pc' | 'q35',
  ramBytes: number,
  { assign: assigns = true, number = true }: FirmwareOptions = {},
): void {
  const buses = numberBuses(host.root, number);
  if (!number || !assigns) return;
  const needs = new Map<PciBus, Regions>();
  for (const bus of buses)
    needs.set(bus, { io: new Region(), memory: new Region(), prefetchable: new Region() });
  for (const bus of buses) collectBars(bus, needs.get(bus)!);
  for (const bus of buses.slice(1).reverse()) addWindows(bus, needs);
  const root = needs.get(host.root)!;
  root.io.base = root.io.sum < IO_LARGE ? IO_START : IO_START_LARGE;
  const start = machine === 'q35' ? ECAM_ADDRESS + 0x1000_0000 : Math.max(ramBytes, 0xc000_0000);
  if (!placeMemory(root, start)) placeHigh(root, start, needs);
  for (const bus of buses) for (const kind of KINDS) assign(needs.get(bus)![kind], kind, needs);
  for (const bus of buses) for (const fn of bus.present()) enable(fn, machine);
}

/** Depth first, in the order of slots: a bridge's number, then those behind it. */
function numberBuses(root: PciBus, write: boolean): PciBus[] {
  const buses = [root];
  let next = 1;
  const visit = (bus: PciBus) => {
    for (const fn of bus.present()) {
      if (!(fn instanceof PciBridge)) continue;
      const number = next++;
      fn.secondary.planned = number;
      buses.push(fn.secondary);
      visit(fn.secondary);
      next = Math.max(next, number + (fn.reserve.buses ?? 0) + 1);
      if (!write) continue;
      fn.writeConfig(config.PRIMARY_BUS, 1, bus.number);
      fn.writeConfig(config.SECONDARY_BUS, 1, number);
      fn.writeConfig(config.SUBORDINATE_BUS, 1, next - 1);
    }
  };
  visit(root);
  return buses;
}

function collectBars(bus: PciBus, regions: Regions): void {
  for (const fn of bus.present()) {
    for (const bar of fn.bars) {
      if (bar === undefined) continue;
      const bytes = bar.ports ? bar.bytes : Math.max(bar.bytes, BAR_BYTES_MIN);
      const kind = bar.ports ? 'io' : bar.prefetchable ? 'prefetchable' : 'memory';
      regions[kind].add({ fn, bar, bytes, align: bytes, is64: bar.is64 ?? false });
    }
  }
}

/** What is behind a bridge becomes a window on the bus before it. */
function addWindows(bus: PciBus, needs: Map<PciBus, Regions>): void {
  const bridge = bus.bridge!;
  const parent = needs.get(bridge.location!.bus)!;
  for (const kind of KINDS) {
    const region = needs.get(bus)![kind];
    const align = Math.max(WINDOW_MIN[kind], region.align);
    const optional = bridge.expressPort && kind === 'io';
    const least = region.sum === 0 && bridge.hotPlug && !optional ? align : region.sum;
    const sum = Math.max(least, bridge.reserve[kind] ?? 0);
    const is64 = kind === 'prefetchable' && region.entries.every((entry) => entry.is64);
    parent[kind].add({ fn: bridge, bar: undefined, bytes: Math.ceil(sum / align) * align, align, is64 });
  }
}

/** Below MEMORY_END, what is aligned most first; false: it does not fit above `start`. */
function placeMemory({ memory, prefetchable }: Regions, start: number): boolean {
  const [first, last] = memory.align < prefetchable.align ? [prefetchable, memory] : [memory, prefetchable];
  last.base = alignDown(MEMORY_END - last.sum, last.align);
  first.base = alignDown(last.base - first.sum, first.align);
  return first.base >= start;
}

/** Takes what may be anywhere to addresses above 4 GiB. */
function placeHigh(root: Regions, start: number, needs: Map<PciBus, Regions>): void {
  let at = 4 * GIB;
  for (const kind of ['memory', 'prefetchable'] as const) {
    const high = new Region();
    high.entries = root[kind].entries.filter((entry) => entry.is64);
    root[kind].entries = root[kind].entries.filter((entry) => !entry.is64);
    high.base = alignUp(alignUp(at, high.align), GIB);
    at = high.base + high.sum;
    assign(high, kind, needs);
  }
  placeMemory(root, start);
}

function assign(region: Region, kind: Kind, needs: Map<PciBus, Regions>): void {
  let address = region.base;
  for (const { fn, bar, bytes } of region.entries) {
    if (bar === undefined) {
      needs.get((fn as PciBridge).secondary)![kind].base = address;
      setWindow(fn, kind, address, address + bytes - 1);
    } else {
      const at = config.BAR_0 + bar.index * 4;
      fn.writeConfig(at, 4, address % 2 ** 32);
      if (bar.is64) fn.writeConfig(at + 4, 4, Math.floor(address / 2 ** 32));
    }
    address += bytes;
  }
}

function setWindow(fn: PciFunction, kind: Kind, start: number, end: number): void {
  if (kind === 'io') {
    fn.writeConfig(config.IO_BASE, 1, (start >> 8) & 0xff);
    fn.writeConfig(config.IO_LIMIT, 1, (end >> 8) & 0xff);
    return;
  }
  const [base, limit] =
    kind === 'memory'
      ? [config.MEMORY_BASE, config.MEMORY_LIMIT]
      : [config.PREFETCHABLE_BASE, config.PREFETCHABLE_LIMIT];
  fn.writeConfig(base, 2, Math.floor(start / 2 ** 16) & 0xffff);
  fn.writeConfig(limit, 2, Math.floor(end / 2 ** 16) & 0xffff);
  if (kind === 'memory') return;
  fn.writeConfig(config.PREFETCHABLE_BASE_UPPER, 4, Math.floor(start / 2 ** 32));
  fn.writeConfig(config.PREFETCHABLE_LIMIT_UPPER, 4, Math.floor(end / 2 ** 32));
}

function enable(fn: PciFunction, machine: 'pc' | 'q35'): void {
  const pin = fn.config.bytes[config.INTERRUPT_PIN];
  if (pin > 0) fn.writeConfig(config.INTERRUPT_LINE, 1, interruptLine(fn, pin, machine));
  fn.writeConfig(
    config.COMMAND,
    2,
    fn.command | config.COMMAND_IO | config.COMMAND_MEMORY | config.COMMAND_SERR,
  );
  // The SMBus stays where the firmware needs it.
  if (fn.config.get32(config.VENDOR_ID) === 0x2930_8086) fn.writeConfig(config.BAR_0 + 16, 4, SMBUS_PORT);
}

function interruptLine(fn: PciFunction, pin: number, machine: 'pc' | 'q35'): number {
  let { bus, slot } = fn.location!;
  let line = pin - 1;
  while (bus.bridge !== undefined) {
    line += slot;
    ({ bus, slot } = bus.bridge.location!);
  }
  if (machine === 'pc' && slot === 1) return 9; // PIIX4's power management is hard-wired
  return PIRQ_ISA[PIRQ_ROUTES[machine](slot, line & 3)];
}

function alignDown(value: number, align: number): number {
  return Math.floor(value / align) * align;
}

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}
