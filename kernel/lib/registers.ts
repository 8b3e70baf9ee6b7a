// Registers of a device, described once, each by a constant, and reached through a map, whatever that reaches them by: memory
// or ports (bus/window.ts), an index and a data register (irq/ioapic.ts), configuration space (bus/pci/config.ts). A map checks
// each access against its length, changes bits, and remembers what only the driver changes.

/** WIDTH | CACHED | offset. */
export type Register = u32;
export const BYTE: Register = 1 << 28;
export const WORD: Register = 2 << 28;
export const LONG: Register = 4 << 28;
/**
 * Only the driver changes it: what was written last is neither read nor written again. Nothing is known of it before. It lies in
 * the first bytes of a map, alone in its four.
 */
export const CACHED: Register = 1 << 27;
const OFFSET: u32 = CACHED - 1;

const KNOWN: u64 = 1 << 32;

export abstract class RegisterMap {
  /** By offset / 4, of cached registers: KNOWN | value. */
  private readonly cache: StaticArray<u64>;

  constructor(
    public readonly bytes: u32,
    /** Where cached registers can be. */
    cachedBytes: u32,
  ) {
    this.cache = new StaticArray<u64>(cachedBytes >> 2);
  }

  /** At an offset that is within the map; `width` is BYTE, WORD or LONG. */
  protected abstract load(offset: u32, width: Register): u32;
  protected abstract store(offset: u32, width: Register, value: u32): void;

  has(register: Register): bool {
    return (register & OFFSET) + (register >> 28) <= this.bytes;
  }

  read(register: Register): u32 {
    this.check(register);
    if (register & CACHED) {
      const known = this.cache[(register & OFFSET) >> 2];
      if (known & KNOWN) return known as u32;
    }
    return this.load(register & OFFSET, widthOf(register));
  }

  write(register: Register, value: u32): void {
    this.check(register);
    if (register & CACHED) {
      const now = KNOWN | value;
      if (this.cache[(register & OFFSET) >> 2] === now) return;
      this.cache[(register & OFFSET) >> 2] = now;
    }
    this.store(register & OFFSET, widthOf(register), value);
  }

  /** Clears the bits of `mask`, then sets those of `value`; writes only what that has changed. */
  update(register: Register, mask: u32, value: u32): void {
    const before = this.read(register);
    const after = (before & ~mask) | value;
    if (after !== before) this.write(register, after);
  }

  /** A register of 64 bits, as two of 32 (virtio 1.2 §4.1.3.1): the lower half, and then the upper one behind it. */
  write64(register: Register, value: u64): void {
    this.write(register, value as u32);
    this.write(register + 4, (value >> 32) as u32);
  }

  /** The device has changed what is cached: by a reset. */
  forget(): void {
    memory.fill(changetype<usize>(this.cache), 0, this.cache.length * sizeof<u64>());
  }

  private check(register: Register): void {
    assert(this.has(register), 'device register beyond its window');
  }
}

function widthOf(register: Register): Register {
  return register & ~(OFFSET | CACHED);
}
