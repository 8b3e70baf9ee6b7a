// A driver for one type of virtio device, and what it makes of each. It sees the device, never the bus.

import { Attachment } from '../bus/attachment.ts';
import { VirtioDevice } from './device.ts';

export { Attachment };

/** Logs why a device cannot be used and tells the device; for attach() to return. */
export function refuse(device: VirtioDevice, why: string): Attachment | null {
  device.fail(why);
  return null;
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
