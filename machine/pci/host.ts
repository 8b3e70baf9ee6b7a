// The PCI host bridge: configuration cycles to every function of every bus, by ports 0xcf8 and 0xcfc (PCI 3.0
// §3.2.2.3.2) and by ECAM; which addresses reach which BAR; interrupt pins through bridges to the chipset's lines.

import type { MessageSink, Ram } from '../bus/memory.ts';
import { type AddressSpace, type Mapping, ones, type Registers } from '../bus/space.ts';
import { MachineError } from '../error.ts';
import type { Random } from '../random.ts';
import type { Clock } from '../time/clock.ts';
import type { Trace } from '../trace.ts';
import type { AcpiSlots } from './acpi-slots.ts';
import { PciBridge, type Range } from './bridge.ts';
import { PciBus } from './bus.ts';
import * as config from './config.ts';
import type { Bar, PciDevice, PciFunction, PciPlatform, PciSystem } from './function.ts';

const ADDRESS_PORT = 0xcf8;
const DATA_PORT = 0xcfc;
const ENABLE = 0x8000_0000;
export const ECAM_ADDRESS = 0xb000_0000;
export const ECAM_BYTES = 0x1000_0000;

/** Where to put a device; what is left out is chosen as QEMU does: the first slot that is free. */
export interface Place {
  slot?: number;
  function?: number;
  /** The bridge behind which it is; else it is on bus 0. */
  bridge?: PciBridge;
}

/** Drives one of the chipset's four or eight PCI interrupt lines. */
export type PirqSink = (pirq: number, high: boolean) => void;
/** Which line a pin of a slot on bus 0 drives. */
export type PirqRoute = (slot: number, pin: number) => number;

export interface HostOptions extends PciPlatform {
  /** Whether the machine has a PCI bus at all. */
  exists: boolean;
  ecam: boolean;
  pirqRoute: PirqRoute;
  pirqSink: PirqSink;
}

export class PciHost implements PciSystem {
  readonly root: PciBus;
  readonly ports: AddressSpace;
  readonly memory: AddressSpace;
  readonly ram: Ram;
  readonly clock: Clock;
  readonly trace: Trace;
  readonly messages: MessageSink;
  readonly random: Random | undefined;
  private readonly options: HostOptions;
  private readonly mappings: { space: AddressSpace; mapping: Mapping }[] = [];
  /** By line, who drives it. */
  private readonly drivers: Set<PciFunction>[] = Array.from({ length: 8 }, () => new Set());
  private address = 0;
  /** For the buses whose slots are not a port's own. */
  acpi: AcpiSlots | undefined;
  private running = false;

  constructor(options: HostOptions) {
    this.options = options;
    this.ports = options.ports;
    this.memory = options.memory;
    this.ram = options.ram;
    this.clock = options.clock;
    this.trace = options.trace;
    this.messages = options.messages;
    this.random = options.random;
    this.root = new PciBus(32, false);
    if (!options.exists) return;
    const addressPort: Registers = {
      read: () => this.address,
      write: (_offset, width, value) => {
        if (width === 4) this.address = value;
      },
    };
    options.ports.map(ADDRESS_PORT, 1, addressPort);
    options.ports.map(DATA_PORT, 4, {
      read: (offset, width) => this.cycle(offset, (fn, at) => fn.readConfig(at, width)) ?? ones(width),
      write: (offset, width, value) => void this.cycle(offset, (fn, at) => fn.writeConfig(at, width, value)),
    });
    if (options.ecam) options.memory.map(ECAM_ADDRESS, ECAM_BYTES, this.ecam());
  }

  /** Puts a device into the machine and returns its function. */
  add<D extends PciDevice>(device: D, place: Place = {}): PciFunction {
    if (!this.options.exists) throw new MachineError("the machine 'microvm' has no PCI bus");
    if (place.bridge !== undefined && place.bridge.location === undefined)
      throw new MachineError('the bridge is in no machine: add it before what is behind it');
    const bus = place.bridge?.secondary ?? this.root;
    const slot = place.slot ?? this.freeSlot(bus);
    const fn = place.function ?? 0;
    if (
      !(Number.isInteger(slot) && slot >= 0 && slot < bus.slots && Number.isInteger(fn) && fn >= 0 && fn < 8)
    )
      throw new MachineError(
        `there is no slot ${slot}.${fn} on this bus: it has slots 0 to ${bus.slots - 1}`,
      );
    const index = (slot << 3) | fn;
    if (bus.functions[index] !== undefined)
      throw new MachineError(`PCI slot ${slot}.${fn} is taken: give another with { slot, function }`);
    const added = device.toPci(bus.express);
    added.attach(this, { bus, slot, fn });
    bus.functions[index] = added;
    const others = bus.functions.slice((slot << 3) + 1, (slot << 3) + 8).some((other) => other !== undefined);
    const first = bus.functions[slot << 3];
    if (others && first) first.config.bytes[config.HEADER_TYPE] |= config.HEADER_MULTIFUNCTION;
    if (fn === 0) this.announce(bus, slot);
    return added;
  }

  /** Asks the driver to give a device free, as QEMU's device_del: by the attention button of its slot. */
  release(fn: PciFunction): void {
    const { bus, slot } = fn.location!;
    if (bus.bridge?.slot !== undefined) bus.bridge.slot.push();
    else if (this.acpi?.buses.includes(bus)) this.acpi.request(bus, slot);
    else if (bus.bridge?.slots !== undefined) bus.bridge.slots.request(slot);
    else throw new MachineError(`${fn.name} is in no hot-plug slot`);
  }

