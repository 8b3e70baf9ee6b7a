// The hot-plug slot of a PCI Express port (PCI Express Base 4.0 §7.5.3.9 to §7.5.3.11), as QEMU 7.2's hw/pci/pcie.c does it:
// presence, the attention button, power, and the interrupt that tells of them.

import type { Width } from '../bus/space.ts';
import type { ConfigSpace } from './config.ts';

const CAPABILITIES = 0x14;
const CONTROL = 0x18;
const STATUS = 0x1a;

/** Button, power controller, both indicators, surprise removal, hot-plug; an interlock. */
const CAN = 0x0002_007b;
const CONTROL_WRITABLE = 0x07f9;
const CONTROL_EVENTS = 1 << 5;
const POWER_OFF = 1 << 10;
const INDICATOR = 3 << 8;
const EMPTY = 0x07c0; // power and indicators off
const FILLED = 0x01c0; // power and its indicator on

const BUTTON = 1 << 0;
const PRESENCE_CHANGED = 1 << 3;
const COMMAND_COMPLETED = 1 << 4;
const EVENTS = 0x1f;
const PRESENT = 1 << 6;

export class ExpressSlot {
  private readonly space: ConfigSpace;
  private readonly at: number;
  /** Empties the slot: the card may be pulled out now. */
  private readonly eject: () => void;
  /** Interrupts, or no longer. */
  private readonly notify: (asked: boolean) => void;
  private asked = false;

  /** `at`: the port's capability. */
  constructor(space: ConfigSpace, at: number, eject: () => void, notify: (asked: boolean) => void) {
    this.space = space;
    this.at = at;
    this.eject = eject;
    this.notify = notify;
    space.set32(at + CAPABILITIES, CAN);
    space.set16(at + CONTROL, EMPTY);
    space.setWritable(at + CONTROL, CONTROL_WRITABLE, 2);
    space.clearable[at + STATUS] = EVENTS;
  }

  get powered(): boolean {
    return (this.control & POWER_OFF) === 0;
  }

  /** A card is there from the beginning. */
  fill(): void {
    this.space.set16(this.at + CONTROL, FILLED);
    this.setStatus(PRESENT);
  }

  /** A card has been plugged in, and the button pushed. */
  plug(): void {
    this.setStatus(this.status | PRESENT | PRESENCE_CHANGED | BUTTON);
    this.update();
  }

  push(): void {
    this.setStatus(this.status | BUTTON);
    this.update();
  }

  /** The card has been pulled out. */
  pull(): void {
    this.setStatus((this.status & ~PRESENT) | PRESENCE_CHANGED);
    this.update();
  }

  /** A write to configuration space; what `control` was before. */
  written(offset: number, width: Width, before: number): void {
    const first = this.at + CONTROL;
    if (offset + width <= first || offset >= first + 4) return;
    if (offset < first + 2) {
      const free = (control: number) => (control & POWER_OFF) !== 0 && (control & INDICATOR) === INDICATOR;
      if ((this.status & PRESENT) !== 0 && free(this.control) && !free(before)) {
        this.eject();
        this.setStatus((this.status & ~PRESENT) | PRESENCE_CHANGED);
      }
      this.setStatus(this.status | COMMAND_COMPLETED);
    }
    this.update();
  }

  get control(): number {
    return this.space.get16(this.at + CONTROL);
  }

  private get status(): number {
    return this.space.get16(this.at + STATUS);
  }

  private setStatus(value: number): void {
    this.space.set16(this.at + STATUS, value);
  }

  private update(): void {
    const asked = (this.control & CONTROL_EVENTS) !== 0 && (this.status & this.control & EVENTS) !== 0;
    if (asked === this.asked) return;
    this.asked = asked;
    this.notify(asked);
  }
}
