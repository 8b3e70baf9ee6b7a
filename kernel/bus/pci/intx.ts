// Where a function's interrupt pin (INTx) leads: through the bridges above it to the root bus, and from there to a
// global system interrupt (GSI). Of the latter ACPI tells by \_PRT, which is a program; this kernel has no interpreter, and
// knows by heart what \_PRT returns on the chipsets that QEMU has. On others INTx is refused, not guessed.

import { madt, POLARITY, POLARITY_HIGH } from '../../acpi/madt.ts';
import { connect, Line, LineUser } from '../../irq/line.ts';
import { log } from '../../lib/log.ts';
import * as config from './config.ts';
import { PciFunction } from './function.ts';
import { bridgeTo } from './scan.ts';

// The host bridge at 0000:00:00.0: device << 16 | vendor.
export const I440FX: u32 = 0x1237_8086; // pc, with PIIX3
export const Q35_MCH: u32 = 0x29c0_8086; // q35, with ICH9
const GENERIC_EXPRESS: u32 = 0x0008_1b36; // microvm with pcie=on

// PIIX3's function 0 in slot 1, and its PIRQRC registers (Intel 82371SB data sheet §2.2.9), one for each of PIRQA to PIRQD.
const PIIX3: u32 = 0x7000_8086;
const PIIX3_ROUTES: u32 = 0x60;
const PIIX3_NOT_ROUTED: u32 = 1 << 7;
const FIRST_CHOICE: u32 = 10;

const PINS: u32 = 4;
const ISA_IRQS: u32 = 16;
/** The GSI of PIRQA on q35, and of the generic host bridge's first. */
const FIRST_PIRQ_GSI: u32 = 16;

/** Puts a function's pin on its line; null after a line of the log that says why that cannot be. */
export function connectPin(fn: PciFunction, user: LineUser): Line | null {
  const pin = config.read8(fn.address, config.INTERRUPT_PIN);
  if (pin === 0 || pin > PINS) return refuse(fn, 'it has no interrupt pin');
  const chipset = config.read32(config.addressOf(0, 0, 0), config.VENDOR_ID);
  const line = leadToRoot(fn, pin - 1, chipset, user);
  if (line === null) return null;
  log('pci')
    .text(fn.name)
    .text(' pin ')
    .char(0x40 + pin)
    .decimal(': GSI ', line.gsi)
    .hex(', vector ', line.vector, 2)
    .end();
  fn.enableIntx();
  return line;
}

/** PCI-to-PCI Bridge 1.2 §9.1: behind a bridge the pins turn by the slot. */
function leadToRoot(fn: PciFunction, pin: u32, chipset: u32, user: LineUser): Line | null {
  let at = fn;
  while (at.bus !== 0) {
    const bridge = bridgeTo(at.bus);
    if (bridge === null) return connectElsewhere(fn, chipset, user);
    pin = (pin + at.slot) % PINS;
    at = bridge;
  }
  if (chipset === I440FX) return connectIsa(fn, routePiix3((at.slot + pin + 3) % PINS), user);
  if (chipset === Q35_MCH) return connect(fn.name, FIRST_PIRQ_GSI + pirqOfIch9(at.slot, pin), false, user);
  if (chipset === GENERIC_EXPRESS)
    return connect(fn.name, FIRST_PIRQ_GSI + ((at.slot + pin) % PINS), false, user);
  return refuse(fn, 'this chipset has interrupt lines that are not known');
}

/** On another root bus: on pc the firmware knows, and has put it down in the function. */
function connectElsewhere(fn: PciFunction, chipset: u32, user: LineUser): Line | null {
  if (chipset === I440FX) return connectIsa(fn, config.read8(fn.address, config.INTERRUPT_LINE), user);
  return refuse(fn, 'its pin leads to a root bus whose interrupts are not known');
}

/** By an interrupt of the ISA bus, 0: there is none. */
function connectIsa(fn: PciFunction, irq: u32, user: LineUser): Line | null {
  if (irq === 0 || irq >= ISA_IRQS) return refuse(fn, 'its pin leads to no interrupt');
  const told = madt.isaOverride(irq);
  if (told === null) return connect(fn.name, irq, true, user);
  // PCI 3.0 §2.2.6: active low, which is what "as the bus has it" means.
  return connect(fn.name, told.gsi, (told.flags & POLARITY) !== POLARITY_HIGH, user);
}

/** The interrupt of the ISA bus to which PIIX3 leads PIRQA to PIRQD; chosen here, as SeaBIOS does, if nobody has. */
function routePiix3(pirq: u32): u32 {
  const piix3 = config.addressOf(0, 1, 0);
  if (config.read32(piix3, config.VENDOR_ID) !== PIIX3) return 0;
  const route = config.read8(piix3, PIIX3_ROUTES + pirq);
  if (!(route & PIIX3_NOT_ROUTED)) return route % ISA_IRQS;
  const irq = FIRST_CHOICE + pirq / 2;
  config.write8(piix3, PIIX3_ROUTES + pirq, irq);
  return irq;
}

/**
 * QEMU's \_PRT for q35 with I/O APICs: slots up to 24 use PIRQE to PIRQH in turn, the bridge in slot 30 by the pin alone,
 * the chipset's own functions PIRQA to PIRQD by the pin, as ICH9's D31IR to D25IR have it after a reset.
 */
function pirqOfIch9(slot: u32, pin: u32): u32 {
  if (slot <= 24) return 4 + ((slot + pin) % PINS);
  return slot === 30 ? 4 + pin : pin;
}

function refuse(fn: PciFunction, why: string): Line | null {
  log('pci').text(fn.name).text(' cannot interrupt: ').text(why).end();
  return null;
}
