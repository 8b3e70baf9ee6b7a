// What the translator asks of the JavaScript engine that runs it.

import { setFlagsFromString } from 'node:v8';

/** Bytes of a module that is translated before optimised JavaScript pays for itself. */
const SMALL_BYTES = 512 * 1024;

/** Bytes of bytecode that a function runs before Node 20's V8 optimises it; the engine's own figure is 132 KB. */
const INTERRUPT_BUDGET = 600_000;

/**
 * A small module is translated in a second or a few, and V8 on Node 20 spends as much again on optimising
 * functions that have hardly run, and on optimising them anew when their types turn out otherwise. It is made to
 * wait; large modules keep the engine's choice, and so do later versions, which neither need nor know the flag.
 */
export function tuneForModule(size_bytes: number): void {
  const major = Number.parseInt(process.versions.node, 10);
  if (major < 22 && size_bytes < SMALL_BYTES) setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
}
