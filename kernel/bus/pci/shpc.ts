// The standard hot-plug controller of a PCI bridge (PCI Standard Hot-Plug Controller and Subsystem Specification 1.0): tells by an
// interrupt when a card has come or gone, and when somebody pushes the button of a slot, and switches the slots' power. Its
// registers are in BAR 0; the capability shows them too, but QEMU 7.2 takes no writes there.

import { log } from '../../lib/log.ts';
import { PAGE } from '../../mm/layout.ts';
import { Event } from '../../sched/event.ts';
import { sleep } from '../../sched/scheduler.ts';
import { LONG, Register, Window } from '../window.ts';
import * as config from './config.ts';
import { PciFunction } from './function.ts';
import { awaitAnswer, SlotController, SlotUser, tell } from './slots.ts';

// The capability: which register it shows, and that register.
const SELECT: u32 = 2;
const DATA: u32 = 4;

// Registers (§4.5 to §4.9).
const SLOTS: Register = LONG | 0x0c;
const NUMBER: u32 = 31; // of slots, and, in the second byte, of the device in the first one
const COMMAND: Register = LONG | 0x14;
const BUSY: u32 = 1 << 16;
const LOCATOR: Register = LONG | 0x18; // who interrupts
const CONTROL: Register = LONG | 0x20;
const SLOT: Register = LONG | 0x24; // the first; each takes 4 bytes
const REGISTERS_BYTES: u32 = 0x24 + NUMBER * 4;
const GONE: u32 = 0xffff_ffff;

// Control: interrupts and system errors are switched off by ones.
const ALL_OFF: u32 = 0xf;
const SLOTS_ON: u32 = 0xe;

// A slot's register: status, events that ones clear, and events that do not interrupt.
const EMPTY: u32 = 3 << 10;
const PRESENCE_CHANGED: u32 = 1 << 16;
const BUTTON: u32 = 1 << 18;
const EVENTS: u32 = 0x1f << 16;
const OTHERS_OFF: u32 = 0x7a << 24;

// Commands (§4.7): power and indicators; the first slot is number 1.
const ENABLE: u32 = 0x36;
const DISABLE: u32 = 0x3f;
const TARGET_SHIFT: u32 = 8;
const POLLS_MAX: u32 = 1000;
const POLL_NS: u64 = 1_000_000;

const DEVICES: u32 = 32;

export class StandardSlots extends SlotController {
  private count: u32 = 0;
  /** The device number of the first. */
  private first: u32 = 0;
  /** Not looked at yet. */
  private fresh: bool = true;

  constructor(
    port: PciFunction,
    private readonly registers: Window,
    /** Is signalled when there is something to do. */
    private readonly event: Event,
  ) {
    super(port);
  }

  start(): bool {
    const slots = this.registers.read(SLOTS);
    this.first = (slots >> 8) & NUMBER;
    this.count = min(slots & NUMBER, DEVICES - this.first);
    this.registers.write(CONTROL, ALL_OFF);
    if (!this.connect()) return false;
    for (let i: u32 = 0; i < this.count; i++) this.registers.write(SLOT + i * 4, OTHERS_OFF);
    return true;
  }

  stop(): void {
    this.registers.write(CONTROL, ALL_OFF);
    this.close();
  }

  /** No more interrupts until somebody has looked. */
  serve(_vector: u32): bool {
    const who = this.registers.read(LOCATOR);
    if (who === 0 || who === GONE) return false;
    this.registers.write(CONTROL, ALL_OFF);
    this.event.signal();
    return true;
  }

  look(user: SlotUser): void {
    for (let i: u32 = 0; i < this.count; i++) this.lookAt(i, user);
    this.fresh = false;
    this.registers.write(CONTROL, SLOTS_ON);
  }

  private lookAt(index: u32, user: SlotUser): void {
    const bus = this.port.firstBus;
    const device = this.first + index;
    const slot = this.registers.read(SLOT + index * 4);
    if (slot === GONE) return;
    if (slot & EVENTS) this.registers.write(SLOT + index * 4, (slot & EVENTS) | OTHERS_OFF);
    const present = (slot & EMPTY) !== EMPTY;
    const pressed = (slot & BUTTON) !== 0;
    const changed = (slot & PRESENCE_CHANGED) !== 0;
    if (user.isOccupied(bus, device)) {
      // What has come with the bridge is in use, whatever the slot says of the time before.
      if (this.fresh) this.command(index, ENABLE);
      else if (pressed || (changed && !present)) {
        tell(bus, device, present ? ': the card is to be given free' : ': the card has gone');
        user.unplugging(bus, device);
        this.command(index, DISABLE);
      }
    } else if (present && (pressed || changed || this.fresh)) {
      tell(bus, device, ': there is a card');
      this.command(index, ENABLE);
      awaitAnswer(bus, device);
      if (!user.plugged(bus, device)) this.command(index, DISABLE);
    }
  }

  private command(index: u32, code: u32): void {
    this.registers.write(COMMAND, code | ((index + 1) << TARGET_SHIFT));
    for (let polls: u32 = 0; polls < POLLS_MAX; polls++) {
      if ((this.registers.read(COMMAND) & BUSY) === 0) return;
      sleep(POLL_NS);
    }
    tell(this.port.firstBus, this.first + index, ': the bridge does not end a command for it in 1 s');
  }
}

/** The controller of a bridge, by its capability; null after a line: nothing reaches its registers. */
export function findStandardSlots(port: PciFunction, at: u32, event: Event): SlotController | null {
  config.write8(port.address, at + SELECT, 0);
  const base = config.read32(port.address, at + DATA); // §4.5.1: where its registers begin in BAR 0
  const registers = base < PAGE ? port.window(0, base, REGISTERS_BYTES) : null;
  if (registers === null) {
    log('pci').text(port.name).text(': nothing reaches the registers of its slots').end();
    return null;
  }
  port.enable();
  return new StandardSlots(port, registers, event);
}
