// Malices of the network device's work (virtio 1.2 §5.1.6.4): what it says of the frames that it brings, and what they hold.

import { VirtioNet } from '../virtio/net.ts';
import { type Attack, intercept, type Malice } from './attack.ts';

const FLAGS = 0;
const GSO_TYPE = 1;
const BUFFER_COUNT = 10;

/** Changes what stands before some frames, or before all from one on. */
function header(attack: Attack, alter: (header: Uint8Array) => void): void {
  const { device } = attack;
  if (!(device instanceof VirtioNet)) return;
  const due = attack.moment(5, attack.random.once(4));
  intercept(device, 'header', (make) => (count) => {
    const bytes = make(count);
    if (!due()) return bytes;
    attack.act();
    alter(bytes);
    return bytes;
  });
}

/** Changes frames before the driver gets them. */
function frame(attack: Attack, alter: (bytes: Uint8Array) => Uint8Array): void {
  const { device } = attack;
  if (!(device instanceof VirtioNet)) return;
  intercept(device, 'receive', (receive) => (bytes) => {
    attack.act();
    receive(alter(Uint8Array.from(bytes)));
  });
}

/** Of network devices alone. */
export const NETWORK_MALICES = {
  'frames of any kind of offload'(attack) {
    header(attack, (bytes) => {
      bytes[FLAGS] = attack.random.below(256);
      bytes[GSO_TYPE] = attack.random.below(256);
    });
  },

  'frames in any number of buffers'(attack) {
    const { random } = attack;
    header(attack, (bytes) => {
      if (bytes.length <= BUFFER_COUNT) return;
      const count = random.pick([0, 2, 3, 255, 256, 257, 0xffff, random.below(0x10000)]);
      bytes[BUFFER_COUNT] = count & 0xff;
      bytes[BUFFER_COUNT + 1] = count >> 8;
    });
  },

  'frames of other lengths than they have'(attack) {
    const { device, random } = attack;
    if (!(device instanceof VirtioNet)) return;
    intercept(device, 'complete', (complete) => (queue, chain, written, more) => {
      if (queue.index !== 0 || random.once(2)) return complete(queue, chain, written, more);
      attack.act();
      complete(queue, chain, random.pick([0, 1, 10, 11, 12, 13, written - 1, random.below(513)]), more);
    });
  },

  'frames with bytes changed'(attack) {
    const { random } = attack;
    frame(attack, (bytes) => {
      for (let i = random.between(1, 4); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
      return bytes;
    });
  },

  'frames cut short or made longer'(attack) {
    const { random } = attack;
    frame(attack, (bytes) => {
      const other = new Uint8Array(random.pick([0, 1, 13, 14, 33, 41, random.below(1600), 65_000]));
      other.set(bytes.subarray(0, other.length));
      return other;
    });
  },

  'frames written on after they came'(attack) {
    const { device, random } = attack;
    if (!(device instanceof VirtioNet)) return;
    intercept(device, 'complete', (complete) => (queue, chain, written, more) => {
      complete(queue, chain, written, more);
      const [segment] = chain.writable;
      if (queue.index !== 0 || segment === undefined) return;
      attack.act();
      const at = segment.address + random.below(segment.bytes);
      device.transport.clock.schedule(random.below(100_000), () => {
        if (device.transport.dma.reaches(at, 1)) device.transport.dma.fill(at, 1, random.below(256));
      });
    });
  },
} satisfies Record<string, Malice>;
