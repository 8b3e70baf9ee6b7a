// Malices of hot-plug: slot registers of a PCI Express port and of a PCI bridge that lie, QEMU's block of ports for ACPI's slots that
// does, and cards that go while they are looked at (PCI Express Base 4.0 §6.7, QEMU's docs/specs/acpi_pci_hotplug).

import { ones, type Width } from '../bus/space.ts';
import type { Machine } from '../machine.ts';
import { PciBridge } from '../pci/bridge.ts';
import type { PciFunction } from '../pci/function.ts';
import { Random } from '../random.ts';
import { intercept } from './attack.ts';

// Of the port's capability, which is at 0x54.
const SLOT_STATUS = 0x54 + 0x1a;
const BUTTON = 1 << 0;
const POWER_FAULT = 1 << 1;
const PRESENCE_CHANGED = 1 << 3;
const PRESENT = 1 << 6;
const MS_NS = 1_000_000;

/** A machine in which cards come and go: by a port's slot, or without one by ACPI's. */
export class SlotAttack {
  readonly machine: Machine;
  readonly port: PciBridge | undefined;
  readonly random: Random;
  /** How often it has struck. */
  acts = 0;

  constructor(machine: Machine, port: PciBridge | undefined, seed: number) {
    this.machine = machine;
    this.port = port;
    this.random = new Random(seed);
  }

  /** Changes what the kernel reads of the slot's status. */
  status(alter: (value: number) => number): void {
    if (this.port === undefined) return;
    intercept(this.port, 'readConfig', (read) => (offset: number, width: Width) => {
      const value = read(offset, width);
      if (!this.machine.started || offset !== SLOT_STATUS) return value;
      this.acts++;
      return alter(value) & 0xffff;
    });
  }

  /** Changes what the kernel reads of ACPI's slots. */
  block(alter: (offset: number, value: number) => number): void {
    const { acpi } = this.machine.pci;
    if (acpi === undefined) return;
    intercept(acpi, 'read', (read) => (offset: number, width: Width) => {
      const value = read(offset, width);
      if (!this.machine.started) return value;
      this.acts++;
      return alter(offset, value) >>> 0;
    });
  }

  /** Does something some times, in the first second or two, in a row or far apart. */
  often(act: () => void): void {
    const { random, machine } = this;
    const [count, pause_ns] = random.pick([[200, 2_000] as const, [20, 30 * MS_NS] as const]);
    const start = random.between(20, 400) * MS_NS;
    for (let i = 0; i < count; i++)
      machine.clock.schedule(start + i * pause_ns, () => {
        this.acts++;
        act();
      });
  }

  /** What each card is, when it is put in. */
  cards(take: (card: PciFunction) => void): void {
    intercept(this.machine.pci, 'add', (add) => (device, place) => {
      const card = add(device, place);
      if (this.machine.started) take(card);
      return card;
    });
  }
}

export const SLOTS = {
  'slot presence flaps'(attack) {
    attack.status((value) => (attack.random.once(2) ? value ^ PRESENT : value));
    attack.often(() => attack.port?.slot?.[attack.random.once(2) ? 'plug' : 'pull']());
  },

  'slot status of any bits'(attack) {
    attack.status(() => attack.random.below(0x1_0000));
  },

  'slot status reads as ones'(attack) {
    attack.status(() => 0xffff);
  },

  'slot events that cannot be cleared'(attack) {
    attack.status((value) => value | BUTTON | PRESENCE_CHANGED);
  },

  'slot with a power fault'(attack) {
    attack.status((value) => value | POWER_FAULT);
    attack.often(() => attack.port?.slot?.push());
  },

  'attention storm'(attack) {
    attack.often(() => attack.port?.slot?.push());
  },

  'card that never answers'(attack) {
    attack.cards((card) => {
      intercept(card, 'readConfig', () => (_offset: number, width: Width) => {
        attack.acts++;
        return ones(width);
      });
    });
  },

  'card that goes while it is looked at'(attack) {
    attack.cards((card) => {
      let left = attack.random.below(attack.random.pick([8, 60, 400]));
      const gone = () => left-- <= 0;
      intercept(card, 'readConfig', (read) => (offset: number, width: Width) => {
        if (!gone()) return read(offset, width);
        attack.acts++;
        return ones(width);
      });
      for (const bar of card.bars) {
        if (bar === undefined) continue;
        intercept(bar.registers, 'read', (read) => (offset: number, width: Width) => {
          if (!gone()) return read(offset, width);
          attack.acts++;
          return ones(width);
        });
      }
    });
  },

  'bridge slots of any bits'(attack) {
    attack.cards((card) => {
      if (!(card instanceof PciBridge) || card.slots === undefined) return;
      intercept(card.slots, 'read', (read) => (offset: number, width: Width) => {
        attack.acts++;
        return attack.random.once(2) ? attack.random.next() : read(offset, width);
      });
    });
  },

  'hot-plug ports of any bits'(attack) {
    attack.block((_offset, value) => (attack.random.once(2) ? attack.random.next() : value));
  },

  'hot-plug ports read as ones'(attack) {
    attack.block(() => 0xffff_ffff);
  },

  'hot-plug events for nothing'(attack) {
    const { root, acpi } = attack.machine.pci;
    attack.often(() => acpi?.[attack.random.once(2) ? 'plug' : 'request'](root, attack.random.below(32)));
  },
} satisfies Record<string, (attack: SlotAttack) => void>;

export type SlotMalice = keyof typeof SLOTS;

/** Lays a malice before the machine runs; cards that are plugged in are under it too. */
export function makeSlotHostile(
  machine: Machine,
  port: PciBridge | undefined,
  malice: SlotMalice,
  seed: number,
) {
  const attack = new SlotAttack(machine, port, seed);
  const lay: (attack: SlotAttack) => void = SLOTS[malice];
  lay(attack);
  return attack;
}
