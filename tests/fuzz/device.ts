// A device for programs of the fixed memory model: registers in linear memory that are read and written with the volatile
// intrinsics only. Each access changes what the next one reads, so that one too many, too few or in another order
// shows. Natively tests/translator/fixed-host.c does the same.

/** Where its registers are. */
export const DEVICE = 0x10000;

const WIDTHS = [8, 16, 32, 64];
const valueType = (width: number) => (width === 64 ? 'i64' : 'i32');

/** Imports of the intrinsics as WebAssembly text. */
export const declarations: readonly string[] = WIDTHS.flatMap((width) => [
  `(import "x86" "load${width}" (func $load${width} (param i32) (result ${valueType(width)})))`,
  `(import "x86" "store${width}" (func $store${width} (param i32 ${valueType(width)})))`,
]);

export class Device {
  private state = 0n;

  /** The module `x86`. */
  readonly imports = Object.fromEntries(
    WIDTHS.flatMap((width) => {
      const number = (bits: bigint) => (width === 64 ? bits : Number(bits));
      const load = (address: number) => number(this.access(address, width));
      const store = (address: number, value: number | bigint) => {
        this.access(address, width, BigInt(value));
      };
      return [
        [`load${width}`, load],
        [`store${width}`, store],
      ];
    }),
  );

  /** What is read, or was there before it was written. */
  private access(address: number, width: number, value?: bigint): bigint {
    const shift = BigInt((address % 8) * 8);
    const mask = (1n << BigInt(width)) - 1n;
    const before = this.state;
    const after = value === undefined ? before : (before & ~(mask << shift)) | ((value & mask) << shift);
    const kind = BigInt((address - DEVICE) * 2 + Number(value !== undefined));
    this.state = BigInt.asUintN(64, (before * 0x5851f42d4c957f2dn + after) * 0x2545f4914f6cdd1dn + kind);
    return (before >> shift) & mask;
  }
}
