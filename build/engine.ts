// What the toolchain asks of the JavaScript engine that runs it. The same at all times, because V8 takes bytecode that
// it kept (launch.ts) only under the flags that it was made with.

import { setFlagsFromString } from 'node:v8';

/** Bytes of bytecode that a function runs before Node 20's V8 optimises it; the engine's own figure is 132 KB. */
const INTERRUPT_BUDGET = 600_000;

export function tuneEngine(): void {
  // Binaryen is WebAssembly itself: to optimise its code takes longer than the one run of a build gains.
  setFlagsFromString('--liftoff-only');
  if (Number.parseInt(process.versions.node, 10) >= 22) return;
  // A module is translated in a second or a few, and Node 20's V8 spends as much again on optimising functions that
  // have hardly run, and on optimising them anew when their types turn out otherwise. Later versions need it not.
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
  // Without the flag, Node 20 refuses what later versions take (wasm/validate.ts).
  setFlagsFromString('--experimental-wasm-extended-const');
}
