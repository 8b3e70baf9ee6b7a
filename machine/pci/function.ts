// A PCI function: configuration space, BARs with the registers behind them, bus mastering, INTx. Devices derive from it.

import type { Dma, MessageSink, Ram } from '../bus/memory.ts';
import { Dma as DmaPort } from '../bus/memory.ts';
import type { AddressSpace, Registers, Width } from '../bus/space.ts';
import { MachineError } from '../error.ts';
import type { Random } from '../random.ts';
import type { Clock } from '../time/clock.ts';
import type { Trace } from '../trace.ts';
import type { PciBus } from './bus.ts';
import * as config from './config.ts';

/** What the machine gives its PCI host, and that its functions. */
export interface PciPlatform {
  readonly ports: AddressSpace;
  readonly memory: AddressSpace;
  readonly ram: Ram;
  readonly clock: Clock;
  readonly trace: Trace;
  readonly messages: MessageSink;
  /** There when the machine has a seed: for devices whose timing may vary. */
  readonly random: Random | undefined;
}

export interface PciSystem extends PciPlatform {
  /** Decoders have changed: BARs, command registers, bridges' windows. */
  remap(): void;
  /** Takes a function out of its slot. */
  remove(fn: PciFunction): void;
  /** A function drives its interrupt pin. */
  setIntx(fn: PciFunction, pin: number, high: boolean): void;
}

export interface BarDescription {
  ports?: boolean;
  /** A power of two. */
  bytes: number;
  is64?: boolean;
  prefetchable?: boolean;
  registers: Registers;
}

export interface Bar extends Readonly<BarDescription> {
  readonly index: number;
}

const BARS = 6;
const BAR_PORTS = 1;
const BAR_64 = 4;
const BAR_PREFETCHABLE = 8;

/** Whatever can be put into a slot: a function, or a device that has one. */
export interface PciDevice {
  toPci(express: boolean): PciFunction;
}

/** Where a function is. */
export interface Location {
  readonly bus: PciBus;
  readonly slot: number;
  readonly fn: number;
}

export abstract class PciFunction implements PciDevice {
  readonly config: config.ConfigSpace;
  readonly bars: (Bar | undefined)[] = new Array(BARS).fill(undefined);
  location: Location | undefined;
  private attached: { system: PciSystem; dma: Dma } | undefined;
  private intx = false;

  constructor(vendor: number, device: number, classCode: number, revision = 0, express = false) {
    this.config = new config.ConfigSpace(express ? 4096 : 256);
    this.config.set16(config.VENDOR_ID, vendor);
    this.config.set16(config.DEVICE_ID, device);
    this.config.setClass(classCode, revision);
    this.config.set16(config.SUBSYSTEM_VENDOR_ID, 0x1af4);
    this.config.set16(config.SUBSYSTEM_ID, 0x1100);
  }

  toPci(): PciFunction {
    return this;
  }

  /** `0000:bb:dd.f`, as the firmware numbers the buses. */
  get name(): string {
    if (this.location === undefined) return 'pci';
    const { bus, slot, fn } = this.location;
    const hex = (value: number) => value.toString(16).padStart(2, '0');
    return `0000:${hex(bus.number)}:${hex(slot)}.${fn}`;
  }

  get system(): PciSystem {
    return this.connection.system;
  }

  /** The function as bus master. */
  get dma(): Dma {
    return this.connection.dma;
  }

  /** Called once, when the function is put into its slot. */
  attach(system: PciSystem, location: Location): void {
    if (this.attached !== undefined)
      throw new MachineError(`the device of ${this.name} is in a machine already: make a new one`);
    this.location = location;
    const dma = new DmaPort(() => this.name, system.ram, system.trace, system.messages);
    dma.enabled = () => (this.command & config.COMMAND_MASTER) !== 0;
    this.attached = { system, dma };
  }

  /** It has been taken out of its slot: nothing more comes of it. */
  removed(): void {
    this.setIntx(false);
    this.config.set16(config.COMMAND, 0);
  }

  get command(): number {
    return this.config.get16(config.COMMAND);
  }

  addBar(index: number, description: BarDescription): void {
    const { ports, bytes, is64, prefetchable } = description;
    if (!Number.isInteger(index) || index < 0 || index >= BARS)
      throw new MachineError(`there is no BAR ${index}: a function has 0 to ${BARS - 1}`);
    if (!Number.isInteger(Math.log2(bytes)) || bytes < (ports ? 4 : 16))
      throw new MachineError(
        `BAR ${index} has ${bytes} bytes: give a power of two, 4 ports or 16 bytes at least`,
      );
    const at = config.BAR_0 + index * 4;
    this.bars[index] = { ...description, index };
    const flags = (ports ? BAR_PORTS : 0) | (is64 ? BAR_64 : 0) | (prefetchable ? BAR_PREFETCHABLE : 0);
    this.config.set32(at, flags);
    this.config.setWritable(at, -bytes >>> 0, 4);
    if (is64) this.config.setWritable(at + 4, (-bytes / 2 ** 32) >>> 0 || 0xffff_ffff, 4);
  }

  barAddress(index: number): number {
    const at = config.BAR_0 + index * 4;
    const low = this.config.get32(at);
    if (low & BAR_PORTS) return (low & ~3) >>> 0;
    const high = low & BAR_64 ? this.config.get32(at + 4) : 0;
    return high * 2 ** 32 + ((low & ~15) >>> 0);
  }

  readConfig(offset: number, width: Width): number {
    return this.config.read(offset, width);
  }

  writeConfig(offset: number, width: Width, value: number): void {
    const before = this.decoders();
    this.config.write(offset, width, value);
    if (this.decoders() !== before) this.system.remap();
    // What the device asks for stands in its status; whether the pin shows that depends on the command register.
    this.setIntx((this.config.get16(config.STATUS) & config.STATUS_INTX) !== 0);
  }

  /** Drives the interrupt pin, if the function has one and may. */
  setIntx(high: boolean): void {
    const pin = this.config.bytes[config.INTERRUPT_PIN];
    const status = this.config.get16(config.STATUS) & ~config.STATUS_INTX;
    this.config.set16(config.STATUS, status | (high ? config.STATUS_INTX : 0));
    const driven = high && (this.command & config.COMMAND_INTX_OFF) === 0;
    if (pin === 0 || driven === this.intx) return;
    this.intx = driven;
    this.system.setIntx(this, pin, driven);
  }

  /** Everything that decides what the function decodes; what is equal decodes the same. */
  protected decoders(): string {
    const enabled = this.command & (config.COMMAND_IO | config.COMMAND_MEMORY);
    if (enabled === 0) return '';
    return `${enabled} ${this.bars.map((bar, i) => (bar === undefined ? '' : this.barAddress(i))).join(' ')}`;
  }

  private get connection(): { system: PciSystem; dma: Dma } {
    if (this.attached === undefined)
      throw new MachineError('a PCI function is in no machine: put it into one with machine.pci.add()');
    return this.attached;
  }
}

/** Registers that read as zero and ignore what is written. */
export const NO_REGISTERS: Registers = { read: () => 0, write: () => {} };
