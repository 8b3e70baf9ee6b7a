// Slots in which cards come and go by ACPI, as QEMU 7.2's hw/acpi/pcihp.c has them: a block of ports that shows the slots of the
// bus that was selected, and a general-purpose event (ACPI 6.4 §4.8.4.1) that announces a change.

import type { AddressSpace, Registers, Width } from '../bus/space.ts';
import type { PciBus } from './bus.ts';

const PORTS = { pc: 0xae00, q35: 0x0cc0 } as const;
const PORTS_BYTES = 0x14;
/** The FADT's GPE0 block. */
export const GPE0 = { pc: { port: 0xafe0, bytes: 4 }, q35: { port: 0x0620, bytes: 16 } } as const;
const CARDS = 1 << 1;

const ADDED = 0x00;
const REMOVING = 0x04;
const EJECT = 0x08;
const REMOVABLE = 0x0c;
const BUS = 0x10;

interface Slots {
  added: number;
  removing: number;
}

export class AcpiSlots implements Registers {
  /** By their numbers, BSEL. */
  readonly buses: PciBus[] = [];
  private readonly slots = new Map<PciBus, Slots>();
  private readonly eject: (bus: PciBus, slot: number) => void;
  private readonly setLine: (high: boolean) => void;
  private selected = 0;
  private status = 0;
  private enable = 0;

  constructor(
    ports: AddressSpace,
    machine: 'pc' | 'q35',
    eject: (bus: PciBus, slot: number) => void,
    setLine: (high: boolean) => void,
  ) {
    this.eject = eject;
    this.setLine = setLine;
    ports.map(PORTS[machine], PORTS_BYTES, this);
    const { port, bytes } = GPE0[machine];
    ports.map(port, bytes, {
      read: (offset) => (offset === 0 ? this.status : offset === bytes / 2 ? this.enable : 0),
      write: (offset, _width, value) => {
        if (offset === 0) this.status &= ~value;
        if (offset === bytes / 2) this.enable = value;
        this.update();
      },
    });
  }

  /** A card has been put into a slot. */
  plug(bus: PciBus, slot: number): void {
    this.of(bus).added |= 1 << slot;
    this.announce();
  }

  /** A card is to be given free. */
  request(bus: PciBus, slot: number): void {
    this.of(bus).removing |= 1 << slot;
    this.announce();
  }

  read(offset: number, _width: Width): number {
    if (offset === BUS) return this.selected;
    const bus = this.buses[this.selected];
    if (bus === undefined) return 0;
    const slots = this.of(bus);
    if (offset === ADDED) {
      const { added } = slots;
      slots.added = 0;
      return added >>> 0;
    }
    if (offset === REMOVING) return slots.removing >>> 0;
    return offset === REMOVABLE ? 0xffff_ffff : 0;
  }

  write(offset: number, _width: Width, value: number): void {
    if (offset === BUS) this.selected = value;
    const bus = this.buses[this.selected];
    if (offset !== EJECT || bus === undefined || value === 0) return;
    const slot = 31 - Math.clz32(value & -value);
    this.of(bus).removing &= ~(1 << slot);
    this.eject(bus, slot);
  }

  private of(bus: PciBus): Slots {
    const slots = this.slots.get(bus) ?? { added: 0, removing: 0 };
    this.slots.set(bus, slots);
    return slots;
  }

  private announce(): void {
    this.status |= CARDS;
    this.update();
  }

  private update(): void {
    this.setLine((this.status & this.enable) !== 0);
  }
}
