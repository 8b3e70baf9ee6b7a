// Malices of the reset of a single queue (virtio 1.2 §2.6.1). A driver comes to it when a request has no answer, so the first
// one has none here.

import { VirtioBlk } from '../virtio/blk.ts';
import { type Attack, intercept, type Malice } from './attack.ts';

/** After the driver's patience, and before its next one's end. */
const LATE_NS = [5_100_000_000, 9_000_000_000] as const;

/** One request is not answered, or `late`. */
function silence(attack: Attack, late = false): void {
  const { device, machine, random } = attack;
  if (!(device instanceof VirtioBlk)) return;
  const due = attack.moment(3);
  intercept(device, 'finish', (finish) => (request, more) => {
    if (!due()) return finish(request, more);
    attack.act();
    if (late) machine.clock.schedule(random.between(...LATE_NS), () => finish(request));
  });
}

export const RESETS = {
  'queue reset never done'(attack) {
    silence(attack);
    attack.register('queueReset', () => 1, 'modern');
  },

  'queue reset takes its time'(attack) {
    silence(attack);
    let left = attack.random.between(1, 20);
    attack.register('queueReset', (value) => (left-- > 0 ? 1 : value), 'modern');
  },

  'queue reset reads as anything'(attack) {
    silence(attack);
    attack.register('queueReset', () => attack.random.below(3), 'modern');
  },

  /** As QEMU 7.2's block device: what it has begun comes to its end in the queue's next life. */
  'queue reset forgets nothing'(attack) {
    silence(attack, true);
    intercept(attack.device, 'forgetQueue', () => () => attack.act());
  },

  'queue is never enabled again'(attack) {
    silence(attack);
    let enabled = false;
    intercept(attack.device, 'enableQueue', (enable) => (queue) => {
      if (!enabled) enable(queue);
      else attack.act();
      enabled = true;
    });
    intercept(attack.device, 'reset', (reset) => () => {
      enabled = false;
      reset();
    });
  },

  'vector refused after the reset of its queue'(attack) {
    silence(attack);
    let reset = false;
    intercept(attack.device, 'resetQueue', (original) => (queue) => {
      original(queue);
      reset = true;
    });
    attack.register('queueVector', (value) => (reset ? 0xffff : value));
  },
} satisfies Record<string, Malice>;
