// Malices of the device's own configuration (virtio 1.2 §2.5), of any device and of the block device (§5.2.4).

import { intercept, type Malice } from './attack.ts';

const CAPACITY = 0x00;
const SIZE_MAX = 0x08;
const SEG_MAX = 0x0c;
const BLOCK_BYTES = 0x14;
const TOPOLOGY = 0x18;
const WRITEBACK = 0x20;

export const CONFIGURATION = {
  'generation never stable'(attack) {
    let generation = 0;
    attack.register('generation', () => ++generation & 0xff);
  },

  'generation changes for a while'(attack) {
    let left = attack.random.between(1, 12);
    attack.register('generation', (value) => (left-- > 0 ? left + 1 : value));
  },

  'configuration of random bytes'(attack) {
    const bytes = Array.from({ length: 256 }, () => attack.random.below(256));
    attack.deviceConfig((view) => {
      for (let i = 0; i < view.byteLength; i++) view.setUint8(i, bytes[i]);
    });
  },

  'configuration is another at each read'(attack) {
    attack.deviceConfig((view) => {
      for (let i = 0; i < view.byteLength; i++) view.setUint8(i, attack.random.below(256));
    });
  },

  /** Interrupts for changes, at any time and in numbers. */
  'configuration changes announced'(attack) {
    const { machine, device, random } = attack;
    intercept(device, 'kick', (kick) => (index) => {
      kick(index);
      for (let i = random.between(1, 20); i > 0; i--) {
        attack.act();
        machine.clock.schedule(random.below(100_000), () => device.notifyConfig());
      }
    });
  },
} satisfies Record<string, Malice>;

export const BLOCK_CONFIGURATION = {
  'capacity 0'(attack) {
    attack.deviceConfig((view) => view.setBigUint64(CAPACITY, 0n, true));
  },

  'capacity of 2^64 - 1'(attack) {
    attack.deviceConfig((view) => view.setBigUint64(CAPACITY, 2n ** 64n - 1n, true));
  },

  'capacity changes at each read'(attack) {
    attack.deviceConfig((view) => view.setBigUint64(CAPACITY, BigInt(attack.random.next()), true));
  },

  'block size impossible'(attack) {
    const { random } = attack;
    const bytes = random.pick([0, 1, 3, 255, 256, 511, 513, 1000, 4095, 0xffff_ffff, random.next() | 1]);
    attack.deviceConfig((view) => view.setUint32(BLOCK_BYTES, bytes >>> 0, true));
  },

  'block size huge'(attack) {
    const bytes = 2 ** attack.random.between(17, 31);
    attack.deviceConfig((view) => view.setUint32(BLOCK_BYTES, bytes, true));
  },

  'seg_max 0 or huge'(attack) {
    const most = attack.random.pick([0, 1, 0xffff, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff]);
    attack.deviceConfig((view) => view.setUint32(SEG_MAX, most, true));
  },

  'size_max 0 or huge'(attack) {
    const most = attack.random.pick([0, 1, 15, 511, 513, 0x7fff_ffff, 0xffff_ffff]);
    attack.deviceConfig((view) => view.setUint32(SIZE_MAX, most, true));
  },

  'topology and cache of any kind'(attack) {
    const { random } = attack;
    const [topology, blocks, writeback] = [random.next(), random.next(), random.below(256)];
    attack.deviceConfig((view) => {
      view.setUint32(TOPOLOGY, topology, true);
      view.setUint32(TOPOLOGY + 4, blocks, true);
      view.setUint8(WRITEBACK, writeback);
    });
  },
} satisfies Record<string, Malice>;
