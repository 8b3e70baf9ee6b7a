// Cards that come and go while the machine runs: a thread gives them to their drivers, and takes them away.

import { AcpiSlots, findAcpiSlots } from '../bus/pci/acpi-slots.ts';
import { forgetFunction, placeFunction } from '../bus/pci/assign.ts';
import { PciFunction } from '../bus/pci/function.ts';
import { addSlot, functions } from '../bus/pci/scan.ts';
import { findSlot, HotplugSlot, SlotUser } from '../bus/pci/slot.ts';
import { makeIn, newArena } from '../mm/objects.ts';
import { Event } from '../sched/event.ts';
import * as scheduler from '../sched/scheduler.ts';
import { NEVER, Program } from '../sched/thread.ts';
import { attachFunction, detachFunction } from './table.ts';

class Cards extends SlotUser {
  plugged(bus: u32, slot: u32): bool {
    const added = addSlot(bus, slot);
    for (let i = 0; i < added.length; i++) placeFunction(added[i]);
    for (let i = 0; i < added.length; i++) attachFunction(added[i]);
    return added.length > 0;
  }

  unplugging(bus: u32, slot: u32): void {
    for (let i = functions.count; i > 0; i--) {
      const fn = functions.at(i - 1);
      if (isBehind(fn, bus, slot)) remove(fn);
    }
  }

  isOccupied(bus: u32, slot: u32): bool {
    for (let i: u32 = 0; i < functions.count; i++) if (isBehind(functions.at(i), bus, slot)) return true;
    return false;
  }
}

/** In the slot, or behind a bridge in it. */
function isBehind(fn: PciFunction, bus: u32, slot: u32): bool {
  for (let at: PciFunction | null = fn; at !== null; at = at.bridge)
    if (at.bus === bus && at.slot === slot) return true;
  return false;
}

function remove(fn: PciFunction): void {
  detachFunction(fn);
  forgetFunction(fn);
  functions.remove(fn);
  fn.forget();
}

class HotplugProgram extends Program {
  readonly event: Event = new Event();
  readonly slots: Array<HotplugSlot> = [];
  /** Null: ACPI has no slots. */
  acpi: AcpiSlots | null = null;
  private readonly cards: Cards = new Cards();

  run(): void {
    for (;;) {
      this.event.wait(NEVER);
      this.event.reset(); // before a look at what has happened
      functions.mutex.acquire();
      const work = newArena();
      const before = makeIn(work);
      this.look();
      makeIn(before);
      work.free();
      functions.mutex.release();
      scheduler.yieldCpu();
    }
  }

  private look(): void {
    for (let i = 0; i < this.slots.length; i++) this.slots[i].look(this.cards);
    const acpi = this.acpi;
    if (acpi !== null) acpi.look(this.cards);
  }
}

/** After all drivers have their devices. */
export function watchSlots(): void {
  const program = new HotplugProgram();
  for (let i: u32 = 0; i < functions.count; i++) {
    const slot = findSlot(functions.at(i), program.event);
    if (slot !== null && slot.start()) program.slots.push(slot);
  }
  const acpi = findAcpiSlots(program.event);
  if (acpi !== null && acpi.start()) program.acpi = acpi;
  if (program.slots.length === 0 && program.acpi === null) return;
  program.event.signal(); // a card may have come meanwhile
  scheduler.create('hotplug', program, 0);
}
