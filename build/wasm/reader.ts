// A cursor over the bytes of a WebAssembly file: the primitive encodings of the binary format (WebAssembly core
// 5.2). Nothing here trusts the bytes: reading past `end` or an overlong number is a WasmError with its offset.

import { WasmError } from './module.ts';

export class Reader {
  readonly bytes: Uint8Array;
  pos: number;
  end: number;

  constructor(bytes: Uint8Array, pos = 0, end = bytes.length) {
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
  }

  fail(message: string, at = this.pos): never {
    throw new WasmError(message, at);
  }

  u8(): number {
    if (this.pos >= this.end) this.fail('unexpected end');
    return this.bytes[this.pos++];
  }

  peek(): number {
    return this.pos < this.end ? this.bytes[this.pos] : -1;
  }

  /** Unsigned LEB128 of 32 bits (WebAssembly core 5.2.2). */
  u32(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    const start = this.pos - 1;
    let result = first & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.u8();
      result += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return result <= 0xffffffff ? result : this.fail('integer too large', start);
    }
    return this.fail('integer representation too long', start);
  }

  /** Signed LEB128 of at most 33 bits, as a number. */
  private signed(bytesMax: number): number {
    const start = this.pos;
    let result = 0;
    for (let i = 0, unit = 1; i < bytesMax; i++, unit *= 128) {
      const byte = this.u8();
      if (byte < 0x80) return result + (byte < 0x40 ? byte : byte - 0x80) * unit;
      result += (byte & 0x7f) * unit;
    }
    return this.fail('integer representation too long', start);
  }

  s32(): number {
    return this.signed(5) | 0;
  }

  /** A block type: a value type (negative) or a type index. */
  s33(): number {
    return this.signed(5);
  }

  s64(): bigint {
    const start = this.pos;
    let last = start;
    while (last < this.end && this.bytes[last] >= 0x80) last++;
    if (last - start < 7) return BigInt(this.signed(7));
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.u8();
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, byte & 0x40 ? result - (1n << (shift + 7n)) : result);
    }
    return this.fail('integer representation too long', start);
  }

  /** The 32 bits of a float constant, unsigned. A JavaScript number would lose a signalling NaN's bits. */
  f32Bits(): number {
    return this.fixed32() >>> 0;
  }

  f64Bits(): bigint {
    const low = this.fixed32() >>> 0;
    return (BigInt(this.fixed32() >>> 0) << 32n) | BigInt(low);
  }

  private fixed32(): number {
    const at = this.pos;
    this.skip(4);
    const b = this.bytes;
    return b[at] | (b[at + 1] << 8) | (b[at + 2] << 16) | (b[at + 3] << 24);
  }

  skip(count: number): void {
    if (count > this.end - this.pos) this.fail('unexpected end');
    this.pos += count;
  }

  /** `count` bytes, not copied. */
  take(count: number): Uint8Array {
    const at = this.pos;
    this.skip(count);
    return this.bytes.subarray(at, at + count);
  }

  name(): string {
    return UTF8.decode(this.take(this.u32()));
  }

  /** The length of a vector whose elements take at least `bytesMin` bytes each: hostile counts end here. */
  count(bytesMin = 1): number {
    const at = this.pos;
    const n = this.u32();
    if (n * bytesMin > this.end - this.pos)
      this.fail(`a vector of ${n} entries does not fit its section`, at);
    return n;
  }
}

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
