// A hot-plug slot of a PCI Express port (PCI Express Base 4.0 §6.7, §7.5.3.9 to §7.5.3.11): tells by an interrupt when a card
// has come or gone, and when somebody pushes the attention button, which asks for the card to be given free, or taken into
// use. A card that may be pulled out has its power off, and its slot's indicator.

import { SpinLock } from '../../lib/lock.ts';
import { log } from '../../lib/log.ts';
import { WORD } from '../../lib/registers.ts';
import { Event } from '../../sched/event.ts';
import * as config from './config.ts';
import { PciFunction } from './function.ts';
import { awaitAnswer, SlotController, SlotUser } from './slots.ts';

// The capability.
const FLAGS: u32 = 0x02;
const FLAGS_SLOT: u32 = 1 << 8;
const FLAGS_MESSAGE_SHIFT: u32 = 9;
const FLAGS_MESSAGE: u32 = 0x1f;
const SLOT_CAPABILITIES: u32 = 0x14;
const HAS_POWER_CONTROLLER: u32 = 1 << 1;
const HAS_HOT_PLUG: u32 = 1 << 6;
const SLOT_CONTROL: u32 = 0x18;
const SLOT_STATUS: u32 = 0x1a;

// Slot control.
const ON_BUTTON: u32 = 1 << 0;
const ON_PRESENCE: u32 = 1 << 3;
const ON_EVENTS: u32 = 1 << 5;
const ON: u32 = ON_BUTTON | ON_PRESENCE | ON_EVENTS;
const INDICATOR: u32 = 3 << 8;
const INDICATOR_ON: u32 = 1 << 8;
const INDICATOR_OFF: u32 = 3 << 8;
const POWER_OFF: u32 = 1 << 10;

// Slot status; the first five bits are cleared by ones.
const BUTTON: u32 = 1 << 0;
const PRESENCE_CHANGED: u32 = 1 << 3;
const EVENTS: u32 = 0x1f;
const PRESENT: u32 = 1 << 6;
const GONE: u32 = 0xffff;

export class ExpressSlot extends SlotController {
  /** Of these, and of the status register's events. */
  private readonly lock: SpinLock = new SpinLock();
  private pressed: bool = false;
  private changed: bool = false;
  /** Not looked at yet: a card may have come after the bus was scanned. */
  private fresh: bool = true;

  constructor(
    port: PciFunction,
    /** Of the capability. */
    private readonly at: u32,
    /** Is signalled when serve() has something to do. */
    private readonly event: Event,
  ) {
    super(port);
  }

  start(): bool {
    const port = this.port;
    if (!this.connect((config.read16(port.address, this.at + FLAGS) >> FLAGS_MESSAGE_SHIFT) & FLAGS_MESSAGE))
      return false;
    this.take();
    this.pressed = this.changed = false; // of the time before
    port.registers.update(WORD | (this.at + SLOT_CONTROL), 0, ON);
    return true;
  }

  stop(): void {
    this.port.registers.update(WORD | (this.at + SLOT_CONTROL), ON, 0);
    this.close();
  }

  /** §6.7.3.4: another interrupt comes when all events have been cleared. */
  serve(_vector: u32): bool {
    const events = this.take();
    if (events !== 0) this.event.signal();
    return events !== 0;
  }

  look(user: SlotUser): void {
    const bus = this.port.firstBus;
    const flags = this.lock.acquireIrq();
    // With the events that belong to it: one that came later would ask for what has been done already.
    const status = this.takeEvents();
    const pressed = this.pressed;
    const changed = this.changed;
    this.pressed = false;
    this.changed = false;
    const fresh = this.fresh;
    this.fresh = false;
    this.lock.releaseIrq(flags);
    const present = (status & PRESENT) !== 0;
    const occupied = user.isOccupied(bus, 0);
    // Without an event absence means nothing: QEMU does not tell of presence where ACPI has the slots.
    if (occupied && (pressed || (changed && !present))) {
      log('pci')
        .text(this.port.name)
        .text(present ? ': the card is to be given free' : ': the card has gone')
        .end();
      user.unplugging(bus, 0);
      this.setPower(false);
    } else if (!occupied && present && (pressed || changed || fresh)) {
      log('pci').text(this.port.name).text(': there is a card').end();
      this.setPower(true);
      awaitAnswer(bus, 0);
      if (!user.plugged(bus, 0)) this.setPower(false);
    }
  }

  /** The events since the last time. */
  private take(): u32 {
    const flags = this.lock.acquireIrq();
    const status = this.takeEvents();
    this.lock.releaseIrq(flags);
    return status === GONE ? 0 : status & (BUTTON | PRESENCE_CHANGED);
  }

  /** With the lock held: notes and clears them; the status as it was. */
  private takeEvents(): u32 {
    const status: u32 = config.read16(this.port.address, this.at + SLOT_STATUS);
    const events = status === GONE ? 0 : status & EVENTS;
    if (events !== 0) config.write16(this.port.address, this.at + SLOT_STATUS, events);
    if (events & BUTTON) this.pressed = true;
    if (events & PRESENCE_CHANGED) this.changed = true;
    return status;
  }

  private setPower(on: bool): void {
    if ((config.read32(this.port.address, this.at + SLOT_CAPABILITIES) & HAS_POWER_CONTROLLER) === 0) return;
    const power = on ? INDICATOR_ON : POWER_OFF | INDICATOR_OFF;
    this.port.registers.update(WORD | (this.at + SLOT_CONTROL), POWER_OFF | INDICATOR, power);
  }
}

/** The slot of a port, by its PCI Express capability; null: it has none in which cards come and go. */
export function findExpressSlot(port: PciFunction, at: u32, event: Event): SlotController | null {
  if ((config.read16(port.address, at + FLAGS) & FLAGS_SLOT) === 0) return null;
  if ((config.read32(port.address, at + SLOT_CAPABILITIES) & HAS_HOT_PLUG) === 0) return null;
  port.enable();
  return new ExpressSlot(port, at, event);
}
