// Malices of the time before the first request: reset, status, features, vectors, queues (virtio 1.2 §3.1.1).

import { bits, EVENT_IDX, INDIRECT_DESC, VERSION_1 } from '../virtio/features.ts';
import { intercept, type Malice } from './attack.ts';

const NEEDS_RESET = 0x40;
const NO_VECTOR = 0xffff;

export const NEGOTIATION = {
  'reset never done'(attack) {
    const stuck = attack.random.between(1, 255);
    attack.register('status', (value) => (value === 0 ? stuck : value));
  },

  'reset takes its time'(attack) {
    let left = attack.random.between(1, 20);
    attack.register('status', (value) => (value === 0 && left-- > 0 ? 0x0f : value));
  },

  'status reads as anything'(attack) {
    const since = attack.moment(8, true);
    attack.register('status', (value) => (since() ? attack.random.below(256) : value));
  },

  'status bits do not stick'(attack) {
    const kept = attack.random.below(16);
    attack.register('status', (value) => value & kept);
  },

  'FEATURES_OK refused'(attack) {
    intercept(attack.device, 'acceptsFeatures', () => () => {
      attack.act();
      return false;
    });
  },

  'features of all kinds'(attack) {
    const { device, random } = attack;
    const offered =
      ((BigInt(random.next()) << 32n) | BigInt(random.next())) & ~bits(VERSION_1, EVENT_IDX, INDIRECT_DESC);
    const own = device.deviceFeatures & bits(VERSION_1, EVENT_IDX, INDIRECT_DESC);
    Object.defineProperty(device, 'deviceFeatures', { get: () => offered | own, configurable: true });
    attack.act();
  },

  'no VERSION_1'(attack) {
    const { device } = attack;
    const offered = device.deviceFeatures & ~bits(VERSION_1);
    Object.defineProperty(device, 'deviceFeatures', { get: () => offered, configurable: true });
    attack.act();
  },

  'features change from read to read'(attack) {
    attack.register('features', (value) => (value ^ (1 << attack.random.below(32))) >>> 0);
  },

  'NEEDS_RESET at once'(attack) {
    const due = attack.moment(12);
    intercept(attack.device, 'setStatus', (set) => (value) => {
      set(value);
      if (value === 0 || !due()) return;
      attack.act();
      attack.device.fail();
    });
  },

  'NEEDS_RESET at some time'(attack) {
    const { machine, device, random } = attack;
    const due = attack.moment(6);
    intercept(device, 'kick', (kick) => (index) => {
      kick(index);
      if (!due()) return;
      machine.clock.schedule(random.below(40_000), () => {
        attack.act();
        device.fail();
      });
    });
  },

  'NEEDS_RESET said, but all goes on'(attack) {
    const since = attack.moment(20, true);
    attack.register('status', (value) => (value !== 0 && since() ? value | NEEDS_RESET : value));
  },

  'queue vector reads back as none'(attack) {
    attack.register('queueVector', () => NO_VECTOR);
  },

  'configuration vector reads back as none'(attack) {
    attack.register('configVector', () => NO_VECTOR);
  },

  'vectors read back as others'(attack) {
    const other = attack.random.edge(16);
    attack.register(attack.random.pick(['queueVector', 'configVector']), () => other);
  },

  'queue size 0'(attack) {
    attack.register('queueSize', () => 0);
  },

  'queue size no power of two'(attack) {
    const size = attack.random.pick([3, 5, 6, 7, 100, 255, 257, 1000, 32767, 32769, 49152, 65535]);
    attack.register('queueSize', () => size);
  },

  'queue of one or two'(attack) {
    const size = attack.random.between(1, 2);
    attack.register('queueSize', () => size);
  },

  /** Larger than it is: the device goes on with what the driver writes, or, legacy, with its own. */
  'queue size too large'(attack) {
    const size = 2 ** attack.random.between(9, 15);
    attack.register('queueSize', () => size);
  },

  /** Smaller than it is; a legacy one's size decides where its parts lie. */
  'queue size too small'(attack) {
    attack.register('queueSize', (value) => Math.min(value, Math.max(4, value >> 2)), 'modern');
  },

  'no queues'(attack) {
    attack.register('queueCount', () => 0);
  },

  'queue count of any number'(attack) {
    const count = attack.random.between(1, 0xffff);
    attack.register('queueCount', () => count);
  },

  'queue is never enabled'(attack) {
    intercept(attack.device, 'enableQueue', () => () => attack.act());
  },

  'doorbells shuffled'(attack) {
    const { pci, random } = attack;
    const offset = random.between(0, 200);
    intercept(pci, 'notifyOffset', () => () => offset);
    intercept(pci, 'queueOfDoorbell', () => () => 0);
    attack.act();
  },

  'doorbell of another queue'(attack) {
    const { pci, random } = attack;
    const offset = random.between(1, 200);
    intercept(pci, 'notifyOffset', () => () => {
      attack.act();
      return offset;
    });
  },

  'doorbell outside its structure'(attack) {
    attack.register('notifyOffset', () => 0xffff);
  },
} satisfies Record<string, Malice>;
