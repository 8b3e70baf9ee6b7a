// How QEMU's microvm is left: hardware-reduced ACPI's sleep control register (ACPI 6.4 §4.8.3.7), and isa-debug-exit.

import type { AddressSpace } from '../bus/space.ts';
import { MachineEnd } from '../error.ts';
import { mapDebugExit } from './power.ts';

export const SLEEP_CONTROL = 0xfea0_0200;
/** Of the package \_S5 in microvm's DSDT. */
export const SLEEP_TYPE_OFF = 5;
const SLP_EN = 1 << 5;
const SLP_TYP_SHIFT = 2;
const RESET = 0x42;

/** Sleep control, sleep status and reset: QEMU's generic event device. */
export function mapSleepControl(memory: AddressSpace, ports: AddressSpace): void {
  mapDebugExit(ports);
  memory.map(SLEEP_CONTROL, 3, {
    read: () => 0,
    write: (offset, _width, value) => {
      if (offset === 0 && value === (SLP_EN | (SLEEP_TYPE_OFF << SLP_TYP_SHIFT)))
        throw new MachineEnd('off', 0);
      if (offset === 2 && value === RESET) throw new MachineEnd('reset', 0);
    },
  });
}
