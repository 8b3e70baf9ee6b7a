// Feature bits that belong to no device type (virtio 1.2 §6, §6.3 for the legacy ones), and names for the log.

import { Line } from '../lib/line.ts';

export const NOTIFY_ON_EMPTY: u32 = 24; // legacy
export const ANY_LAYOUT: u32 = 27; // legacy
export const INDIRECT_DESC: u32 = 28;
export const EVENT_IDX: u32 = 29;
export const VERSION_1: u32 = 32;
export const ACCESS_PLATFORM: u32 = 33;
export const RING_PACKED: u32 = 34;
export const IN_ORDER: u32 = 35;
export const ORDER_PLATFORM: u32 = 36;
export const SR_IOV: u32 = 37;
export const NOTIFICATION_DATA: u32 = 38;
export const NOTIF_CONFIG_DATA: u32 = 39;
export const RING_RESET: u32 = 40;

/**
 * What the queue and transports here can do, whatever the device. ACCESS_PLATFORM: no IOMMU is ever switched on by us,
 * so that addresses stay physical; ORDER_PLATFORM: x86 orders RAM and device accesses alike.
 */
export const SUPPORTED: u64 =
  ((1 as u64) << INDIRECT_DESC) |
  ((1 as u64) << EVENT_IDX) |
  ((1 as u64) << VERSION_1) |
  ((1 as u64) << ACCESS_PLATFORM) |
  ((1 as u64) << RING_PACKED) |
  ((1 as u64) << IN_ORDER) |
  ((1 as u64) << ORDER_PLATFORM);

/** Where the transport can do it too. */
export const QUEUE_RESETS: u64 = (1 as u64) << RING_RESET;

export function has(features: u64, bit: u32): bool {
  return ((features >> bit) & 1) !== 0;
}

/** Appends the names of all bits that are set; `deviceNames` has those of bits 0 … 23. */
export function appendNames(line: Line, features: u64, deviceNames: StaticArray<string>): Line {
  for (let bit: u32 = 0; bit < 64; bit++) {
    if (!has(features, bit)) continue;
    const name = bit < (deviceNames.length as u32) ? deviceNames[bit] : commonName(bit);
    if (name.length > 0) line.text(' ').text(name);
    else line.decimal(' bit', bit);
  }
  return line;
}

function commonName(bit: u32): string {
  switch (bit) {
    case NOTIFY_ON_EMPTY:
      return 'NOTIFY_ON_EMPTY';
    case ANY_LAYOUT:
      return 'ANY_LAYOUT';
    case INDIRECT_DESC:
      return 'INDIRECT_DESC';
    case EVENT_IDX:
      return 'EVENT_IDX';
    case VERSION_1:
      return 'VERSION_1';
    case ACCESS_PLATFORM:
      return 'ACCESS_PLATFORM';
    case RING_PACKED:
      return 'RING_PACKED';
    case IN_ORDER:
      return 'IN_ORDER';
    case ORDER_PLATFORM:
      return 'ORDER_PLATFORM';
    case SR_IOV:
      return 'SR_IOV';
    case NOTIFICATION_DATA:
      return 'NOTIFICATION_DATA';
    case NOTIF_CONFIG_DATA:
      return 'NOTIF_CONFIG_DATA';
    case RING_RESET:
      return 'RING_RESET';
    default:
      return '';
  }
}
