// An address space of device registers: the I/O ports, or memory outside RAM. Devices are mapped into it and taken
// out of it as the kernel programs them.

export type Width = 1 | 2 | 4;

/** A block of device registers. `offset` counts from its start; values are unsigned. */
export interface Registers {
  read(offset: number, width: Width): number;
  write(offset: number, width: Width, value: number): void;
}

export interface Mapping {
  readonly base: number;
  readonly bytes: number;
  readonly registers: Registers;
  /** Decodes only what no other does. */
  readonly behind: boolean;
}

export class AddressSpace {
  /** Where two overlap, one that is not behind has priority, then the last. */
  private readonly mappings: Mapping[] = [];
  /** By address, what decodes it; forgotten when a mapping changes. */
  private readonly found = new Map<number, Mapping | undefined>();

  map(base: number, bytes: number, registers: Registers, behind = false): Mapping {
    const mapping = { base, bytes, registers, behind };
    this.mappings.push(mapping);
    this.found.clear();
    return mapping;
  }

  unmap(mapping: Mapping): void {
    const index = this.mappings.indexOf(mapping);
    if (index >= 0) this.mappings.splice(index, 1);
    this.found.clear();
  }

  /** What nobody decodes reads as ones. */
  read(address: number, width: Width): number {
    const mapping = this.find(address);
    if (mapping === undefined) return ones(width);
    return (mapping.registers.read(address - mapping.base, width) & ones(width)) >>> 0;
  }

  write(address: number, width: Width, value: number): void {
    const mapping = this.find(address);
    mapping?.registers.write(address - mapping.base, width, (value & ones(width)) >>> 0);
  }

  private find(address: number): Mapping | undefined {
    const known = this.found.get(address);
    if (known !== undefined || this.found.has(address)) return known;
    const all = this.mappings.filter((m) => address >= m.base && address < m.base + m.bytes);
    const mapping = all.findLast((m) => !m.behind) ?? all.at(-1);
    this.found.set(address, mapping);
    return mapping;
  }
}

export function ones(width: Width): number {
  return width === 1 ? 0xff : width === 2 ? 0xffff : 0xffff_ffff;
}

/** Registers kept as bytes, which a device looks at when it needs them: reads and writes of any width and place. */
export class ByteRegisters implements Registers {
  readonly view: DataView;

  constructor(bytes: number) {
    this.view = new DataView(new ArrayBuffer(bytes));
  }

  read(offset: number, width: Width): number {
    return offset + width > this.view.byteLength ? 0 : readBytes(this.view, offset, width);
  }

  write(offset: number, width: Width, value: number): void {
    if (offset + width <= this.view.byteLength) writeBytes(this.view, offset, width, value);
  }
}

export function readBytes(view: DataView, offset: number, width: Width): number {
  if (width === 1) return view.getUint8(offset);
  return width === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true);
}

export function writeBytes(view: DataView, offset: number, width: Width, value: number): void {
  if (width === 1) view.setUint8(offset, value);
  else if (width === 2) view.setUint16(offset, value, true);
  else view.setUint32(offset, value, true);
}
