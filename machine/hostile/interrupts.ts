// Malices of interrupts: lost, invented, doubled, sent elsewhere. MSI-X is a write to memory, so that a device may send any
// vector to any CPU. A pin is on a line with others, and keeps it as long as it likes.

import { INTERRUPT_LINE, INTERRUPT_PIN } from '../pci/config.ts';
import type { PciFunction } from '../pci/function.ts';
import { INTERRUPT_ACKNOWLEDGE } from '../virtio/mmio.ts';
import { type Attack, intercept, type Malice } from './attack.ts';

const MESSAGE_ADDRESS = 0xfee0_0000;
/** What a device's message can ask for without being an exception. */
const FIRST_VECTOR = 32;

const ID_MSIX = 0x11;
const ID_EXPRESS = 0x10;

/** Takes MSI-X away, if it has it, so that there is only the line; and what a neighbour there can do to that. */
function byPin(attack: Attack): (high: boolean) => void {
  if (attack.mmio !== undefined) return () => {}; // it has no neighbours
  const { machine, pci } = attack;
  const msix = attack.capabilities.find(({ id }) => id === ID_MSIX);
  if (msix) {
    pci.config.set8(msix.at, ID_EXPRESS);
    attack.act();
  }
  const neighbour: PciFunction = Object.create(pci);
  return (high) => {
    attack.act();
    machine.pci.setIntx(neighbour, 1, high);
  };
}

export const INTERRUPTS = {
  'interrupts lost'(attack) {
    const { random } = attack;
    const due = attack.moment(3, random.once(2));
    intercept(attack.device.transport, 'interrupt', (interrupt) => (vector) => {
      if (due()) attack.act();
      else interrupt(vector);
    });
  },

  'interrupts doubled'(attack) {
    intercept(attack.device.transport, 'interrupt', (interrupt) => (vector) => {
      for (let i = attack.random.between(2, 4); i > 0; i--) interrupt(vector);
      attack.act();
      attack.machine.clock.schedule(attack.random.below(20_000), () => interrupt(vector));
    });
  },

  'interrupts late'(attack) {
    const { machine, random } = attack;
    intercept(attack.device.transport, 'interrupt', (interrupt) => (vector) => {
      attack.act();
      machine.clock.schedule(random.below(2_000_000_000), () => interrupt(vector));
    });
  },

  'interrupts of another entry'(attack) {
    const due = attack.moment(3, attack.random.once(2));
    intercept(attack.device.transport, 'interrupt', (interrupt) => (vector) => {
      if (!due()) return interrupt(vector);
      attack.act();
      interrupt(attack.random.pick([0, 1, 2, 0xfffe].filter((other) => other !== vector)));
    });
  },

  'interrupts out of nowhere'(attack) {
    const { machine, device, random } = attack;
    intercept(device, 'setStatus', (set) => (value) => {
      set(value);
      for (let i = random.below(10); i > 0; i--)
        machine.clock.schedule(random.below(3_000_000), () => {
          attack.act();
          for (const queue of device.queues) device.notifyQueue(queue);
        });
    });
  },

  'interrupts of vectors that are not its own'(attack) {
    const { machine, device, random } = attack;
    intercept(device, 'kick', (kick) => (index) => {
      kick(index);
      for (let i = random.between(1, 20); i > 0; i--) {
        const vector = random.once(4) ? 255 : random.between(FIRST_VECTOR, 255);
        machine.clock.schedule(random.below(60_000), () => {
          attack.act();
          machine.pci.messages(MESSAGE_ADDRESS, vector);
        });
      }
    });
  },

  'interrupts in a flood'(attack) {
    const { machine, device, random } = attack;
    let left = 500;
    const again = (): void => {
      attack.act();
      for (const queue of device.queues) device.notifyQueue(queue);
      if (left-- > 0) machine.clock.schedule(random.below(5000), again);
    };
    const due = attack.moment(2);
    intercept(device, 'kick', (kick) => (index) => {
      kick(index);
      if (due()) again();
    });
  },

  'line pulled up by nobody'(attack) {
    const { machine, device, random } = attack;
    const pull = byPin(attack);
    intercept(device, 'kick', (kick) => (index) => {
      for (let i = random.between(1, 5); i > 0; i--)
        machine.clock.schedule(random.below(100_000), () => {
          pull(true);
          machine.clock.schedule(random.below(100_000), () => pull(false));
        });
      kick(index);
    });
  },

  'line stuck high'(attack) {
    const due = attack.moment(3);
    const pull = byPin(attack);
    intercept(attack.device, 'kick', (kick) => (index) => {
      if (due()) attack.machine.clock.schedule(attack.random.below(40_000), () => pull(true));
      kick(index);
    });
  },

  'interrupt never acknowledged'(attack) {
    byPin(attack);
    const { mmio, device } = attack;
    if (mmio !== undefined) {
      intercept(mmio, 'write', (write) => (offset, width, value) => {
        if (offset === INTERRUPT_ACKNOWLEDGE) attack.act();
        else write(offset, width, value);
      });
      return;
    }
    intercept(attack.pci, 'readIsr', () => () => {
      attack.act();
      return device.isr;
    });
  },

  'interrupt status reads as 0'(attack) {
    byPin(attack);
    attack.register('isr', () => 0);
  },

  'interrupt status reads as ones'(attack) {
    byPin(attack);
    const ones = attack.mmio === undefined ? 0xff : 0xffff_ffff;
    attack.register('isr', () => ones);
  },

  'interrupt status reads as anything'(attack) {
    byPin(attack);
    attack.register('isr', () => attack.random.edge(8));
  },

  'interrupt pin and line of any number'(attack) {
    byPin(attack);
    if (attack.mmio !== undefined) return;
    const { random } = attack;
    const values = new Map([
      [INTERRUPT_PIN, random.pick([0, 1, 2, 3, 4, 5, 255])],
      [INTERRUPT_LINE, random.pick([0, 9, 10, 11, 15, 16, 255, random.below(256)])],
    ]);
    attack.configSpace((offset, _width, value) => values.get(offset) ?? value);
  },
} satisfies Record<string, Malice>;
