// Feature bits that belong to no device type (virtio 1.2 §6; §6.3 for the legacy ones).

export const NOTIFY_ON_EMPTY = 24; // legacy
export const ANY_LAYOUT = 27; // legacy
export const BAD_FEATURE = 30; // legacy, QEMU's: a driver that accepts it accepts anything
export const INDIRECT_DESC = 28;
export const EVENT_IDX = 29;
export const VERSION_1 = 32;
export const ACCESS_PLATFORM = 33;
export const RING_PACKED = 34;
export const IN_ORDER = 35;
export const ORDER_PLATFORM = 36;
export const RING_RESET = 40;

/** Only a legacy driver is offered these, and those of its type that are legacy. */
export const LEGACY_FEATURES = bits(NOTIFY_ON_EMPTY, ANY_LAYOUT, BAD_FEATURE);

export function bits(...numbers: number[]): bigint {
  return numbers.reduce((sum, bit) => sum | (1n << BigInt(bit)), 0n);
}

export function has(features: bigint, bit: number): boolean {
  return ((features >> BigInt(bit)) & 1n) !== 0n;
}
