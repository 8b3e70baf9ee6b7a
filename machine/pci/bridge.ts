// PCI-to-PCI bridges: the plain one, and PCI Express ports, whose slot is on a bus of its own. What is behind a bridge
// decodes only what the bridge's windows let through (PCI-to-PCI Bridge Architecture 1.2 §4).

import type { Width } from '../bus/space.ts';
import { PciBus } from './bus.ts';
import * as config from './config.ts';
import { NO_REGISTERS, PciFunction } from './function.ts';
import { Msi } from './msi.ts';
import { Msix } from './msix.ts';
import { StandardSlots } from './shpc.ts';
import { ExpressSlot } from './slot.ts';

/** QEMU's models. */
export type BridgeModel =
  | 'pci-bridge'
  | 'pcie-root-port'
  | 'pcie-pci-bridge'
  | 'x3130-upstream'
  | 'xio3130-downstream';

interface Identity {
  vendor: number;
  device: number;
  revision: number;
  /** Slots on the bus behind it. */
  slots: number;
  /** The bus behind it is PCI Express. */
  express: boolean;
  bar?: { bytes: number; is64: boolean };
  /** PCI Express capability: its place and flags (device type, slot implemented). */
  port?: { at: number; flags: number };
  /** Standard hot-plug controller: its place. */
  hotPlug?: number;
  /** Entries of MSI-X, in BAR 0, and the place of the capability of subsystem ids. */
  vectors?: number;
  /** The place of MSI; of a controller's with a mask. */
  msiAt?: number;
  subsystemAt?: number;
  /** Of the slot's and the chassis's numbers. */
  slotIdAt?: number;
  powerAt?: number;
}

const PCIE_SLOT = 1 << 8;
const PCIE_TYPE_SHIFT = 4;
const PORT_FLAGS = (type: number, slot: number) => 2 | (type << PCIE_TYPE_SHIFT) | slot;

const IDENTITIES: Record<BridgeModel, Identity> = {
  'pci-bridge': {
    ...{ vendor: 0x1b36, device: 0x0001, revision: 0, slots: 32, express: false },
    ...{ bar: { bytes: 256, is64: true }, hotPlug: 0x40, slotIdAt: 0x48, msiAt: 0x4c },
  },
  'pcie-root-port': {
    ...{ vendor: 0x1b36, device: 0x000c, revision: 0, slots: 1, express: true },
    ...{ vectors: 1, subsystemAt: 0x40, port: { at: 0x54, flags: PORT_FLAGS(4, PCIE_SLOT) } },
  },
  'pcie-pci-bridge': {
    ...{ vendor: 0x1b36, device: 0x000e, revision: 0, slots: 32, express: false },
    ...{ bar: { bytes: 256, is64: true }, port: { at: 0x48, flags: PORT_FLAGS(7, 0) }, hotPlug: 0x40 },
    ...{ powerAt: 0x84, msiAt: 0x8c },
  },
  'x3130-upstream': {
    ...{ vendor: 0x104c, device: 0x8232, revision: 2, slots: 32, express: true },
    ...{ msiAt: 0x70, port: { at: 0x90, flags: PORT_FLAGS(5, 0) } },
  },
  'xio3130-downstream': {
    ...{ vendor: 0x104c, device: 0x8233, revision: 1, slots: 1, express: true },
    ...{ msiAt: 0x70, port: { at: 0x90, flags: PORT_FLAGS(6, PCIE_SLOT) } },
  },
};

/** What the firmware keeps free behind a port for cards that come later: bus numbers, and bytes in its windows. */
export interface Reserve {
  buses?: number;
  io?: number;
  memory?: number;
  prefetchable?: number;
}

const CLASS_BRIDGE = 0x060400;
const CAPABILITY_EXPRESS = 0x10;
const CAPABILITY_HOT_PLUG = 0x0c;
const CAPABILITY_SUBSYSTEM = 0x0d;
const CAPABILITY_SLOT_ID = 0x04;
const CAPABILITY_POWER = 0x01;
export const EXPRESS_FLAGS = 2;

const PREFETCHABLE_64 = 0x01;

/** An inclusive range of addresses; empty if the end is below the start. */
export interface Range {
  start: number;
  end: number;
}

export class PciBridge extends PciFunction {
  readonly secondary: PciBus;
  readonly model: BridgeModel;
  readonly reserve: Reserve;
  readonly hotPlug: boolean;
  readonly expressPort: boolean;
  /** Of a port that has one. */
  readonly slot: ExpressSlot | undefined;
  /** Of a bridge that has such slots. */
  readonly slots: StandardSlots | undefined;
  private readonly msix: Msix | undefined;
  private readonly msi: Msi | undefined;

