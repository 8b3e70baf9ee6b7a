// A PCI function: its name, identity and BARs.

import { Line } from '../../lib/line.ts';
import { log } from '../../lib/log.ts';
import { Register, RegisterMap, WORD } from '../../lib/registers.ts';
import { Arena, makeIn, newArena } from '../../mm/objects.ts';
import { Window } from '../window.ts';
import { Bar, describeRom, readBar } from './bar.ts';
import { Capabilities } from './capability.ts';
import * as config from './config.ts';

export const BARS_MAX: u32 = 6;
const BRIDGE_BARS: u32 = 2;
const COMMAND: Register = WORD | config.COMMAND;

const scratch = new Line();

export class PciFunction {
  /** `0000:bb:dd.f` */
  readonly name: string;
  readonly vendor: u32;
  readonly device: u32;
  /** Class, subclass, programming interface. */
  readonly classCode: u32;
  /** Of the header: 0, or LAYOUT_BRIDGE; others (CardBus) have nothing that is used here. */
  readonly layout: u32;
  readonly registers: RegisterMap;
  /** Of a bridge: the buses that it leads to, 0: none. */
  firstBus: u32 = 0;
  lastBus: u32 = 0;
  readonly bars: StaticArray<Bar | null> = new StaticArray<Bar | null>(BARS_MAX);

  constructor(
    public readonly address: u32,
    /** The bridge before its bus; null: that is a root bus. */
    public readonly bridge: PciFunction | null = null,
    /** What is known of it lies there. */
    public readonly arena: Arena | null = null,
  ) {
    this.registers = new config.FunctionRegisters(address);
    scratch
      .clear()
      .digits('0000:', address >> 16, 2)
      .digits(':', (address >> 11) & 31, 2)
      .text('.');
    this.name = scratch.digits('', (address >> 8) & 7, 1).toString();
    const id = config.read32(address, config.VENDOR_ID);
    this.vendor = id & 0xffff;
    this.device = id >> 16;
    this.classCode = config.read32(address, config.REVISION_AND_CLASS) >> 8;
    this.layout = config.read8(address, config.HEADER_TYPE) & config.HEADER_LAYOUT;
  }

  get bus(): u32 {
    return this.address >> 16;
  }

  get slot(): u32 {
    return (this.address >> 11) & 31;
  }

  /** Within its slot. */
  get number(): u32 {
    return (this.address >> 8) & 7;
  }

  get isBridge(): bool {
    return this.layout === config.LAYOUT_BRIDGE;
  }

  /** Reads the BARs; logs the function and each BAR. */
  inspect(): void {
    log('pci')
      .text(this.name)
      .digits(' ', this.vendor, 4)
      .digits(':', this.device, 4)
      .digits(' class ', this.classCode, 6)
      .end();
    if (this.layout > config.LAYOUT_BRIDGE) return;
    const before = makeIn(this.arena);
    // PCI 3.0 §6.2.5.1, implementation note: nothing may be decoded while ones stand in a BAR.
    const command = config.pause(this.address);
    const count = this.isBridge ? BRIDGE_BARS : BARS_MAX;
    for (let i: u32 = 0; i < count; i++) {
      const bar = readBar(this.address, this.name, i, count);
      if (bar === null) continue;
      this.bars[i] = bar;
      bar.describe(log('pci')).end();
      if (bar.is64) i++; // it takes two registers
    }
    makeIn(before);
    describeRom(this.address, this.isBridge ? config.ROM_TYPE_1 : config.ROM_TYPE_0, this.name);
    // A line is shared: what no driver serves may not hold it.
    config.write16(this.address, config.COMMAND, command | config.COMMAND_INTX_OFF);
  }

  /** Lets the function decode its BARs and write to memory, and the bridges above it pass both on. */
  enable(): void {
    const decoding = config.COMMAND_IO | config.COMMAND_MEMORY;
    let wanted = decoding;
    if (!this.isPlaced(true)) wanted &= ~config.COMMAND_IO;
    if (!this.isPlaced(false)) wanted &= ~config.COMMAND_MEMORY;
    this.registers.update(COMMAND, decoding, wanted | config.COMMAND_MASTER);
    for (let i: u32 = 0; i < BARS_MAX; i++) if (this.bars[i] !== null) this.bars[i]!.inUse = true;
    for (let above = this.bridge; above !== null; above = above!.bridge) {
      const passing = decoding | config.COMMAND_MASTER;
      above.registers.update(COMMAND, passing, passing);
    }
  }

  /** Registers in a BAR, from `offset` on; null if there are not so many, or nothing reaches them. */
  window(bar: u32, offset: u32, bytes: u32): Window | null {
    const there = this.bars[bar];
    if (there === null) return null;
    return there.window(offset, bytes);
  }

  /** The opposite of enable() and enableIntx(); the bridges stay as they are. */
  disable(): void {
    const all = config.COMMAND_IO | config.COMMAND_MEMORY | config.COMMAND_MASTER;
    this.registers.update(COMMAND, all, config.COMMAND_INTX_OFF);
    for (let i: u32 = 0; i < BARS_MAX; i++) if (this.bars[i] !== null) this.bars[i]!.inUse = false;
  }

  /** Whether its ports or its memory can be decoded: not if one BAR has no place, where it would be in others' way. */
  private isPlaced(ports: bool): bool {
    let all: bool = true;
    for (let i: u32 = 0; i < BARS_MAX; i++) {
      const bar = this.bars[i];
      if (bar !== null && bar.ports === ports && bar.start === 0) all = false;
    }
    if (all) return true;
    for (let i: u32 = 0; i < BARS_MAX; i++) {
      const bar = this.bars[i];
      if (bar !== null && bar.ports === ports) bar.start = 0;
    }
    return false;
  }

  /** Lets the function drive its interrupt pin. */
  enableIntx(): void {
    this.registers.update(COMMAND, config.COMMAND_INTX_OFF, 0);
  }

  /** Nobody asks for it any more. */
  forget(): void {
    const arena = this.arena;
    if (arena !== null) arena.free();
  }

  capabilities(): Capabilities {
    return new Capabilities(this.address, this.name);
  }
}

/** Reads what a function says of itself; forget() gives that back. */
export function openFunction(address: u32, bridge: PciFunction | null): PciFunction {
  const arena = newArena();
  const before = makeIn(arena);
  const fn = new PciFunction(address, bridge, arena);
  makeIn(before);
  return fn;
}
