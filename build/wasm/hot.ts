// Which functions are to be fast: those whose names begin as one of the lines in the custom section `yaos.hot` does. The
// others are cold, and made small. Without the section none is.

import type { WasmModule } from './module.ts';
import type { Reader } from './reader.ts';

/** The rest of the section. */
export function readHotSection(r: Reader): string[] {
  const text = new TextDecoder().decode(r.bytes.subarray(r.pos, r.end));
  return text.split('\n').filter((line) => line.length > 0);
}

/** Once the functions have names. */
export function markCold(module: WasmModule, hot: readonly string[]): void {
  for (const f of module.funcs) f.cold = !hot.some((beginning) => f.name.startsWith(beginning));
}
