// A cursor over bytes of a section of debugging information (DWARF 5 §7.6, little-endian), for those who read what the linker has
// made of it.

export class DebugReader {
  at: number;
  private readonly end: number;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get more(): boolean {
    return this.at < this.end;
  }

  copy(): DebugReader {
    return new DebugReader(this.bytes, this.at, this.end);
  }

  /** Takes the next bytes away, for a reader of their own. */
  part(bytes: number): DebugReader {
    this.skip(bytes);
    return new DebugReader(this.bytes, this.at - bytes, this.at);
  }

  skip(bytes: number): void {
    this.at += bytes;
    if (this.at > this.end) throw new RangeError('debugging information ends too early');
  }

  u8(): number {
    this.skip(1);
    return this.bytes[this.at - 1];
  }

  s8(): number {
    return (this.u8() << 24) >> 24;
  }

  u16(): number {
    return this.u8() + this.u8() * 0x100;
  }

  u32(): number {
    return this.u16() + this.u16() * 0x1_0000;
  }

  u64(): bigint {
    return BigInt(this.u32()) + (BigInt(this.u32()) << 32n);
  }

  text(): string {
    let text = '';
    for (let byte = this.u8(); byte !== 0; byte = this.u8()) text += String.fromCharCode(byte);
    return text;
  }

  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return byte & 0x40 ? value - scale * 0x80 : value;
    }
  }
}
