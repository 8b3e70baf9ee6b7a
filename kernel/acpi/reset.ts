// The machine's reset: by the register that the FADT tells of (ACPI 6.4 §4.8.3.6), else by the one that PCs have at port 0xcf9,
// else by the keyboard controller. Looked up at start-up, so that a panic needs only a write.

import * as x86 from '../x86.ts';
import { AcpiRegister, openRegister } from './register.ts';
import { FADT_SIGNATURE, findTable, tableLength } from './tables.ts';

// Fixed ACPI Description Table (§5.2.9).
const FADT_FLAGS: u32 = 112;
const FADT_RESET_SUPPORTED: u32 = 1 << 10;
const FADT_RESET_REGISTER: u32 = 116;
const FADT_RESET_VALUE: u32 = 128;
const FADT_BYTES_MIN: u32 = 129;

// Intel's PCH data sheets, "Reset Control Register": a hard reset is asked for, and then begun.
const RESET_CONTROL: u32 = 0xcf9;
const RESET_HARD: u32 = 0x02;
const RESET_CPU: u32 = 0x04;

const KEYBOARD_COMMAND: u32 = 0x64;
const KEYBOARD_PULSE_RESET: u32 = 0xfe;

/** A reset takes some time. */
const POLLS_MAX: u32 = 1_000_000;

class Reset {
  register: AcpiRegister | null = null;
  value: u32 = 0;
}

const known = new Reset();

export function init(): void {
  const fadt = findTable(FADT_SIGNATURE);
  if (fadt === 0 || tableLength(fadt) < FADT_BYTES_MIN) return;
  if (!(load<u32>(fadt + FADT_FLAGS) & FADT_RESET_SUPPORTED)) return;
  known.register = openRegister(fadt + FADT_RESET_REGISTER);
  known.value = load<u8>(fadt + FADT_RESET_VALUE);
}

/** Comes back if the machine cannot be reset. */
export function resetMachine(): void {
  const register = known.register;
  if (register !== null) {
    register.write(known.value);
    wait();
  }
  x86.out8(RESET_CONTROL, RESET_HARD);
  x86.out8(RESET_CONTROL, RESET_HARD | RESET_CPU);
  wait();
  x86.out8(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
  wait();
}

function wait(): void {
  for (let polls: u32 = 0; polls < POLLS_MAX; polls++) x86.pause();
}
