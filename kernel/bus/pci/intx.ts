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
const I440FX: u32 = 0x1237_8086; // pc, with PIIX3
const Q35_MCH: u32 = 0x29c0_8086; // q35, with ICH9
const GENERIC_EXPRESS: u32 = 0x0008_1b36; // microvm with pcie=on

const PINS: u32 = 4;
const ISA_IRQS: u32 = 16;
/** The GSI of PIRQA on q35, and of the generic host bridge's first. */
const FIRST_PIRQ_GSI: u32 = 16;

/** Puts a function's pin on its line; null after a line of the log that says why that cannot be. */
export function connectPin(fn: PciFunction, user: LineUser): Line | null {
  const pin = config.read8(fn.address, config.INTERRUPT_PIN);
  if (pin === 0 || pin > PINS) return refuse(fn, 'it has no interrupt pin');
  const chipset = config.read32(config.addressOf(0, 0, 0), config.VENDOR_ID);
  const line = chipset === I440FX ? connectIsa(fn, user) : leadToRoot(fn, pin - 1, chipset, user);
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
    if (bridge === null) return refuse(fn, 'its pin leads to a root bus whose interrupts are not known');
    pin = (pin + at.slot) % PINS;
    at = bridge;
  }
  if (chipset === Q35_MCH) return connect(fn.name, FIRST_PIRQ_GSI + pirqOfIch9(at.slot, pin), false, user);
  if (chipset === GENERIC_EXPRESS)
    return connect(fn.name, FIRST_PIRQ_GSI + ((at.slot + pin) % PINS), false, user);
  return refuse(fn, 'this chipset has interrupt lines that are not known');
}

/** PIIX3 leads the pins to interrupts of the ISA bus; the firmware has chosen which, and put it down in the function. */
function connectIsa(fn: PciFunction, user: LineUser): Line | null {
  const irq = config.read8(fn.address, config.INTERRUPT_LINE);
  if (irq === 0 || irq >= ISA_IRQS) return refuse(fn, 'the firmware has given its pin no interrupt');
  const told = madt.isaOverride(irq);
  if (told === null) return connect(fn.name, irq, true, user);
  // PCI 3.0 §2.2.6: active low, which is what "as the bus has it" means.
  return connect(fn.name, told.gsi, (told.flags & POLARITY) !== POLARITY_HIGH, user);
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
