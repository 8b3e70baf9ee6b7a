// How many values the calls, branches and blocks of a module pass on. Two bytes pass up to 1000 (V8's limit) and each becomes an
// instruction or an operand here, so that a file of a few kilobytes could take hours. No program passes that many.

import { unsupported } from '../wasm/types.ts';

/** Compilers' output passes one for every 25 bytes. */
const VALUES_MAX = { least: 2 ** 17, perByte: 1 };

export class PassedValues {
  private readonly most: number;
  private count = 0;

  constructor(moduleBytes: number) {
    this.most = VALUES_MAX.least + VALUES_MAX.perByte * moduleBytes;
  }

  /** So many more, by the operator at this offset. */
  add(count: number, at: number): void {
    this.count += count;
    if (this.count > this.most) unsupported(`passing on more than ${this.most} values in all`, at);
  }
}