  /** The firmware is done: what is added from now on is plugged in. */
  start(): void {
    this.running = true;
  }

  private announce(bus: PciBus, slot: number): void {
    const { slot: port, slots } = bus.bridge ?? {};
    if (!this.running) (port ?? slots)?.fill(slot);
    else if (port !== undefined) port.plug();
    else if (this.acpi?.buses.includes(bus)) this.acpi.plug(bus, slot);
    else slots?.plug(slot);
  }

  /** Pulls a device out without a word. */
  pull(fn: PciFunction): void {
    const { bus, slot } = fn.location!;
    this.remove(fn);
    bus.bridge?.slot?.pull();
    bus.bridge?.slots?.pull(slot);
  }

  /** With all that is behind it. */
  remove(fn: PciFunction): void {
    if (fn instanceof PciBridge) for (const behind of [...fn.secondary.present()]) this.remove(behind);
    const { bus, slot, fn: index } = fn.location!;
    fn.removed();
    bus.functions[(slot << 3) | index] = undefined;
    this.remap();
  }

  /** Every function, a bus before those behind it, in the order of their numbers. */
  *functions(bus = this.root): Generator<PciFunction> {
    yield* bus.present();
    for (const fn of bus.present()) if (fn instanceof PciBridge) yield* this.functions(fn.secondary);
  }

  remap(): void {
    for (const { space, mapping } of this.mappings.splice(0)) space.unmap(mapping);
    const all = { start: 0, end: Number.POSITIVE_INFINITY };
    this.mapBus(this.root, [all], [all]);
  }

  setIntx(fn: PciFunction, pin: number, high: boolean): void {
    // Bridge Architecture §9.1: each bridge turns the pins by the slot.
    let { bus, slot } = fn.location!;
    let line = pin - 1;
    while (bus.bridge !== undefined) {
      line = (line + slot) & 3;
      ({ bus, slot } = bus.bridge.location!);
    }
    const pirq = this.options.pirqRoute(slot, line);
    const drivers = this.drivers[pirq];
    if (high) drivers.add(fn);
    else drivers.delete(fn);
    this.options.pirqSink(pirq, drivers.size > 0);
  }

  private freeSlot(bus: PciBus): number {
    for (let slot = 0; slot < bus.slots; slot++) if (bus.functions[slot << 3] === undefined) return slot;
    throw new MachineError('all slots of this PCI bus are taken');
  }

  private cycle<T>(low: number, act: (fn: PciFunction, offset: number) => T): T | undefined {
    if ((this.address & ENABLE) === 0) return undefined;
    const fn = this.find((this.address >> 16) & 0xff, (this.address >> 8) & 0xff);
    return fn && act(fn, (this.address & 0xfc) + low);
  }

  private ecam(): Registers {
    const at = (offset: number) => this.find((offset >> 20) & 0xff, (offset >> 12) & 0xff);
    return {
      read: (offset, width) => at(offset)?.readConfig(offset & 0xfff, width) ?? ones(width),
      write: (offset, width, value) => at(offset)?.writeConfig(offset & 0xfff, width, value),
    };
  }

  private find(number: number, index: number, bus = this.root): PciFunction | undefined {
    if (bus.bridge?.passes === false) return undefined;
    if (number === (bus.bridge?.secondaryBus ?? 0)) return bus.functions[index];
    for (const fn of bus.present()) {
      if (!(fn instanceof PciBridge) || fn.secondaryBus === 0) continue;
      if (number >= fn.secondaryBus && number <= fn.subordinateBus)
        return this.find(number, index, fn.secondary);
    }
    return undefined;
  }

  /** `io` and `memory`: what reaches this bus, one of the ranges must hold a BAR. */
  private mapBus(bus: PciBus, io: Range[], memory: Range[]): void {
    for (const fn of bus.present()) {
      for (const bar of fn.bars) if (bar !== undefined) this.mapBar(fn, bar, bar.ports ? io : memory);
      if (!(fn instanceof PciBridge) || !fn.passes) continue;
      this.mapBus(
        fn.secondary,
        meet(io, [fn.ioWindow]),
        meet(memory, [fn.memoryWindow, fn.prefetchableWindow]),
      );
    }
  }

  private mapBar(fn: PciFunction, bar: Bar, reaching: Range[]): void {
    const needed = bar.ports ? config.COMMAND_IO : config.COMMAND_MEMORY;
    const base = fn.barAddress(bar.index);
    if ((fn.command & needed) === 0 || base === 0) return;
    if (!reaching.some(({ start, end }) => base >= start && base + bar.bytes - 1 <= end)) return;
    const space = bar.ports ? this.ports : this.memory;
    // As in QEMU: PCI's memory lies behind the machine's own registers, its ports before them.
    const mapping = space.map(base, bar.bytes, bar.registers, !bar.ports);
    this.mappings.push({ space, mapping });
  }
}

function meet(some: Range[], others: Range[]): Range[] {
  return some.flatMap((a) =>
    others.map((b) => ({ start: Math.max(a.start, b.start), end: Math.min(a.end, b.end) })),
  );
}
