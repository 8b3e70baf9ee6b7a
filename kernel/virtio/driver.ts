// A driver for one type of virtio device. It sees the device, never the bus.

import { VirtioDevice } from './device.ts';

export abstract class VirtioDriver {
  constructor(
    public readonly name: string,
    /** The device type that it serves (virtio 1.2 §5). */
    public readonly deviceId: u32,
  ) {}

  /** Brings the device up; false after a line that says why it cannot be used. */
  abstract attach(device: VirtioDevice): bool;
}
