// Malices of the used ring and of what the device may write besides it (virtio 1.2 §2.7). They stand in for the moment in
// which an honest device gives a chain back.

import type { SplitRing } from '../virtio/split.ts';
import { type Attack, intercept, type Malice } from './attack.ts';

const DESCRIPTOR_BYTES = 16;
const ENTRIES = 4;

/** One of the completions, or all from one on, is told otherwise. */
function corrupt(
  attack: Attack,
  push: (ring: SplitRing, head: number, written: number, honest: () => void) => void,
): void {
  const due = attack.moment(3, attack.random.once(4));
  attack.used((ring, head, written, honest) => {
    if (!due()) return honest();
    attack.act();
    // Whatever it says of the chain, it does not have it any more.
    const before = ring.inUse;
    push(ring, head, written, honest);
    ring.inUse = before - 1;
  });
}

/** Gives back `head` whatever it is, without looking. */
function give(ring: SplitRing, head: number, written: number): void {
  ring.writeUsed(ring.usedIndex, head, written);
  ring.setUsedIndex(ring.usedIndex + 1);
}

export const RINGS = {
  'used id out of range'(attack) {
    corrupt(attack, (ring, _head, written) => {
      const { random } = attack;
      give(
        ring,
        random.pick([ring.size, ring.size + 1, 256, 0xffff, 0x10000, 0xffff_ffff, random.next() | 0x8000]) >>>
          0,
        written,
      );
    });
  },

  'used id not outstanding'(attack) {
    corrupt(attack, (ring, head, written) => {
      give(ring, (head + attack.random.between(1, ring.size - 1)) % ring.size, written);
    });
  },

  'used id in mid-chain'(attack) {
    corrupt(attack, (ring, head, written) => give(ring, (head + 1) % ring.size, written));
  },

  'used id twice'(attack) {
    corrupt(attack, (ring, head, written, honest) => {
      honest();
      for (let i = attack.random.between(1, 3); i > 0; i--) give(ring, head, written);
    });
  },

  'used length too large'(attack) {
    const { random } = attack;
    corrupt(attack, (ring, head, written) => {
      give(
        ring,
        head,
        written + random.pick([1, 2, 512, 0xffff, 0x7fff_ffff - written, random.below(2 ** 31)]),
      );
    });
  },

  'used length of 2^32 - 1'(attack) {
    corrupt(attack, (ring, head) => give(ring, head, 0xffff_ffff));
  },

  'used length too small'(attack) {
    corrupt(attack, (ring, head, written) => {
      give(ring, head, attack.random.pick([0, written - 1, attack.random.below(written)]));
    });
  },

  'used index jumps'(attack) {
    const { random } = attack;
    corrupt(attack, (ring, _head, _written, honest) => {
      honest();
      const far = random.pick([1, 2, ring.size - 1, ring.size, 255, 256, 0x7fff, 0x8000, 0xfffe, 0xffff]);
      ring.setUsedIndex(ring.usedIndex + far);
    });
  },

  'used index stays'(attack) {
    corrupt(attack, (ring, head, written) => ring.writeUsed(ring.usedIndex, head, written));
  },

  'used ring of random bytes'(attack) {
    const { random } = attack;
    corrupt(attack, (ring, _head, _written, honest) => {
      honest();
      for (let i = 0; i < ring.size; i++) ring.writeUsed(i, random.edge(32), random.edge(32));
    });
  },

  'used entry written after the index'(attack) {
    const { machine, pci } = attack;
    corrupt(attack, (ring, head, written) => {
      const at = ring.usedIndex;
      ring.setUsedIndex(at + 1);
      machine.clock.schedule(attack.random.below(2000), () => {
        if (pci.dma.enabled()) ring.writeUsed(at, head, written); // it may be gone by then
      });
    });
  },

  'avail_event of any number'(attack) {
    attack.ring((ring) => {
      intercept(ring, 'writeAvailableEvent', (write) => () => {
        attack.act();
        write(attack.random.edge(16));
      });
    });
  },

  'descriptors rewritten'(attack) {
    overwrite(attack, (ring) => ({ at: ring.addresses.descriptors, bytes: ring.size * DESCRIPTOR_BYTES }));
  },

  'available ring rewritten'(attack) {
    overwrite(attack, (ring) => ({ at: ring.addresses.driver + ENTRIES, bytes: ring.size * 2 }));
  },

  'completed without an interrupt'(attack) {
    const due = attack.moment(3, attack.random.once(4));
    attack.ring((ring) => {
      intercept(ring, 'wantsInterrupt', (wants) => () => {
        const wanted = wants();
        if (!due()) return wanted;
        attack.act();
        return false;
      });
    });
  },

  'completed with an interrupt nobody wants'(attack) {
    attack.ring((ring) => {
      intercept(ring, 'wantsInterrupt', (wants) => () => {
        if (!wants()) attack.act();
        return true;
      });
    });
  },
} satisfies Record<string, Malice>;

/** Random bytes over a part of the rings, each time that chains have been taken from it. */
function overwrite(attack: Attack, part: (ring: SplitRing) => { at: number; bytes: number }): void {
  const { random, pci } = attack;
  attack.ring((ring) => {
    intercept(ring, 'setNotification', (set) => (on) => {
      set(on);
      if (!on) return;
      attack.act();
      const { at, bytes } = part(ring);
      const length = random.between(1, Math.min(bytes, 128));
      const data = Uint8Array.from({ length }, () => random.below(256));
      pci.dma.write(at + random.below(bytes - length + 1), data);
    });
  });
}
