// Where the static data of kernel.wasm lies in linear memory.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode } from '../../build/wasm/decode.ts';
import { root } from './compile.ts';

/** Whether some is there. */
export function hasStaticData(start: number, end: number): boolean {
  return decode(readFileSync(join(root, 'out/kernel.wasm'))).datas.some(({ offset, bytes }) => {
    const [op] = offset!;
    if (op.op !== 'const' || op.type !== 'i32') throw new Error('a segment of no fixed place');
    return op.bits < end && op.bits + bytes.length > start;
  });
}
