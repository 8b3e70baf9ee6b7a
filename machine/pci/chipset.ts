// What QEMU's machines pc (i440FX and PIIX) and q35 (MCH and ICH9) have on bus 0 besides what is added: their functions
// as a kernel finds them. Their own work (IDE, AHCI, SMBus) is not modelled.

import * as config from './config.ts';
import { type BarDescription, NO_REGISTERS, PciFunction } from './function.ts';
import type { PciHost } from './host.ts';

interface Chip {
  slot: number;
  fn: number;
  id: readonly [vendor: number, device: number];
  classCode: number;
  revision: number;
  pin?: number;
  bars?: readonly [index: number, Omit<BarDescription, 'registers'>][];
  /** Registers by offset, 32 bits. */
  registers?: readonly [offset: number, value: number][];
  capability?: readonly [at: number, id: number, body: readonly number[]];
}

const PC: readonly Chip[] = [
  { slot: 0, fn: 0, id: [0x8086, 0x1237], classCode: 0x060000, revision: 2 },
  { slot: 1, fn: 0, id: [0x8086, 0x7000], classCode: 0x060100, revision: 0, registers: [[0x60, 0x0b0b0a0a]] },
  {
    ...{ slot: 1, fn: 1, id: [0x8086, 0x7010], classCode: 0x010180, revision: 0 },
    bars: [[4, { ports: true, bytes: 16 }]],
  },
  {
    ...{ slot: 1, fn: 3, id: [0x8086, 0x7113], classCode: 0x068000, revision: 3, pin: 1 },
    registers: [
      [0x40, 0x601],
      [0x80, 1],
      [0x90, 0x701],
    ],
  },
];

const Q35: readonly Chip[] = [
  {
    ...{ slot: 0, fn: 0, id: [0x8086, 0x29c0], classCode: 0x060000, revision: 0 },
    registers: [[0x60, 0xb0000001]], // PCIEXBAR: where ECAM is
  },
  {
    ...{ slot: 31, fn: 0, id: [0x8086, 0x2918], classCode: 0x060100, revision: 2 },
    registers: [
      [0x40, 0x601],
      [0x44, 0x80],
      [0x60, 0x0b0b0a0a],
      [0x68, 0x0b0b0a0a],
      [0xf0, 0xfed1c001],
    ],
  },
  {
    ...{ slot: 31, fn: 2, id: [0x8086, 0x2922], classCode: 0x010601, revision: 2, pin: 1 },
    bars: [
      [4, { ports: true, bytes: 32 }],
      [5, { bytes: 4096 }],
    ],
    capability: [0xa8, 0x12, [0x10, 0x00, 0x48, 0, 0, 0]], // SATA
  },
  {
    ...{ slot: 31, fn: 3, id: [0x8086, 0x2930], classCode: 0x0c0500, revision: 2, pin: 1 },
    bars: [[4, { ports: true, bytes: 64 }]],
    registers: [[0x40, 1]],
  },
];

class ChipFunction extends PciFunction {
  constructor(chip: Chip) {
    super(chip.id[0], chip.id[1], chip.classCode, chip.revision);
    this.config.bytes[config.INTERRUPT_PIN] = chip.pin ?? 0;
    for (const [index, bar] of chip.bars ?? []) this.addBar(index, { ...bar, registers: NO_REGISTERS });
    for (const [offset, value] of chip.registers ?? []) this.config.set32(offset, value);
    if (chip.capability)
      this.config.addCapability(chip.capability[1], chip.capability[2], chip.capability[0]);
  }
}

export function addChipset(host: PciHost, machine: 'pc' | 'q35'): void {
  const chips = machine === 'pc' ? PC : Q35;
  for (const chip of chips) host.add(new ChipFunction(chip), { slot: chip.slot, function: chip.fn });
}

/** PIIX3: (slot + pin - 1) modulo 4. MCH: slots 0 … 24 in turn, E to H; 25 … 31 A to D, but 30 E to H (QEMU's lpc_ich9.c). */
export const PIRQ_ROUTES = {
  pc: (slot: number, pin: number) => (slot + pin - 1) & 3,
  q35: (slot: number, pin: number) => {
    if (slot <= 24) return 4 + ((slot + pin) & 3);
    return slot === 30 ? 4 + pin : pin;
  },
} as const;

/** The ISA interrupt of each line, as SeaBIOS routes them. */
export const PIRQ_ISA = [10, 10, 11, 11, 10, 10, 11, 11] as const;