  constructor(model: BridgeModel = 'pci-bridge', reserve: Reserve = {}) {
    const identity = IDENTITIES[model];
    super(identity.vendor, identity.device, CLASS_BRIDGE, identity.revision, identity.port !== undefined);
    this.model = model;
    this.reserve = reserve;
    this.secondary = new PciBus(identity.slots, identity.express, this);
    this.expressPort = identity.port !== undefined;
    this.hotPlug =
      (identity.port?.flags ?? 0) & PCIE_SLOT ? true : !this.expressPort && identity.hotPlug !== undefined;
    const space = this.config;
    space.set32(config.SUBSYSTEM_VENDOR_ID, 0); // other registers are there in this header
    space.set8(config.HEADER_TYPE, config.HEADER_BRIDGE);
    for (const at of [config.PRIMARY_BUS, config.SECONDARY_BUS, config.SUBORDINATE_BUS, 0x1b])
      space.writable[at] = 0xff;
    for (const at of [config.IO_BASE, config.IO_LIMIT]) {
      space.set8(at, 0);
      space.writable[at] = 0xf0;
    }
    for (const at of [config.MEMORY_BASE, config.MEMORY_LIMIT]) space.setWritable(at, 0xfff0, 2);
    for (const at of [config.PREFETCHABLE_BASE, config.PREFETCHABLE_LIMIT]) {
      space.set16(at, PREFETCHABLE_64);
      space.setWritable(at, 0xfff0, 2);
    }
    for (const at of [config.PREFETCHABLE_BASE_UPPER, config.PREFETCHABLE_LIMIT_UPPER])
      space.setWritable(at, 0xffff_ffff, 4);
    if (identity.subsystemAt)
      space.addCapability(CAPABILITY_SUBSYSTEM, [0, 0, 0x36, 0x1b, 0, 0], identity.subsystemAt);
    if (identity.vectors) {
      this.msix = new Msix(this, identity.vectors, 0);
      space.bytes[config.INTERRUPT_PIN] = 1;
    }
    if (identity.hotPlug) {
      space.bytes[config.INTERRUPT_PIN] = 1;
      space.addCapability(CAPABILITY_HOT_PLUG, new Uint8Array(6), identity.hotPlug);
      this.slots = new StandardSlots(
        (device) => this.eject(device),
        (asked) => this.notify(asked),
      );
    }
    if (identity.bar) this.addBar(0, { ...identity.bar, registers: this.slots ?? NO_REGISTERS });
    if (identity.slotIdAt) space.addCapability(CAPABILITY_SLOT_ID, [0, 0], identity.slotIdAt);
    if (identity.msiAt && !identity.hotPlug) this.msi = new Msi(this, identity.msiAt);
    if (identity.port) {
      const body = new Uint8Array(58);
      body[0] = identity.port.flags & 0xff;
      body[1] = identity.port.flags >> 8;
      space.addCapability(CAPABILITY_EXPRESS, body, identity.port.at);
      if (identity.port.flags & PCIE_SLOT)
        this.slot = new ExpressSlot(
          space,
          identity.port.at,
          () => this.eject(0),
          (asked) => this.notify(asked),
        );
    }
    if (identity.powerAt) space.addCapability(CAPABILITY_POWER, new Uint8Array(6), identity.powerAt);
    if (identity.msiAt && identity.hotPlug) this.msi = new Msi(this, identity.msiAt, true);
  }

  /** Whether configuration requests reach what is behind it. */
  get passes(): boolean {
    return this.slot?.powered ?? true;
  }

  override writeConfig(offset: number, width: Width, value: number): void {
    const before = this.slot?.control ?? 0;
    super.writeConfig(offset, width, value);
    this.msix?.updated();
    this.slot?.written(offset, width, before);
    if (this.slot !== undefined && this.slot.control !== before) this.system.remap();
  }

  private eject(device: number): void {
    for (const fn of [...this.secondary.present()]) if (fn.location!.slot === device) this.system.remove(fn);
  }

  private notify(asked: boolean): void {
    const byMessage = this.msix?.enabled || this.msi?.enabled;
    if (!byMessage) this.setIntx(asked);
    else if (asked && this.msix?.enabled) this.msix.notify(0);
    else if (asked) this.msi?.notify();
  }

  get secondaryBus(): number {
    return this.config.bytes[config.SECONDARY_BUS];
  }

  get subordinateBus(): number {
    return this.config.bytes[config.SUBORDINATE_BUS];
  }

  /** What passes to the secondary bus: nothing while the command register says so. */
  get ioWindow(): Range {
    if ((this.command & config.COMMAND_IO) === 0) return EMPTY;
    const base = this.config.bytes[config.IO_BASE];
    const limit = this.config.bytes[config.IO_LIMIT];
    return { start: (base & 0xf0) << 8, end: ((limit & 0xf0) << 8) | 0xfff };
  }

  get memoryWindow(): Range {
    if ((this.command & config.COMMAND_MEMORY) === 0) return EMPTY;
    return {
      start: (this.config.get16(config.MEMORY_BASE) & 0xfff0) * 2 ** 16,
      end: (this.config.get16(config.MEMORY_LIMIT) & 0xfff0) * 2 ** 16 + 0xf_ffff,
    };
  }

  get prefetchableWindow(): Range {
    if ((this.command & config.COMMAND_MEMORY) === 0) return EMPTY;
    const at = (low: number, upper: number) =>
      this.config.get32(upper) * 2 ** 32 + (this.config.get16(low) & 0xfff0) * 2 ** 16;
    return {
      start: at(config.PREFETCHABLE_BASE, config.PREFETCHABLE_BASE_UPPER),
      end: at(config.PREFETCHABLE_LIMIT, config.PREFETCHABLE_LIMIT_UPPER) + 0xf_ffff,
    };
  }

  protected override decoders(): string {
    const windows = [this.ioWindow, this.memoryWindow, this.prefetchableWindow];
    return `${super.decoders()} ${windows.map((w) => `${w.start}-${w.end}`).join(' ')}`;
  }
}

const EMPTY: Range = { start: 1, end: 0 };
