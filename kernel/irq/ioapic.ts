// I/O APICs (Intel 82093AA data sheet, and ICH9's, which have the same registers): each turns its pins' levels or edges
// into interrupts of a CPU's local APIC. The MADT tells where they are, and which global system interrupt (GSI) is the
// first pin of each. All pins are masked until a line is connected (line.ts).

import { IoApicEntry, madt } from '../acpi/madt.ts';
import { SpinLock } from '../lib/lock.ts';
import { log } from '../lib/log.ts';
import { CACHED, LONG, Register, RegisterMap } from '../lib/registers.ts';
import { mapDevice } from '../mm/map.ts';
import * as x86 from '../x86.ts';

// §3.1: two registers are mapped, the one chooses what the other is.
const SELECT: u32 = 0x00;
const WINDOW: u32 = 0x10;
const MAPPED_BYTES: u32 = 0x20;
const DEFAULT_ADDRESS: u32 = 0xfec0_0000;

// §3.2: what can be chosen; here a number is four bytes. The status bits of an entry, which are not ours, are not looked at.
const VERSION: Register = LONG | (0x01 << 2);
const VERSION_LAST_PIN_SHIFT: u32 = 16;
const TABLE: Register = LONG | CACHED | (0x10 << 2); // two registers for each pin
const PIN_BYTES: u32 = 8;
const REGISTERS_BYTES: u32 = 0x100 << 2;
const PINS_MAX: u32 = (0x100 - 0x10) / 2;

// §3.2.4: an entry of the table. Fixed delivery to a physical destination is 0.
const ACTIVE_LOW: u32 = 1 << 13;
const LEVEL: u32 = 1 << 15;
const MASKED: u32 = 1 << 16;
const DESTINATION_SHIFT: u32 = 24; // in the upper half
/** What a destination can be: 8 bits with xAPICs and, without interrupt remapping, with x2APICs. */
export const DESTINATION_MAX: u32 = 0xfe;

class IoApicRegisters extends RegisterMap {
  constructor(private readonly base: u32) {
    super(REGISTERS_BYTES, REGISTERS_BYTES);
  }

  protected load(offset: u32, _width: Register): u32 {
    x86.store32(this.base + SELECT, offset >> 2);
    return x86.load32(this.base + WINDOW);
  }

  protected store(offset: u32, _width: Register, value: u32): void {
    x86.store32(this.base + SELECT, offset >> 2);
    x86.store32(this.base + WINDOW, value);
  }
}

export class IoApic {
  /** Of the two registers, which are written one after the other. */
  private readonly lock: SpinLock = new SpinLock();

  constructor(
    private readonly registers: RegisterMap,
    private readonly gsiBase: u32,
    private readonly pinCount: u32,
  ) {}

  has(gsi: u32): bool {
    return gsi - this.gsiBase < this.pinCount;
  }

  maskAll(): void {
    for (let i: u32 = 0; i < this.pinCount; i++) this.registers.write(TABLE + i * PIN_BYTES, MASKED);
  }

  /** Has the level-triggered line `gsi` interrupt the CPU with this APIC ID as `vector`. */
  route(gsi: u32, vector: u32, apicId: u32, activeLow: bool): void {
    const entry = this.entryOf(gsi);
    const flags = this.lock.acquireIrq();
    this.registers.write(entry, MASKED);
    this.registers.write(entry + 4, apicId << DESTINATION_SHIFT);
    this.registers.write(entry, vector | LEVEL | (activeLow ? ACTIVE_LOW : 0));
    this.lock.releaseIrq(flags);
  }

  mask(gsi: u32): void {
    const flags = this.lock.acquireIrq();
    this.registers.update(this.entryOf(gsi), 0, MASKED);
    this.lock.releaseIrq(flags);
  }

  /**
   * Has a line that is being served interrupt again if it is still high, though no local APIC will tell the end: to become
   * edge-triggered makes a pin forget that it waits for that (§3.2.4, bit 14).
   */
  restart(gsi: u32): void {
    const entry = this.entryOf(gsi);
    const flags = this.lock.acquireIrq();
    const low = this.registers.read(entry);
    this.registers.update(entry, LEVEL, MASKED);
    this.registers.write(entry, low);
    this.lock.releaseIrq(flags);
  }

  private entryOf(gsi: u32): Register {
    return TABLE + (gsi - this.gsiBase) * PIN_BYTES;
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
  const base = mapDevice(entry.address, MAPPED_BYTES);
  if (base === 0) return;
  const registers = new IoApicRegisters(base);
  const version = registers.read(VERSION);
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
