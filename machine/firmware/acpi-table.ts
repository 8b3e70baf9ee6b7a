// What all of ACPI's tables are made of (ACPI 6.4 §5.2.6): a header with a checksum, numbers, names.

const HEADER_BYTES = 36;

export function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  bytes.set(ascii(signature), 0);
  view.setUint32(4, bytes.length, true);
  bytes[8] = revision;
  bytes.set(ascii('BOCHS BXPC    '), 10);
  view.setUint32(24, 1, true);
  bytes.set(ascii('BXPC'), 28);
  view.setUint32(32, 1, true);
  bytes.set(body, HEADER_BYTES);
  bytes[9] = checksum(bytes);
  return bytes;
}

/** Puts tables into RAM, one behind the other. */
export class TablePlaces {
  private readonly ram: DataView;
  private at: number;

  constructor(ram: DataView, address: number) {
    this.ram = ram;
    this.at = address;
  }

  /** The table's address. */
  put(bytes: Uint8Array): number {
    const address = this.at;
    new Uint8Array(this.ram.buffer).set(bytes, address);
    this.at += (bytes.length + 15) & ~15;
    return address;
  }
}

/** A body whose fields are set by their offset in the table, header included. */
export class Fields {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(tableBytes: number) {
    this.view = new DataView(new ArrayBuffer(tableBytes - HEADER_BYTES));
    this.bytes = new Uint8Array(this.view.buffer);
  }

  set8(at: number, value: number): void {
    this.view.setUint8(at - HEADER_BYTES, value);
  }

  set16(at: number, value: number): void {
    this.view.setUint16(at - HEADER_BYTES, value, true);
  }

  set32(at: number, value: number): void {
    this.view.setUint32(at - HEADER_BYTES, value, true);
  }
}

export function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

export function word(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

export function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}
