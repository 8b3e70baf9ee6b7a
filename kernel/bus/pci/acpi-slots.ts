// Slots in which cards come and go by ACPI, as QEMU's pc and q35 have them unless they are told otherwise
// (docs/specs/acpi_pci_hotplug in its manual): one block of ports for all, which shows the slots of the bus that was selected.

import { EventBlock, findEvents, HotplugBuses } from '../../acpi/hotplug.ts';
import { madt, POLARITY, POLARITY_HIGH } from '../../acpi/madt.ts';
import { connect, LineUser } from '../../irq/line.ts';
import { Event } from '../../sched/event.ts';
import * as x86 from '../../x86.ts';
import { LONG, Register, Window } from '../window.ts';
import * as config from './config.ts';
import { I440FX, Q35_MCH } from './intx.ts';
import { functionAt } from './scan.ts';
import { SlotUser, tell } from './slots.ts';

const PORTS_PC: u32 = 0xae00;
const PORTS_Q35: u32 = 0x0cc0;
const PORTS: u32 = 0x14;

// One bit a slot.
const ADDED: Register = LONG | 0x00;
const REMOVING: Register = LONG | 0x04;
const EJECT: Register = LONG | 0x08;
const BUS: Register = LONG | 0x10;
const NOTHING: u32 = 0xffff_ffff;
const SLOTS: u32 = 32;
const NO_BUS: u32 = 0xffff;

/** Of the general-purpose events. */
const CARDS: u32 = 1 << 1;

export class AcpiSlots extends LineUser {
  constructor(
    private readonly registers: Window,
    private readonly events: EventBlock,
    private readonly event: Event,
  ) {
    super();
  }

  /** The interrupt's: the event is cleared, so that the next one interrupts again. */
  serve(_vector: u32): bool {
    if ((x86.in8(this.events.status) & CARDS) === 0) return false;
    x86.out8(this.events.status, CARDS);
    this.event.signal();
    return true;
  }

  /** False after a line that says why it cannot be watched. */
  start(): bool {
    const irq = this.events.interrupt;
    const told = madt.isaOverride(irq);
    const gsi = told === null ? irq : told.gsi;
    const high = told !== null && (told.flags & POLARITY) === POLARITY_HIGH;
    if (connect('acpi', gsi, !high, this) === null) return false;
    x86.out8(this.events.enable, x86.in8(this.events.enable) | CARDS);
    return true;
  }

  /** By a thread: does what is due. */
  look(user: SlotUser): void {
    const buses = new HotplugBuses();
    while (buses.next()) {
      const bus = busOf(buses);
      if (bus === NO_BUS) continue;
      this.registers.write(BUS, buses.number);
      const removing = this.registers.read(REMOVING);
      const added = this.registers.read(ADDED);
      for (let slot: u32 = 0; slot < SLOTS; slot++) {
        if ((removing >> slot) & 1) this.remove(user, bus, slot);
        if ((added >> slot) & 1 && !user.isOccupied(bus, slot)) {
          tell(bus, slot, ': there is a card');
          user.plugged(bus, slot);
        }
      }
    }
  }

  /** Whether a bus has such slots. */
  has(bus: u32): bool {
    const buses = new HotplugBuses();
    while (buses.next()) if (busOf(buses) === bus) return true;
    return false;
  }

  private remove(user: SlotUser, bus: u32, slot: u32): void {
    tell(bus, slot, ': the card is to be given free');
    user.unplugging(bus, slot);
    this.registers.write(EJECT, 1 << slot);
  }
}

/** The bus to which the bridges lead; NO_BUS: they are not there. */
function busOf(buses: HotplugBuses): u32 {
  let bus: u32 = 0;
  for (let i: u32 = 0; i < buses.depth; i++) {
    const step = buses.step(i);
    const bridge = functionAt(config.addressOf(bus, step >> 16, step & 7));
    if (bridge === null || bridge.firstBus === 0) return NO_BUS;
    bus = bridge.firstBus;
  }
  return bus;
}

/** Null: the machine has none. */
export function findAcpiSlots(event: Event): AcpiSlots | null {
  const chipset = config.read32(config.addressOf(0, 0, 0), config.VENDOR_ID);
  if (chipset !== I440FX && chipset !== Q35_MCH) return null;
  const registers = new Window(chipset === I440FX ? PORTS_PC : PORTS_Q35, PORTS, true);
  if (registers.read(BUS) === NOTHING) return null;
  const events = findEvents();
  return events.status === 0 ? null : new AcpiSlots(registers, events, event);
}
