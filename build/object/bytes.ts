// Growing byte sequences for the object's tables: little-endian fields, and strings that are kept once.

/** Little-endian fields one after the other, in a buffer that grows by doubling. */
export class ByteWriter {
  private bytes = new Uint8Array(1024);
  private view = new DataView(this.bytes.buffer);
  length = 0;

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.view.setUint16(this.length, value, true);
    this.length += 2;
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** A number must be an integer that a double holds exactly; negative ones are sign-extended. */
  u64(value: number | bigint): void {
    this.reserve(8);
    if (typeof value === 'bigint') this.view.setBigUint64(this.length, BigInt.asUintN(64, value), true);
    else {
      this.view.setUint32(this.length, value, true);
      this.view.setUint32(this.length + 4, Math.floor(value / 2 ** 32), true);
    }
    this.length += 8;
  }

  /** ULEB128 of an integer from 0 on. */
  uleb(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.u8((rest & 0x7f) | 0x80);
    this.u8(rest);
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  overwrite(at: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, at);
  }

  /** Fills up to a multiple of `align` (a power of two). */
  alignTo(align: number, fill = 0): void {
    const padding = -this.length & (align - 1);
    this.reserve(padding);
    this.bytes.fill(fill, this.length, this.length + padding);
    this.length += padding;
  }

  /** What has been written: a view, good until the next write. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.length + more));
    larger.set(this.bytes);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

/** NUL-terminated UTF-8 strings, equal ones once; the empty string is at offset 0, as ELF wants. */
export class StringTable {
  private readonly offsets = new Map<string, number>([['', 0]]);
  private readonly writer = new ByteWriter();
  private readonly encoder = new TextEncoder();

  constructor() {
    this.writer.u8(0);
  }

  /** The string's offset. A NUL inside, which Wasm names may have, is written as the two characters `\0`. */
  add(text: string): number {
    const known = this.offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.writer.length;
    this.writer.append(this.encoder.encode(text.replaceAll('\0', '\\0')));
    this.writer.u8(0);
    this.offsets.set(text, offset);
    return offset;
  }

  bytes(): Uint8Array {
    return this.writer.written();
  }
}
