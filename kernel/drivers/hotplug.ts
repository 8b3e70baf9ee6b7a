// Cards that come and go while the machine runs: a thread gives them to their drivers, and takes them away. A card may be a
// bridge, with more behind it, and with slots of its own.

import { discard } from '../bus/attachment.ts';
import { AcpiSlots, findAcpiSlots } from '../bus/pci/acpi-slots.ts';
import { forgetFunction, placeFunctions } from '../bus/pci/assign.ts';
import { ID_EXPRESS, ID_STANDARD_HOT_PLUG } from '../bus/pci/capability.ts';
import { PciFunction } from '../bus/pci/function.ts';
import { addSlot, functions, removeFunction } from '../bus/pci/scan.ts';
import { findStandardSlots } from '../bus/pci/shpc.ts';
import { findExpressSlot } from '../bus/pci/slot.ts';
import { SlotController, SlotUser } from '../bus/pci/slots.ts';
import { makeIn, newArena } from '../mm/objects.ts';
import { Event } from '../sched/event.ts';
import * as scheduler from '../sched/scheduler.ts';
import { NEVER, Program } from '../sched/thread.ts';
import { attachFunction, detachFunction } from './table.ts';

class Cards extends SlotUser {
  /** Signalled when there is something to do. */
  readonly event: Event = new Event();
  /** A port before those behind it. */
  readonly slots: Array<SlotController> = [];
  /** Null: ACPI has no slots. */
  acpi: AcpiSlots | null = null;

  plugged(bus: u32, slot: u32): bool {
    const added = addSlot(bus, slot);
    placeFunctions(added);
    for (let i = 0; i < added.length; i++) attachFunction(added[i]);
    for (let i = 0; i < added.length; i++) this.watch(added[i], true);
    return added.length > 0;
  }

  unplugging(bus: u32, slot: u32): void {
    for (let i = functions.count; i > 0; i--) {
      const fn = functions.at(i - 1);
      if (isBehind(fn, bus, slot)) this.remove(fn);
    }
  }

  isOccupied(bus: u32, slot: u32): bool {
    for (let i: u32 = 0; i < functions.count; i++) if (isBehind(functions.at(i), bus, slot)) return true;
    return false;
  }

  /** A function's slots, if it is a bridge that has some; `come`: after the firmware wrote ACPI's tables. */
  watch(port: PciFunction, come: bool): void {
    if (port.firstBus === 0) return;
    const before = makeIn(port.arena);
    const slots = this.find(port, come);
    const started = slots !== null && slots.start();
    makeIn(null); // the list outlives it
    if (started) this.slots.push(slots!);
    makeIn(before);
  }

  private find(port: PciFunction, come: bool): SlotController | null {
    const list = port.capabilities();
    while (list.next()) {
      if (list.id === ID_EXPRESS) {
        const slot = findExpressSlot(port, list.offset, this.event);
        if (slot !== null) return slot;
      }
      if (list.id !== ID_STANDARD_HOT_PLUG) continue;
      const acpi = this.acpi; // which has taken them over then
      if (!come && acpi !== null && acpi.has(port.firstBus)) return null;
      return findStandardSlots(port, list.offset, this.event);
    }
    return null;
  }

  private remove(fn: PciFunction): void {
    for (let i = this.slots.length - 1; i >= 0; i--) {
      if (this.slots[i].port !== fn) continue;
      this.slots[i].stop();
      this.slots.splice(i, 1);
    }
    detachFunction(fn);
    forgetFunction(fn);
    removeFunction(fn);
    discard(fn.arena!);
  }
}

/** In the slot, or behind a bridge in it. */
function isBehind(fn: PciFunction, bus: u32, slot: u32): bool {
  for (let at: PciFunction | null = fn; at !== null; at = at.bridge)
    if (at.bus === bus && at.slot === slot) return true;
  return false;
}

class HotplugProgram extends Program {
  readonly cards: Cards = new Cards();

  run(): void {
    const cards = this.cards;
    for (;;) {
      cards.event.wait(NEVER);
      cards.event.reset(); // before a look at what has happened
      functions.mutex.acquire();
      const work = newArena();
      const before = makeIn(work);
      this.look(cards);
      makeIn(before);
      work.free();
      functions.mutex.release();
      scheduler.yieldCpu();
    }
  }

  /** Slots that come with a card are looked at too. */
  private look(cards: Cards): void {
    const acpi = cards.acpi;
    if (acpi !== null) acpi.look(cards);
    for (let i = 0; i < cards.slots.length; i++) cards.slots[i].look(cards);
  }
}

/** After all drivers have their devices. */
export function watchSlots(): void {
  const program = new HotplugProgram();
  const cards = program.cards;
  const acpi = findAcpiSlots(cards.event);
  if (acpi !== null && acpi.start()) cards.acpi = acpi;
  for (let i: u32 = 0; i < functions.count; i++) cards.watch(functions.at(i), false);
  if (cards.slots.length === 0 && cards.acpi === null) return;
  // A card may have come to a port meanwhile; ACPI's event interrupts for one that came before.
  if (cards.slots.length > 0) cards.event.signal();
  scheduler.create('hotplug', program, 0);
}
