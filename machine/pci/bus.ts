// A PCI bus: the functions in its slots.

import type { PciBridge } from './bridge.ts';
import type { PciFunction } from './function.ts';

export class PciBus {
  /** As the firmware numbers it, whether it writes that down or not. */
  planned = 0;
  readonly slots: number;
  readonly express: boolean;
  readonly bridge: PciBridge | undefined;
  /** By slot << 3 | function. */
  readonly functions: (PciFunction | undefined)[] = [];

  constructor(slots: number, express: boolean, bridge?: PciBridge) {
    this.slots = slots;
    this.express = express;
    this.bridge = bridge;
  }

  get number(): number {
    return this.bridge?.secondaryBus || this.planned;
  }

  /** In the order of slots and functions. */
  *present(): Generator<PciFunction> {
    for (const fn of this.functions) if (fn !== undefined) yield fn;
  }
}
