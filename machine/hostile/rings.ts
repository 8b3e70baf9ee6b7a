// Malices of the used ring and of what the device may write besides it (virtio 1.2 §2.7, §2.8). They stand in for the
// moment in which an honest device gives a chain back.

import { PackedRing } from '../virtio/packed.ts';
import type { Chain } from '../virtio/queue.ts';
import { DESCRIPTOR_BYTES, type Ring } from '../virtio/ring.ts';
import { SplitRing } from '../virtio/split.ts';
import { type Attack, intercept, type Malice } from './attack.ts';

const ENTRIES = 4;
const ADDRESS_BYTES = 8;

// Flags of a packed ring's descriptor (§2.8.1).
const AVAILABLE = 1 << 7;
const USED = 1 << 15;

/** One of the completions, or all from one on, is told otherwise. */
function corrupt(
  attack: Attack,
  push: (ring: Ring, chain: Chain, written: number, honest: () => void) => void,
  concerns: (ring: Ring) => boolean = () => true,
): void {
  const due = attack.moment(3, attack.random.once(4));
  attack.used((ring, chain, written, honest) => {
    if (!concerns(ring) || !due()) return honest();
    attack.act();
    // Whatever it says of the chain, it does not have it any more.
    const before = ring.inUse;
    push(ring, chain, written, honest);
    ring.inUse = before - ring.steps(chain);
  });
}

/** Gives back `id` whatever it is, without looking. */
function give(ring: Ring, id: number, written: number, chain: Chain): void {
  ring.give(id, written, ring.steps(chain));
}

