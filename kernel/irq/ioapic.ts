// I/O APICs (Intel 82093AA data sheet, and ICH9's, which have the same registers): each turns its pins' levels or edges
// into interrupts of a CPU's local APIC. The MADT tells where they are, and which global system interrupt (GSI) is the
// first pin of each. All pins are masked until a line is connected (line.ts).

import { IoApicEntry, madt } from '../acpi/madt.ts';
import { SpinLock } from '../lib/lock.ts';
import { log } from '../lib/log.ts';
import { mapDevice } from '../mm/map.ts';
import * as x86 from '../x86.ts';

// §3.1: two registers are mapped, the one chooses what the other is.
const SELECT: u32 = 0x00;
const WINDOW: u32 = 0x10;
const MAPPED_BYTES: u32 = 0x20;

// §3.2: what can be chosen.
const VERSION: u32 = 0x01;
const VERSION_LAST_PIN_SHIFT: u32 = 16;
const TABLE: u32 = 0x10; // two registers for each pin
const REGISTERS: u32 = 0x100;
const DEFAULT_ADDRESS: u32 = 0xfec0_0000;
const PINS_MAX: u32 = (REGISTERS - TABLE) / 2;

// §3.2.4: an entry of the table. Fixed delivery to a physical destination is 0.
const ACTIVE_LOW: u32 = 1 << 13;
const LEVEL: u32 = 1 << 15;
const MASKED: u32 = 1 << 16;
const DESTINATION_SHIFT: u32 = 24; // in the upper half
/** What a destination can be: 8 bits with xAPICs and, without interrupt remapping, with x2APICs. */
export const DESTINATION_MAX: u32 = 0xfe;

export class IoApic {
  /** Of the two registers, which are written one after the other. */
  private readonly lock: SpinLock = new SpinLock();

  constructor(
    private readonly registers: u32,
    private readonly gsiBase: u32,
    private readonly pinCount: u32,
  ) {}

  has(gsi: u32): bool {
    return gsi - this.gsiBase < this.pinCount;
  }

  maskAll(): void {
    for (let i: u32 = 0; i < this.pinCount; i++) this.write(TABLE + i * 2, MASKED);
  }

  /** Has the level-triggered line `gsi` interrupt the CPU with this APIC ID as `vector`. */
  route(gsi: u32, vector: u32, apicId: u32, activeLow: bool): void {
    const entry = TABLE + (gsi - this.gsiBase) * 2;
    const flags = this.lock.acquireIrq();
    this.write(entry, MASKED);
    this.write(entry + 1, apicId << DESTINATION_SHIFT);
    this.write(entry, vector | LEVEL | (activeLow ? ACTIVE_LOW : 0));
    this.lock.releaseIrq(flags);
  }

  mask(gsi: u32): void {
    const flags = this.lock.acquireIrq();
    this.write(TABLE + (gsi - this.gsiBase) * 2, MASKED | LEVEL);
    this.lock.releaseIrq(flags);
  }

  /**
   * Has a line that is being served interrupt again if it is still high, though no local APIC will tell the end: to become
   * edge-triggered makes a pin forget that it waits for that (§3.2.4, bit 14).
   */
  restart(gsi: u32): void {
    const entry = TABLE + (gsi - this.gsiBase) * 2;
    const flags = this.lock.acquireIrq();
    x86.store32(this.registers + SELECT, entry);
    const low = x86.load32(this.registers + WINDOW);
    this.write(entry, (low & ~LEVEL) | MASKED);
    this.write(entry, low);
    this.lock.releaseIrq(flags);
  }

  private write(register: u32, value: u32): void {
    x86.store32(this.registers + SELECT, register);
    x86.store32(this.registers + WINDOW, value);
  }
}

const ioApics: Array<IoApic> = [];

/** Maps the I/O APICs that the firmware tells of, and masks all their pins. */
export function init(): void {
  for (let i: u32 = 0; i < madt.ioApicCount; i++) open(madt.ioApic(i));
  // Without ACPI: where the first one has always been (MultiProcessor Specification 1.4 §3.6.5).
  if (madt.ioApicCount === 0) open(new IoApicEntry(DEFAULT_ADDRESS, 0));
}

function open(entry: IoApicEntry): void {
  const registers = mapDevice(entry.address, MAPPED_BYTES);
  if (registers === 0) return;
  x86.store32(registers + SELECT, VERSION);
  const version = x86.load32(registers + WINDOW);
  const pinCount = ((version >> VERSION_LAST_PIN_SHIFT) & 0xff) + 1;
  if (pinCount > PINS_MAX) {
    log('irq').hex('no I/O APIC at ', entry.address, 8).hex(': its version reads as ', version, 8).end();
    return;
  }
  const found = new IoApic(registers, entry.gsiBase, pinCount);
  found.maskAll();
  ioApics.push(found);
}

/** The I/O APIC that has this GSI; null if none does. */
export function find(gsi: u32): IoApic | null {
  for (let i = 0; i < ioApics.length; i++) if (ioApics[i].has(gsi)) return ioApics[i];
  return null;
}
