// A driver for one type of virtio device, and what it makes of each. It sees the device, never the bus.

import { VirtioDevice } from './device.ts';

/** Logs why a device cannot be used and tells the device; for attach() to return. */
export function refuse(device: VirtioDevice, why: string): Attachment | null {
  device.fail(why);
  return null;
}

/** A device that is in use. */
export abstract class Attachment {
  /**
   * The device is gone, its queues are cut off: nobody finds it any more, and who waits for it is woken, and fails. Returns
   * when no thread uses the device's memory.
   */
  abstract detach(): void;
}

export abstract class VirtioDriver {
  constructor(
    public readonly name: string,
    /** The device type that it serves (virtio 1.2 §5). */
    public readonly deviceId: u32,
  ) {}

  /** Brings the device up; null after a line that says why it cannot be used. */
  abstract attach(device: VirtioDevice): Attachment | null;
}
