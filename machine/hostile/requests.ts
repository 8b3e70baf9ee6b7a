// Malices of the block device's work (virtio 1.2 §5.2.6): what requests bring, and when they come back.

import { type BlkRequest, VirtioBlk } from '../virtio/blk.ts';
import { type Attack, intercept, type Malice } from './attack.ts';

/** Stands in for the end of one request, or of all from one on. */
function end(attack: Attack, finish: (request: BlkRequest, honest: () => void) => void): void {
  const { device } = attack;
  if (!(device instanceof VirtioBlk)) return;
  const due = attack.moment(3, attack.random.once(4));
  intercept(device, 'finish', (original) => (request, more) => {
    if (!due()) return original(request, more);
    attack.act();
    finish(request, () => original(request));
  });
}

/** Some requests get an answer that has nothing to do with their work. */
function answer(attack: Attack, status: () => number | undefined): void {
  const { device } = attack;
  if (!(device instanceof VirtioBlk)) return;
  const due = attack.moment(3, attack.random.once(4));
  intercept(device, 'answer', (original) => (request, right, more) => {
    if (!due()) return original(request, right, more);
    attack.act();
    original(request, status(), more);
  });
}

export const REQUESTS = {
  'status not written'(attack) {
    answer(attack, () => undefined);
  },

  'status of an error'(attack) {
    answer(attack, () => attack.random.between(1, 2));
  },

  'status of any number'(attack) {
    answer(attack, () => attack.random.between(3, 255));
  },

  /** Nobody but the file system can notice. */
  'status of success, and no data'(attack) {
    const { device } = attack;
    if (!(device instanceof VirtioBlk)) return;
    intercept(device, 'execute', () => () => {
      attack.act();
      return 0;
    });
  },

  'request never answered'(attack) {
    end(attack, () => {});
  },

  /** Which one that has promised order could not. */
  'request answered late'(attack) {
    if (attack.device.options.inOrder) return;
    const late_ns = attack.random.between(1, 4000) * 1_000_000;
    end(attack, (_request, honest) => void attack.machine.clock.schedule(late_ns, honest));
  },

  'request answered too late'(attack) {
    const late_ns = attack.random.between(5100, 9000) * 1_000_000;
    end(attack, (_request, honest) => void attack.machine.clock.schedule(late_ns, honest));
  },

  'requests answered out of order'(attack) {
    if (attack.device.options.inOrder) return;
    shuffle(attack);
  },

  'order promised and not kept'(attack) {
    if (attack.device.options.inOrder) shuffle(attack);
  },
} satisfies Record<string, Malice>;

function shuffle(attack: Attack): void {
  const { device, machine, random } = attack;
  if (!(device instanceof VirtioBlk)) return;
  intercept(device, 'finish', (original) => (request) => {
    attack.act();
    machine.clock.schedule(random.below(3_000_000), () => original(request));
  });
}
