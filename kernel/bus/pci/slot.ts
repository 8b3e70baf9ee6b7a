// A hot-plug slot of a PCI Express port (PCI Express Base 4.0 §6.7, §7.5.3.9 to §7.5.3.11): tells by an interrupt when a card
// has come or gone, and when somebody pushes the attention button, which asks for the card to be given free, or taken into
// use. A card that may be pulled out has its power off, and its slot's indicator.

import { SpinLock } from '../../lib/lock.ts';
import { log } from '../../lib/log.ts';
import { WORD } from '../../lib/registers.ts';
import { Event } from '../../sched/event.ts';
import { sleep } from '../../sched/scheduler.ts';
import * as clock from '../../time/clock.ts';
import { ID_EXPRESS } from './capability.ts';
import * as config from './config.ts';
import { PciFunction } from './function.ts';
import { PciInterrupt } from './interrupt.ts';

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

/** §6.6.1: from power to the first configuration request, and until it must be answered. */
const READY_NS: u64 = 100_000_000;
const ANSWER_MS_MAX: u32 = 1000;
const POLL_NS: u64 = 1_000_000;

/** Gets to know of cards; by a thread. */
export abstract class SlotUser {
  /** A card answers in `slot` of a bus: false if it cannot be used. */
  abstract plugged(bus: u32, slot: u32): bool;
  /** Nothing in the slot is to be used any more, it is about to go or has gone. */
  abstract unplugging(bus: u32, slot: u32): void;
  /** Whether something in it is known. */
  abstract isOccupied(bus: u32, slot: u32): bool;
}

export class HotplugSlot extends PciInterrupt {
  /** Of these, and of the status register's events. */
  private readonly lock: SpinLock = new SpinLock();
  private pressed: bool = false;
  private changed: bool = false;
  /** Not looked at yet: a card may have come after the bus was scanned. */
  private fresh: bool = true;

  constructor(
    public readonly port: PciFunction,
    /** Of the capability. */
    private readonly at: u32,
    /** Is signalled when serve() has something to do. */
    private readonly event: Event,
  ) {
    super(port);
  }

  /** Has it interrupt; false after a line that says why it cannot. */
  start(): bool {
    const port = this.port;
    if (!this.connect((config.read16(port.address, this.at + FLAGS) >> FLAGS_MESSAGE_SHIFT) & FLAGS_MESSAGE))
      return false;
    this.take();
    this.pressed = this.changed = false; // of the time before
    port.registers.update(WORD | (this.at + SLOT_CONTROL), 0, ON);
    return true;
  }

  /** Nobody asks for it any more. */
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

  /** By a thread: does what is due. */
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
      this.awaitAnswer(bus);
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

  private awaitAnswer(bus: u32): void {
    const first = config.addressOf(bus, 0, 0);
    sleep(READY_NS);
    const deadline = clock.after(ANSWER_MS_MAX);
    while (config.read16(first, config.VENDOR_ID) === config.NO_VENDOR && clock.now() < deadline)
      sleep(POLL_NS);
  }
}

/** A bridge's slot, if it is a port that has one for hot-plug. */
export function findSlot(port: PciFunction, event: Event): HotplugSlot | null {
  if (port.firstBus === 0) return null;
  const list = port.capabilities();
  while (list.next()) {
    if (list.id !== ID_EXPRESS) continue;
    if ((config.read16(port.address, list.offset + FLAGS) & FLAGS_SLOT) === 0) return null;
    const can = config.read32(port.address, list.offset + SLOT_CAPABILITIES);
    if ((can & HAS_HOT_PLUG) === 0) return null;
    port.enable();
    return new HotplugSlot(port, list.offset, event);
  }
  return null;
}
