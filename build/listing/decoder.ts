// The instruction format (Intel SDM volume 2, chapter 2): prefixes, opcode, ModRM, SIB, displacement, immediate; and how
// operands are written.

export type Decoded = string[] | undefined;

export const PTR: Record<number, string> = { 1: 'BYTE', 2: 'WORD', 4: 'DWORD', 8: 'QWORD', 16: 'XMMWORD' };

const NAMES = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const OLD_BYTES = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];
const NEW_BYTES = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];
const NO_REGISTER = 4;
const RIP = 5;

export class Decoder {
  pos: number;
  /** With map and mandatory prefix, packed as in x64/encode-tables.ts. */
  readonly opcode: number;
  readonly lock: boolean = false;
  /** An F3 prefix. */
  readonly repeat: boolean = false;
  readonly rexW: boolean;
  readonly rexB: number;
  target: number | undefined;
  field: number | undefined;
  private readonly code: Uint8Array;
  private readonly view: DataView;
  private readonly rex: number;
  private readonly operand16: boolean = false;
  /** Of memory; the code has no address without registers but in a segment of its own. */
  private readonly segment: string = 'ds';
  private modrmByte = -1;
  /** Position of a rip-relative displacement, whose target counts from the instruction's end. */
  private ripField = -1;

  constructor(code: Uint8Array, at: number) {
    this.code = code;
    this.view = new DataView(code.buffer, code.byteOffset, code.byteLength);
    this.pos = at;
    let prefix = 0;
    for (;;) {
      const byte = code[this.pos];
      if (byte === 0xf0) this.lock = true;
      else if (byte === 0x66) this.operand16 = true;
      else if (byte === 0xf3) this.repeat = true;
      else if (byte === 0x65) this.segment = 'gs';
      else if (byte !== 0xf2) break;
      if (byte !== 0xf0 && byte !== 0x65) prefix = byte;
      this.pos++;
    }
    this.rex = (code[this.pos] & 0xf0) === 0x40 ? code[this.pos++] : 0;
    this.rexW = (this.rex & 8) !== 0;
    this.rexB = (this.rex & 1) << 3;
    let opcode = this.u8();
    if (opcode === 0x0f) {
      opcode = this.u8();
      opcode = opcode === 0x3a ? 0x300 | this.u8() : 0x100 | opcode;
      opcode |= prefix << 16;
    }
    this.opcode = opcode;
  }

  /** Of integer operands that are not bytes. */
  get size(): number {
    if (this.rexW) return 8;
    return this.operand16 ? 2 : 4;
  }

  hex(count: number): string {
    return Buffer.from(this.code.subarray(this.pos, this.pos + count)).toString('hex');
  }

  u8(): number {
    return this.code[this.pos++];
  }

  signed(bytes: number): bigint {
    const at = this.pos;
    this.pos += bytes;
    if (bytes === 1) return BigInt(this.view.getInt8(at));
    if (bytes === 2) return BigInt(this.view.getInt16(at, true));
    return bytes === 4 ? BigInt(this.view.getInt32(at, true)) : this.view.getBigInt64(at, true);
  }

  /** An immediate that is sign-extended to `size`; there is none longer than 4 bytes. */
  immediate(bytes: number, size: number): string {
    const value = this.signed(Math.min(bytes, 4));
    return `0x${BigInt.asUintN(8 * size, value).toString(16)}`;
  }

  hexImmediate(bytes: number): string {
    return `0x${BigInt.asUintN(8 * bytes, this.signed(bytes)).toString(16)}`;
  }

  modrm(): number {
    if (this.modrmByte < 0) this.modrmByte = this.u8();
    return this.modrmByte;
  }

  /** The reg field; without REX.R a group's number too. */
  get reg(): number {
    return ((this.modrm() >> 3) & 7) | ((this.rex & 4) << 1);
  }

  get rmRegister(): number {
    return (this.modrm() & 7) | this.rexB;
  }

  registerName(n: number, size: number): string {
    if (n >= 8) return `r${n}${{ 1: 'b', 2: 'w', 4: 'd', 8: '' }[size]}`;
    if (size === 1) return (this.rex ? NEW_BYTES : OLD_BYTES)[n];
    return { 2: '', 4: 'e', 8: 'r' }[size] + NAMES[n];
  }

  xmm(n: number): string {
    return `xmm${n}`;
  }

  /** A register or memory of `size` bytes; 0: only the address. */
  rm(size: number): string {
    if (this.modrm() >> 6 === 3) return this.registerName(this.rmRegister, size);
    return this.memory(size);
  }

  xmmRm(size: number): string {
    return this.modrm() >> 6 === 3 ? this.xmm(this.rmRegister) : this.memory(size);
  }

  private memory(size: number): string {
    const mod = this.modrm() >> 6;
    const low = this.modrm() & 7;
    const type = size === 0 ? '' : `${PTR[size]} PTR `;
    if (mod === 0 && low === RIP) {
      this.ripField = this.pos;
      return `${type}[rip+0x${BigInt.asUintN(64, this.signed(4)).toString(16)}]`;
    }
    let base: string | undefined = this.registerName(low | this.rexB, 8);
    let index = '';
    if (low === NO_REGISTER) {
      const sib = this.u8();
      const indexed = ((sib >> 3) & 7) | ((this.rex & 2) << 2);
      if (indexed !== NO_REGISTER) index = `${this.registerName(indexed, 8)}*${1 << (sib >> 6)}`;
      const noBase = (sib & 7) === RIP && mod === 0;
      base = noBase ? undefined : this.registerName((sib & 7) | this.rexB, 8);
    }
    const parts = [base, index].filter(Boolean).join('+');
    if (mod === 0 && base !== undefined) return `${type}[${parts}]`;
    const disp = this.signed(mod === 1 ? 1 : 4);
    if (parts === '') return `${type}${this.segment}:0x${BigInt.asUintN(64, disp).toString(16)}`;
    return `${type}[${parts}${this.signedHex(disp)}]`;
  }

  private signedHex(value: bigint): string {
    return value < 0n ? `-0x${(-value).toString(16)}` : `+0x${value.toString(16)}`;
  }

  /** To be called behind the last byte. */
  finish(): void {
    if (this.ripField < 0) return;
    this.field = this.ripField;
    this.target = this.pos + this.view.getInt32(this.ripField, true);
  }
}
