// Reads .debug_line (DWARF 5 §6.2): the line and column of an address. Files are left out: who asks knows the function.

import { LNE, LNS } from './dwarf.ts';
import { DebugReader } from './reader.ts';

export interface Row {
  line: number;
  column: number;
}

/** The row that an address belongs to; undefined: none does. */
export function rowAt(section: Uint8Array, address: bigint): Row | undefined {
  const reader = new DebugReader(section);
  while (reader.more) {
    const found = new LineProgram(reader.part(reader.u32())).find(address);
    if (found) return found;
  }
  return undefined;
}

/** A unit: its header (§6.2.4), and the state machine that makes its rows (§6.2.2). */
class LineProgram {
  private readonly code: DebugReader;
  private readonly lineBase: number;
  private readonly lineRange: number;
  private readonly opcodeBase: number;
  /** How many each standard opcode has, from 1 on. */
  private readonly operands: number[];
  private address = 0n;
  private row: Row = { line: 1, column: 0 };

  constructor(unit: DebugReader) {
    if (unit.u16() >= 5) unit.skip(2); // sizes of addresses and of segment selectors
    const header = unit.part(unit.u32());
    header.skip(3); // how long instructions are, and whether rows begin statements
    this.lineBase = header.s8();
    this.lineRange = header.u8();
    this.opcodeBase = header.u8();
    this.operands = Array.from({ length: this.opcodeBase - 1 }, () => header.u8());
    this.code = unit;
  }

  /** The last row at or before the address, if the next one is behind it. */
  find(address: bigint): Row | undefined {
    let before: { address: bigint; row: Row } | undefined;
    while (this.code.more) {
      const made = this.step();
      if (made === undefined) continue;
      if (before && before.address <= address && address < this.address) return before.row;
      before = made === 'row' ? { address: this.address, row: { ...this.row } } : undefined;
      if (made === 'end') [this.address, this.row] = [0n, { line: 1, column: 0 }];
    }
    return undefined;
  }

  /** One opcode, and what it makes. */
  private step(): 'row' | 'end' | undefined {
    const { code, row } = this;
    const opcode = code.u8();
    if (opcode === 0) return this.extended();
    if (opcode === LNS.copy) return 'row';
    if (opcode === LNS.advance_pc) this.address += BigInt(code.uleb());
    else if (opcode === LNS.advance_line) row.line += code.sleb();
    else if (opcode === LNS.set_column) row.column = code.uleb();
    else if (opcode === LNS.const_add_pc) this.address += this.distance(255);
    else if (opcode === LNS.fixed_advance_pc) this.address += BigInt(code.u16());
    else if (opcode < this.opcodeBase) for (let n = this.operands[opcode - 1]; n > 0; n--) code.uleb();
    else {
      this.address += this.distance(opcode);
      row.line += this.lineBase + ((opcode - this.opcodeBase) % this.lineRange);
      return 'row';
    }
    return undefined;
  }

  private extended(): 'end' | undefined {
    const operation = this.code.part(this.code.uleb());
    const opcode = operation.u8();
    if (opcode === LNE.set_address) this.address = operation.u64();
    return opcode === LNE.end_sequence ? 'end' : undefined;
  }

  /** §6.2.5.1. */
  private distance(opcode: number): bigint {
    return BigInt(Math.floor((opcode - this.opcodeBase) / this.lineRange));
  }
}
