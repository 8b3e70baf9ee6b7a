// Malices of interrupts: lost, invented, doubled, sent elsewhere. MSI-X is a write to memory, so that a device may send any
// vector to any CPU.

import { intercept, type Malice } from './attack.ts';

const MESSAGE_ADDRESS = 0xfee0_0000;
/** What a device's message can ask for without being an exception. */
const FIRST_VECTOR = 32;

export const INTERRUPTS = {
  'interrupts lost'(attack) {
    const { random } = attack;
    const due = attack.moment(3, random.once(2));
    intercept(attack.pci, 'interrupt', (interrupt) => (vector) => {
      if (due()) attack.act();
      else interrupt(vector);
    });
  },

  'interrupts doubled'(attack) {
    intercept(attack.pci, 'interrupt', (interrupt) => (vector) => {
      for (let i = attack.random.between(2, 4); i > 0; i--) interrupt(vector);
      attack.act();
      attack.machine.clock.schedule(attack.random.below(20_000), () => interrupt(vector));
    });
  },

  'interrupts late'(attack) {
    const { machine, random } = attack;
    intercept(attack.pci, 'interrupt', (interrupt) => (vector) => {
      attack.act();
      machine.clock.schedule(random.below(2_000_000_000), () => interrupt(vector));
    });
  },

  'interrupts of another entry'(attack) {
    const due = attack.moment(3, attack.random.once(2));
    intercept(attack.pci, 'interrupt', (interrupt) => (vector) => {
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
} satisfies Record<string, Malice>;
