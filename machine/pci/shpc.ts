// The standard hot-plug controller of a PCI bridge (PCI Standard Hot-Plug Controller and Subsystem Specification 1.0), as QEMU 7.2's
// hw/pci/shpc.c has it: slots from device 1 on, each with a button, presence and power, and the interrupt that tells of them.

import type { Registers, Width } from '../bus/space.ts';

const SLOTS = 31;
const FIRST = 1;

const CONFIGURATION = 0x0c;
const COMMAND = 0x14;
const LOCATOR = 0x18;
const CONTROL = 0x20;
const SLOT = 0x24;

/** Switched off by ones: interrupts, of commands too, and system errors. */
const CONTROL_OFF = 0xf;
const INTERRUPTS_OFF = 1 << 0;

// A slot's status, and its events.
const STATE = 0x3;
const POWER_LED_SHIFT = 2;
const LED = 0x3;
const ENABLED = 2;
const DISABLED = 3;
const LED_ON = 1;
const LED_OFF = 3;
const OPEN_AND_EMPTY = 0xd00;
const NOTHING = OPEN_AND_EMPTY | (LED_OFF << POWER_LED_SHIFT) | DISABLED;
const IN_USE = (LED_ON << POWER_LED_SHIFT) | ENABLED;
const PRESENCE = 1 << 0;
const BUTTON = 1 << 2;
const LATCH = 1 << 3;
const EVENTS = 0x1f;
const EVENTS_OFF = 0x7f;

interface Slot {
  status: number;
  events: number;
  off: number;
}

export class StandardSlots implements Registers {
  private readonly slots: Slot[] = Array.from({ length: SLOTS }, () => ({
    ...{ status: NOTHING, events: 0, off: EVENTS_OFF },
  }));
  /** Empties a slot. */
  private readonly eject: (device: number) => void;
  /** Interrupts, or no longer. */
  private readonly notify: (asked: boolean) => void;
  private control = CONTROL_OFF;
  private command = 0;
  private asked = false;

  constructor(eject: (device: number) => void, notify: (asked: boolean) => void) {
    this.eject = eject;
    this.notify = notify;
  }

  /** A card is there from the beginning. */
  fill(device: number): void {
    this.change(device, 0, () => IN_USE);
  }

  /** A card has been plugged in, and the button pushed. */
  plug(device: number): void {
    this.change(device, BUTTON | LATCH | PRESENCE, (status) => status & ~OPEN_AND_EMPTY);
  }

  /** A card is to be given free; at once, if its slot has never been switched on. */
  request(device: number): void {
    const slot = this.slots[device - FIRST];
    if (slot !== undefined && (slot.status & ~OPEN_AND_EMPTY) === (NOTHING & ~OPEN_AND_EMPTY))
      this.free(device);
    else this.change(device, BUTTON, (status) => status);
  }

  /** A card has been pulled out. */
  pull(device: number): void {
    this.change(device, PRESENCE, (status) => status | OPEN_AND_EMPTY);
  }

  read(offset: number, _width: Width): number {
    if (offset === CONFIGURATION) return SLOTS | (FIRST << 8);
    if (offset === COMMAND) return this.command;
    if (offset === LOCATOR) return this.locator;
    if (offset === CONTROL) return this.control;
    const slot = this.slots[(offset - SLOT) / 4];
    return slot === undefined ? 0 : (slot.status | (slot.events << 16) | (slot.off << 24)) >>> 0;
  }

  write(offset: number, _width: Width, value: number): void {
    const slot = this.slots[(offset - SLOT) / 4];
    if (offset === CONTROL) this.control = value & CONTROL_OFF;
    if (offset === COMMAND) this.execute(value & 0xffff);
    if (slot !== undefined) {
      slot.events &= ~((value >>> 16) & EVENTS);
      slot.off = (value >>> 24) & EVENTS_OFF;
    }
    this.update();
  }

  private execute(command: number): void {
    this.command = command;
    const device = (command >> 8) - 1 + FIRST;
    const slot = this.slots[device - FIRST];
    if (slot === undefined || (command & 0xff) > 0x3f) return;
    const before = slot.status & STATE;
    const led = (command >> POWER_LED_SHIFT) & LED;
    if (led !== 0) slot.status = (slot.status & ~(LED << POWER_LED_SHIFT)) | (led << POWER_LED_SHIFT);
    if ((command & STATE) !== 0) slot.status = (slot.status & ~STATE) | (command & STATE);
    if (before !== DISABLED && (command & STATE) === DISABLED && led === LED_OFF) this.free(device);
  }

  private free(device: number): void {
    this.eject(device);
    this.change(device, LATCH | PRESENCE, (status) => status | OPEN_AND_EMPTY);
  }

  private change(device: number, events: number, alter: (status: number) => number): void {
    const slot = this.slots[device - FIRST];
    if (slot === undefined) return;
    slot.status = alter(slot.status);
    slot.events |= events;
    this.update();
  }

  private get locator(): number {
    return (
      this.slots.reduce((all, { events, off }, i) => (events & ~off ? all | (1 << (i + 1)) : all), 0) >>> 0
    );
  }

  private update(): void {
    const asked = (this.control & INTERRUPTS_OFF) === 0 && this.locator !== 0;
    if (asked === this.asked) return;
    this.asked = asked;
    this.notify(asked);
  }
}
