// The Multiple APIC Description Table (ACPI 6.4 §5.2.12): which CPUs and I/O APICs there are, and where the interrupts
// of the ISA bus arrive. Read once, at start-up, from what the firmware says: an entry that cannot be is left out.

import { findTable, tableLength } from './tables.ts';

const SIGNATURE: u32 = 0x4349_5041; // 'APIC'
const FIRST_ENTRY: u32 = 44;
const ENTRY_BYTES_MIN: u32 = 2; // type and length

const LOCAL_APIC: u32 = 0; // §5.2.12.2
const LOCAL_APIC_ID: u32 = 3;
const LOCAL_APIC_FLAGS: u32 = 4;
const LOCAL_APIC_BYTES: u32 = 8;
const LOCAL_APIC_ALL: u32 = 0xff; // an id that means every CPU (Intel SDM 3A §10.6.2)

const IO_APIC: u32 = 1; // §5.2.12.3
const IO_APIC_ADDRESS: u32 = 4;
const IO_APIC_GSI: u32 = 8;
const IO_APIC_BYTES: u32 = 12;

const OVERRIDE: u32 = 2; // §5.2.12.5
const OVERRIDE_BUS: u32 = 2;
const OVERRIDE_IRQ: u32 = 3;
const OVERRIDE_GSI: u32 = 4;
const OVERRIDE_FLAGS: u32 = 8;
const OVERRIDE_BYTES: u32 = 10;
const ISA_BUS: u32 = 0;

const LOCAL_X2APIC: u32 = 9; // §5.2.12.12
const LOCAL_X2APIC_ID: u32 = 4;
const LOCAL_X2APIC_FLAGS: u32 = 8;
const LOCAL_X2APIC_BYTES: u32 = 16;
const LOCAL_X2APIC_ALL: u32 = 0xffff_ffff;

const ENABLED: u32 = 1 << 0; // local APIC flags (table 5.23)

const CPUS_MAX: u32 = 256;
const IO_APICS_MAX: u32 = 8;
const ISA_IRQS: u32 = 16;

// MPS INTI flags (table 5.26); POLARITY 0: as the bus has it.
export const POLARITY: u32 = 3;
export const POLARITY_HIGH: u32 = 1;

export class IoApicEntry {
  constructor(
    public readonly address: u32,
    /** The global system interrupt (GSI) of its first pin. */
    public readonly gsiBase: u32,
  ) {}
}

export class IsaOverride {
  constructor(
    public readonly gsi: u32,
    /** MPS INTI flags. */
    public readonly flags: u32,
  ) {}
}

class Madt {
  cpuCount: u32 = 0;
  ioApicCount: u32 = 0;
  /** APIC ids of the CPUs that can be started, each once, the firmware's order. */
  private readonly cpus: StaticArray<u32> = new StaticArray<u32>(CPUS_MAX);
  private readonly ioApics: StaticArray<IoApicEntry | null> = new StaticArray<IoApicEntry | null>(
    IO_APICS_MAX,
  );
  private readonly overrides: StaticArray<IsaOverride | null> = new StaticArray<IsaOverride | null>(ISA_IRQS);

  /** APIC id of a CPU. */
  cpu(index: u32): u32 {
    return this.cpus[index];
  }

  ioApic(index: u32): IoApicEntry {
    return this.ioApics[index]!;
  }

  /** What is said of an ISA interrupt; null: its GSI is its number, edge-triggered, active high. */
  isaOverride(irq: u32): IsaOverride | null {
    return irq < ISA_IRQS ? this.overrides[irq] : null;
  }

  /** Without a table, or without entries, all lists stay empty. */
  read(): void {
    const table = findTable(SIGNATURE);
    if (table === 0) return;
    const end = table + tableLength(table);
    let at = table + FIRST_ENTRY;
    while (at + ENTRY_BYTES_MIN <= end) {
      const bytes: u32 = load<u8>(at + 1);
      if (bytes < ENTRY_BYTES_MIN || bytes > end - at) return;
      this.readEntry(at, load<u8>(at), bytes);
      at += bytes;
    }
  }

  private readEntry(at: u32, type: u32, bytes: u32): void {
    if (type === LOCAL_APIC && bytes >= LOCAL_APIC_BYTES) {
      const id: u32 = load<u8>(at + LOCAL_APIC_ID);
      if (load<u32>(at + LOCAL_APIC_FLAGS) & ENABLED && id !== LOCAL_APIC_ALL) this.addCpu(id);
    } else if (type === LOCAL_X2APIC && bytes >= LOCAL_X2APIC_BYTES) {
      const id = load<u32>(at + LOCAL_X2APIC_ID);
      if (load<u32>(at + LOCAL_X2APIC_FLAGS) & ENABLED && id !== LOCAL_X2APIC_ALL) this.addCpu(id);
    } else if (type === IO_APIC && bytes >= IO_APIC_BYTES) {
      if (this.ioApicCount === IO_APICS_MAX) return;
      const entry = new IoApicEntry(load<u32>(at + IO_APIC_ADDRESS), load<u32>(at + IO_APIC_GSI));
      this.ioApics[this.ioApicCount++] = entry;
    } else if (type === OVERRIDE && bytes >= OVERRIDE_BYTES && load<u8>(at + OVERRIDE_BUS) === ISA_BUS) {
      const irq: u32 = load<u8>(at + OVERRIDE_IRQ);
      if (irq >= ISA_IRQS) return;
      this.overrides[irq] = new IsaOverride(load<u32>(at + OVERRIDE_GSI), load<u16>(at + OVERRIDE_FLAGS));
    }
  }

  private addCpu(id: u32): void {
    for (let i: u32 = 0; i < this.cpuCount; i++) if (this.cpus[i] === id) return;
    if (this.cpuCount < CPUS_MAX) this.cpus[this.cpuCount++] = id;
  }
}

export const madt = new Madt();
