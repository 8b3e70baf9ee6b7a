// Soft-off (ACPI 6.4 §7.4.2.5): the FADT says where the power management control registers are, the DSDT's \_S5
// package which sleep type to write there. Looked up at start-up, so that the end needs only port writes.

import { log } from '../lib/log.ts';
import * as serial from '../lib/serial.ts';
import * as x86 from '../x86.ts';
import { findS5 } from './aml.ts';
import { AcpiRegister, openRegister } from './register.ts';
import { FADT_SIGNATURE, findDsdt, findTable, tableLength } from './tables.ts';

// Fixed ACPI Description Table (§5.2.9).
const FADT_SMI_CMD: u32 = 48;
const FADT_ACPI_ENABLE: u32 = 52;
const FADT_PM1A_CONTROL: u32 = 64;
const FADT_PM1B_CONTROL: u32 = 68;
const FADT_FLAGS: u32 = 112;
const FADT_BYTES_MIN: u32 = 116;
const FADT_HARDWARE_REDUCED: u32 = 1 << 20;
const FADT_SLEEP_CONTROL: u32 = 244;
const FADT_BYTES_MIN_REDUCED: u32 = 268;

// PM1 control registers (§4.8.3.2.1).
const SCI_EN: u32 = 1 << 0;
const SLP_TYP_SHIFT: u32 = 10;
const SLP_TYP_MASK: u32 = 7 << 10;
const SLP_EN: u32 = 1 << 13;

// Sleep control register of hardware-reduced ACPI (§4.8.3.7).
const REDUCED_SLP_TYP_SHIFT: u32 = 2;
const REDUCED_SLP_EN: u32 = 1 << 5;

const POLLS_MAX: u32 = 100_000;

/** I/O ports, 0: none. */
let pm1aControl: u32 = 0;
let pm1bControl: u32 = 0;
let smiCommand: u32 = 0;
let acpiEnable: u32 = 0;
/** Of hardware-reduced ACPI. */
let sleepControl: AcpiRegister | null = null;
/** SLP_TYPa | SLP_TYPb << 8. */
let sleepTypes: i32 = -1;

export function init(): void {
  const fadt = findTable(FADT_SIGNATURE);
  if (fadt === 0 || tableLength(fadt) < FADT_BYTES_MIN) return;
  const dsdt = findDsdt();
  if (dsdt === 0) return;
  sleepTypes = findS5(dsdt, tableLength(dsdt));
  if (load<u32>(fadt + FADT_FLAGS) & FADT_HARDWARE_REDUCED) {
    findSleepControl(fadt);
    return;
  }
  pm1aControl = load<u32>(fadt + FADT_PM1A_CONTROL);
  pm1bControl = load<u32>(fadt + FADT_PM1B_CONTROL);
  smiCommand = load<u32>(fadt + FADT_SMI_CMD);
  acpiEnable = load<u8>(fadt + FADT_ACPI_ENABLE);
  describe('soft-off by port ', pm1aControl, 4);
}

function describe(what: string, address: u32, digits: u32): void {
  const line = log('acpi').hex(what, address, digits);
  if (sleepTypes < 0) line.text(' not possible: no \\_S5 package');
  else line.decimal(', type ', sleepTypes & 0xff);
  line.end();
}

/** §4.1: hardware-reduced machines have no PM1 registers, and one that takes their place for this. */
function findSleepControl(fadt: u32): void {
  if (tableLength(fadt) < FADT_BYTES_MIN_REDUCED) return;
  const register = openRegister(fadt + FADT_SLEEP_CONTROL);
  sleepControl = register;
  if (register === null) return;
  if (register.isPort) describe('soft-off by port ', register.address as u32, 4);
  else describe('soft-off by the register at ', register.address as u32, 8);
}

/** Has the machine switched off, which may take it some time; false: that is not possible. */
export function softOff(): bool {
  if (sleepTypes < 0) return false;
  serial.drain();
  const reduced = ((sleepTypes & 7) << REDUCED_SLP_TYP_SHIFT) | REDUCED_SLP_EN;
  const control = sleepControl;
  if (control !== null) control.write(reduced);
  if (pm1aControl === 0) return control !== null;
  enable();
  sleep(pm1aControl, sleepTypes & 0xff);
  if (pm1bControl !== 0) sleep(pm1bControl, sleepTypes >> 8);
  return true;
}

/** §4.8.2.5: the sleep registers are the operating system's only in ACPI mode. */
function enable(): void {
  if (smiCommand === 0 || acpiEnable === 0 || x86.in16(pm1aControl) & SCI_EN) return;
  x86.out8(smiCommand, acpiEnable);
  for (let polls: u32 = 0; polls < POLLS_MAX; polls++) {
    if (x86.in16(pm1aControl) & SCI_EN) return;
    x86.pause();
  }
}

function sleep(port: u32, type: u32): void {
  const control = x86.in16(port) & ~(SLP_TYP_MASK | SLP_EN);
  x86.out16(port, control | (type << SLP_TYP_SHIFT));
  x86.out16(port, control | (type << SLP_TYP_SHIFT) | SLP_EN); // §4.8.3.2.1: type first, then the enable bit
}
