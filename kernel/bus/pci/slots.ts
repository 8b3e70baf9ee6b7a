// Slots in which cards come and go, whatever tells of them.

import { log } from '../../lib/log.ts';
import { sleep } from '../../sched/scheduler.ts';
import * as clock from '../../time/clock.ts';
import * as config from './config.ts';
import { PciFunction } from './function.ts';
import { PciInterrupt } from './interrupt.ts';

/** PCI Express Base 4.0 §6.6.1: from power to the first configuration request, and until it must be answered. */
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

/** What tells of the slots behind a bridge, by an interrupt. */
export abstract class SlotController extends PciInterrupt {
  constructor(public readonly port: PciFunction) {
    super(port);
  }

  /** Has it interrupt; false after a line that says why it cannot. */
  abstract start(): bool;
  /** Nobody asks for it any more. */
  abstract stop(): void;
  /** By a thread: does what is due. */
  abstract look(user: SlotUser): void;
}

/** Says of a slot what is about to be done. */
export function tell(bus: u32, slot: u32, what: string): void {
  log('pci').digits('slot 0000:', bus, 2).digits(':', slot, 2).text(what).end();
}

/** Of a card that has got power. */
export function awaitAnswer(bus: u32, slot: u32): void {
  const first = config.addressOf(bus, slot, 0);
  sleep(READY_NS);
  const deadline = clock.after(ANSWER_MS_MAX);
  while (config.read16(first, config.VENDOR_ID) === config.NO_VENDOR && clock.now() < deadline)
    sleep(POLL_NS);
}
