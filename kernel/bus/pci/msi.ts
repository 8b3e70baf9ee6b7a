// MSI (PCI 3.0 §6.8.1): one message, in registers of the capability. A function may have up to 32, in whose data it changes low
// bits; but their vectors would have to lie side by side, so one is all that is asked for.

import { log } from '../../lib/log.ts';
import { LONG, RegisterMap, WORD } from '../../lib/registers.ts';
import { ID_MSI } from './capability.ts';
import * as config from './config.ts';
import { PciFunction } from './function.ts';
import { Messages, messageAddress, messageData } from './messages.ts';

const CONTROL: u32 = 2;
const ADDRESS: u32 = 4;
const ADDRESS_HIGH: u32 = 8; // if there is one; what follows is 4 bytes later then
const DATA: u32 = 8;

const CONTROL_ENABLE: u32 = 1 << 0;
const CONTROL_COUNT: u32 = 7 << 4; // that are used, a power of two
const CONTROL_64: u32 = 1 << 7;

class Msi extends Messages {
  constructor(
    private readonly registers: RegisterMap,
    /** Of the capability. */
    private readonly at: u32,
    private readonly is64: bool,
  ) {
    super();
  }

  get count(): u32 {
    return 1;
  }

  /** It has nothing to be sent yet: route() switches it on. */
  enable(): void {
    this.disable();
  }

  disable(): void {
    this.registers.update(WORD | (this.at + CONTROL), CONTROL_ENABLE | CONTROL_COUNT, 0);
  }

  route(_index: u32, vector: u32, apicId: u32): void {
    const registers = this.registers;
    this.disable(); // address and data belong together
    registers.write(LONG | (this.at + ADDRESS), messageAddress(apicId));
    if (this.is64) registers.write(LONG | (this.at + ADDRESS_HIGH), 0);
    registers.write(WORD | (this.at + DATA + (this.is64 ? 4 : 0)), messageData(vector));
    registers.update(WORD | (this.at + CONTROL), 0, CONTROL_ENABLE);
  }
}

/** The function's MSI; null if it has none. */
export function findMsi(fn: PciFunction): Messages | null {
  const list = fn.capabilities();
  while (list.next()) {
    if (list.id !== ID_MSI) continue;
    const control = config.read16(fn.address, list.offset + CONTROL);
    log('pci').text(fn.name).hex(' MSI at ', list.offset, 2).hex(', control ', control, 4).end();
    return new Msi(fn.registers, list.offset, (control & CONTROL_64) !== 0);
  }
  return null;
}