export const RINGS = {
  'used id out of range'(attack) {
    corrupt(attack, (ring, chain, written) => {
      const { random } = attack;
      // A packed ring's id has 16 bits.
      const most = ring instanceof PackedRing ? 0xffff : 0xffff_ffff;
      const ids = [ring.size, ring.size + 1, 256, 0xffff, 0x10000, 0xffff_ffff, random.next() | 0x8000]
        .map((id) => id >>> 0)
        .filter((id) => id >= ring.size && id <= most);
      give(ring, random.pick(ids), written, chain);
    });
  },

  'used id not outstanding'(attack) {
    corrupt(attack, (ring, chain, written) => {
      give(ring, (chain.head + attack.random.between(1, ring.size - 1)) % ring.size, written, chain);
    });
  },

  'used id in mid-chain'(attack) {
    corrupt(attack, (ring, chain, written) => give(ring, (chain.head + 1) % ring.size, written, chain));
  },

  'used id twice'(attack) {
    corrupt(attack, (ring, chain, written, honest) => {
      honest();
      for (let i = attack.random.between(1, 3); i > 0; i--) give(ring, chain.head, written, chain);
    });
  },

  'used length too large'(attack) {
    const { random } = attack;
    corrupt(attack, (ring, chain, written) => {
      const more = random.pick([1, 2, 512, 0xffff, 0x7fff_ffff - written, random.below(2 ** 31)]);
      give(ring, chain.head, written + more, chain);
    });
  },

  'used length of 2^32 - 1'(attack) {
    corrupt(attack, (ring, chain) => give(ring, chain.head, 0xffff_ffff, chain));
  },

  'used length too small'(attack) {
    corrupt(attack, (ring, chain, written) => {
      give(ring, chain.head, attack.random.pick([0, written - 1, attack.random.below(written)]), chain);
    });
  },

  /** A packed ring has none: it goes on elsewhere, without a word about what lies between. */
  'used index jumps'(attack) {
    const { random } = attack;
    corrupt(attack, (ring, _chain, _written, honest) => {
      honest();
      if (ring instanceof PackedRing) ring.nextUsed.move(random.between(1, ring.size - 1));
      if (!(ring instanceof SplitRing)) return;
      const far = random.pick([1, 2, ring.size - 1, ring.size, 255, 256, 0x7fff, 0x8000, 0xfffe, 0xffff]);
      ring.setUsedIndex(ring.usedIndex + far);
    });
  },

  /** Or the used descriptor is still marked as available. */
  'used index stays'(attack) {
    corrupt(attack, (ring, { head }, written) => {
      if (ring instanceof SplitRing) ring.writeUsed(ring.usedIndex, head, written);
      if (!(ring instanceof PackedRing)) return;
      const { nextUsed } = ring;
      ring.writeUsed(nextUsed, head, written, nextUsed.wrap ? AVAILABLE : USED);
    });
  },

  'used ring of random bytes'(attack) {
    const { random } = attack;
    corrupt(attack, (ring, _chain, _written, honest) => {
      honest();
      for (let index = 0; index < ring.size; index++) {
        if (ring instanceof SplitRing) ring.writeUsed(index, random.edge(32), random.edge(32));
        else if (ring instanceof PackedRing)
          ring.writeUsed({ index, wrap: true }, random.edge(16), random.edge(32), random.edge(16));
      }
    });
  },

  /** Or the flags before the rest. */
  'used entry written after the index'(attack) {
    const { machine, device, random } = attack;
    const later = (write: () => void): void => {
      machine.clock.schedule(random.below(2000), () => {
        if (device.transport.dma.enabled()) write(); // it may be gone by then
      });
    };
    corrupt(attack, (ring, chain, written) => {
      if (ring instanceof SplitRing) {
        const at = ring.usedIndex;
        ring.setUsedIndex(at + 1);
        later(() => ring.writeUsed(at, chain.head, written));
      } else if (ring instanceof PackedRing) {
        const { index, wrap } = ring.nextUsed;
        ring.writeUsedFlags(ring.nextUsed);
        ring.nextUsed.move(chain.slots);
        later(() => ring.writeUsed({ index, wrap }, chain.head, written));
      }
    });
  },

  /** Those of the other round, or of none; for packed rings. */
  'used flags of another round'(attack) {
    const isPacked = (ring: Ring) => ring instanceof PackedRing;
    const strike = (ring: Ring, { head }: Chain, written: number) => {
      const { nextUsed } = ring as PackedRing;
      const flags = attack.random.pick([
        nextUsed.wrap ? 0 : AVAILABLE | USED,
        nextUsed.wrap ? USED : AVAILABLE,
      ]);
      (ring as PackedRing).writeUsed(nextUsed, head, written, flags);
    };
    corrupt(attack, strike, isPacked);
  },

  /** Other flags than the two that count are reserved (§2.8.6); for packed rings. */
  'used flags with reserved bits'(attack) {
    const { random } = attack;
    const due = attack.moment(3, random.once(4));
    attack.ring((ring) => {
      if (!(ring instanceof PackedRing)) return;
      intercept(ring, 'writeUsedFlags', (write) => (place, flags = place.wrap ? AVAILABLE | USED : 0) => {
        if (!due()) return write(place, flags);
        attack.act();
        write(place, flags | (random.below(0x1_0000) & ~(AVAILABLE | USED)));
      });
    });
  },

  'avail_event of any number'(attack) {
    const { random } = attack;
    attack.ring((ring) => {
      if (ring instanceof SplitRing)
        intercept(ring, 'writeAvailableEvent', (write) => () => {
          attack.act();
          write(random.edge(16));
        });
      if (ring instanceof PackedRing)
        intercept(ring, 'writeEvent', (write) => () => {
          attack.act();
          write(random.edge(16), random.once(2) ? random.below(4) : random.edge(16));
        });
    });
  },

  /** Of a packed ring, which the device writes its answers to, the addresses alone. */
  'descriptors rewritten'(attack) {
    overwrite(attack, ({ addresses: { descriptors }, size }, packed) =>
      packed
        ? { at: descriptors + attack.random.below(size) * DESCRIPTOR_BYTES, bytes: ADDRESS_BYTES }
        : { at: descriptors, bytes: size * DESCRIPTOR_BYTES },
    );
  },

  /** A packed ring has none. */
  'available ring rewritten'(attack) {
    overwrite(attack, ({ addresses: { driver }, size }, packed) =>
      packed ? undefined : { at: driver + ENTRIES, bytes: size * 2 },
    );
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
function overwrite(
  attack: Attack,
  part: (ring: Ring, packed: boolean) => { at: number; bytes: number } | undefined,
): void {
  const { random, device } = attack;
  attack.ring((ring) => {
    intercept(ring, 'setNotification', (set) => (on) => {
      set(on);
      const found = on ? part(ring, ring instanceof PackedRing) : undefined;
      if (found === undefined) return;
      attack.act();
      const length = random.between(1, Math.min(found.bytes, 128));
      const data = Uint8Array.from({ length }, () => random.below(256));
      device.transport.dma.write(found.at + random.below(found.bytes - length + 1), data);
    });
  });
}
