// What every way to reach a virtio device offers (virtio 1.2 §4): status, features, queues, configuration. The
// virtio layer and the drivers know this class only, never the bus behind it.

import { Window } from '../bus/window.ts';
import { Line as IrqLine, LineUser } from '../irq/line.ts';
import { RingLayout } from './layout.ts';

// Device status bits (§2.1).
export const STATUS_ACKNOWLEDGE: u32 = 1;
export const STATUS_DRIVER: u32 = 2;
export const STATUS_DRIVER_OK: u32 = 4;
export const STATUS_FEATURES_OK: u32 = 8;
export const STATUS_NEEDS_RESET: u32 = 64;
export const STATUS_FAILED: u32 = 128;

/** An ISR status of ones: the device is not there any more. */
export const ISR_GONE: u32 = 0xff;

export abstract class Transport {
  constructor(
    /** The function's name on its bus. */
    public readonly name: string,
    /** §5: 2 is a block device. */
    public readonly deviceId: u32,
    /** The interface of before virtio 1.0. */
    public readonly legacy: bool,
  ) {}

  abstract status(): u32;
  abstract setStatus(status: u32): void;
  abstract deviceFeatures(): u64;
  abstract setDriverFeatures(features: u64): void;

  /** The ISR status (§4.1.4.5), which is acknowledged thereby; or ISR_GONE. */
  abstract interruptStatus(): u32;
  /** How many interrupt vectors the device can tell apart, 0: it has only a line. */
  abstract vectorCount(): u32;
  /** Routes the device's vector `index` to this CPU's vector. */
  abstract routeVector(index: u32, vector: u32, apicId: u32): void;
  /** Has changes of the configuration, or a queue, reported by vector `index`; false if the device refuses (§4.1.5.1.2.1). */
  abstract setConfigVector(index: u32): bool;
  abstract setQueueVector(queue: u32, index: u32): bool;
  /** Has all reported by the line from now on, which has no vectors; null after a line of the log that says why not. */
  abstract useLine(user: LineUser): IrqLine | null;

  /** From now on the device does not interrupt; true: nor reaches it memory, whatever it does. */
  abstract close(): bool;

  /** The largest size of the queue, 0: no such queue (§4.1.5.1.3). */
  abstract queueSizeMax(queue: u32): u32;
  /** Tells the device where the queue is, and starts it. */
  abstract setQueue(queue: u32, layout: RingLayout): void;
  /** Whether a queue can be reset alone (§2.6.1), where the device offers it. */
  get resetsQueues(): bool {
    return false;
  }

  /** Has the device begin to give the queue up. */
  resetQueue(_queue: u32): void {}

  /** Whether the device has done so: until then it may still use the queue's memory. */
  isReset(_queue: u32): bool {
    return false;
  }

  /** Where notifications for the queue are written, 16 bits wide; null (after a line) if there is no such place. */
  abstract doorbell(queue: u32): Window | null;

  /** Changes whenever the configuration has changed (§2.5). */
  abstract configGeneration(): u32;
  /** The device's own configuration fields; null: it has none. */
  abstract config(): Window | null;
}
