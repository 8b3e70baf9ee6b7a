// Reads .debug_line (DWARF 5 §6.2): the place in the source of an address. Files are left out: who asks knows the function.

import { ADDRESS_BYTES, LNE, LNS } from './dwarf.ts';

export interface Row {
  line: number;
  column: number;
}

/** The row that an address belongs to; undefined: none does. */
export function rowAt(section: Uint8Array, address: bigint): Row | undefined {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  for (let at = 0; at < section.length; ) {
    const end = at + 4 + view.getUint32(at, true);
    const found = new LineProgram(view, at, end).find(address);
    if (found) return found;
    at = end;
  }
  return undefined;
}

/** One unit's header (§6.2.4), and the state machine that makes its rows (§6.2.2). */
class LineProgram {
  private readonly view: DataView;
  private readonly end: number;
  private at: number;
  private readonly lineBase: number;
  private readonly lineRange: number;
  private readonly opcodeBase: number;
  /** Of standard opcodes that are not known, from 1 on. */
  private readonly operands: number[];
  private address = 0n;
  private row: Row = { line: 1, column: 0 };

  constructor(view: DataView, start: number, end: number) {
    this.view = view;
    this.end = end;
    const wide = view.getUint16(start + 4, true) >= 5 ? 2 : 0; // sizes of addresses and segment selectors
    const length = start + 6 + wide;
    const fields = length + 4;
    this.lineBase = view.getInt8(fields + 3);
    this.lineRange = view.getUint8(fields + 4);
    this.opcodeBase = view.getUint8(fields + 5);
    this.operands = Array.from({ length: this.opcodeBase - 1 }, (_, i) => view.getUint8(fields + 6 + i));
    this.at = fields + view.getUint32(length, true);
  }

  /** The last row at or before the address, if the next one is behind it. */
  find(address: bigint): Row | undefined {
    let before: { address: bigint; row: Row } | undefined;
    while (this.at < this.end) {
      const made = this.step();
      if (made === undefined) continue;
      if (before && before.address <= address && address < this.address) return before.row;
      before = made === 'row' ? { address: this.address, row: { ...this.row } } : undefined;
      if (made === 'end') this.restart();
    }
    return undefined;
  }

  private restart(): void {
    this.address = 0n;
    this.row = { line: 1, column: 0 };
  }

  /** One opcode, and whether it makes a row. */
  private step(): 'row' | 'end' | undefined {
    const opcode = this.view.getUint8(this.at++);
    if (opcode >= this.opcodeBase) {
      this.advance(opcode);
      return 'row';
    }
    if (opcode === 0) return this.extended();
    if (opcode === LNS.copy) return 'row';
    if (opcode === LNS.advance_pc) this.address += BigInt(this.uleb());
    else if (opcode === LNS.advance_line) this.row.line += this.sleb();
    else if (opcode === LNS.set_column) this.row.column = this.uleb();
    else if (opcode === LNS.const_add_pc) this.advance(255, false);
    else if (opcode === LNS.fixed_advance_pc) {
      this.address += BigInt(this.view.getUint16(this.at, true));
      this.at += 2;
    } else for (let n = this.operands[opcode - 1]; n > 0; n--) this.uleb();
    return undefined;
  }

  private extended(): 'end' | undefined {
    const next = this.uleb() + this.at;
    const opcode = this.view.getUint8(this.at);
    if (opcode === LNE.set_address && next - this.at === 1 + ADDRESS_BYTES)
      this.address = this.view.getBigUint64(this.at + 1, true);
    this.at = next;
    return opcode === LNE.end_sequence ? 'end' : undefined;
  }

  /** §6.2.5.1. */
  private advance(opcode: number, lines = true): void {
    const adjusted = opcode - this.opcodeBase;
    this.address += BigInt(Math.floor(adjusted / this.lineRange));
    if (lines) this.row.line += this.lineBase + (adjusted % this.lineRange);
  }

  private uleb(): number {
    for (let result = 0, unit = 1; ; unit *= 128) {
      const byte = this.view.getUint8(this.at++);
      result += (byte & 0x7f) * unit;
      if (byte < 0x80) return result;
    }
  }

  private sleb(): number {
    const start = this.at;
    const value = this.uleb();
    const range = 128 ** (this.at - start);
    return value < range / 2 ? value : value - range;
  }
}
