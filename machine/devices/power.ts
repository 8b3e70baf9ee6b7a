// How a PC is left: ACPI's fixed power management registers (ACPI 6.4 §4.8.3), the SMI port that switches to ACPI mode,
// QEMU's isa-debug-exit, and the reset control register. Also the ACPI timer, which counts on the virtual clock.

import type { AddressSpace, Registers, Width } from '../bus/space.ts';
import { MachineEnd } from '../error.ts';
import type { Clock } from '../time/clock.ts';

export const PM_BASE = 0x600;
export const PM1_EVENT = PM_BASE;
export const PM1_CONTROL = PM_BASE + 4;
export const PM_TIMER = PM_BASE + 8;
const PM_TIMER_HZ = 3_579_545;
const PM_TIMER_MASK = 0xff_ffff;

export const SMI_COMMAND = 0xb2;
const DEBUG_EXIT = 0xf4;
const RESET_CONTROL = 0xcf9;

const SCI_EN = 1 << 0;
const SLP_EN = 1 << 13;
const SLP_TYP_SHIFT = 10;
/** Of the package \_S5 in QEMU's DSDT. */
export const SLP_TYP_OFF = 0;

/** As QEMU's: the FADT's ACPI_ENABLE and ACPI_DISABLE. */
export const ACPI_ENABLE = { pc: 0xf1, q35: 0x02 } as const;
export const ACPI_DISABLE = { pc: 0xf0, q35: 0x03 } as const;

/** QEMU's isa-debug-exit. */
export function mapDebugExit(ports: AddressSpace): void {
  ports.map(DEBUG_EXIT, 4, {
    read: () => 0,
    write: (_offset, _width, value) => {
      throw new MachineEnd('exit', ((value << 1) | 1) & 0xff);
    },
  });
}

export class Power implements Registers {
  private readonly clock: Clock;
  private status = 0;
  private enable = 0;
  private control = SCI_EN; // SeaBIOS has switched to ACPI mode

  constructor(ports: AddressSpace, clock: Clock, machine: 'pc' | 'q35') {
    this.clock = clock;
    ports.map(PM_BASE, 12, this);
    ports.map(SMI_COMMAND, 2, {
      read: () => 0,
      write: (offset, _width, value) => {
        if (offset !== 0) return;
        if (value === ACPI_ENABLE[machine]) this.control |= SCI_EN;
        else if (value === ACPI_DISABLE[machine]) this.control &= ~SCI_EN;
      },
    });
    mapDebugExit(ports);
    ports.map(RESET_CONTROL, 1, {
      read: () => 0,
      write: (_offset, _width, value) => {
        if (value & 4) throw new MachineEnd('reset', 0);
      },
    });
  }

  read(offset: number, width: Width): number {
    const at = PM_BASE + offset;
    if (at === PM_TIMER) return Math.floor((this.clock.now_ns * PM_TIMER_HZ) / 1e9) & PM_TIMER_MASK;
    if (at === PM1_CONTROL) return this.control;
    if (at === PM1_EVENT) return width === 4 ? this.status | (this.enable << 16) : this.status;
    return at === PM1_EVENT + 2 ? this.enable : 0;
  }

  write(offset: number, _width: Width, value: number): void {
    const at = PM_BASE + offset;
    if (at === PM1_EVENT) this.status &= ~value;
    else if (at === PM1_EVENT + 2) this.enable = value;
    else if (at === PM1_CONTROL) this.writeControl(value);
  }

  /** §4.8.3.2.1: SLP_EN is written, not kept; SCI_EN is the firmware's. */
  private writeControl(value: number): void {
    this.control = (value & ~(SLP_EN | SCI_EN)) | (this.control & SCI_EN);
    if (value & SLP_EN && ((value >> SLP_TYP_SHIFT) & 7) === SLP_TYP_OFF) throw new MachineEnd('off', 0);
  }
}
