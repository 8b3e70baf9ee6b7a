// What the toolchain asks of the JavaScript engine that runs it. The same at all times, because V8 takes bytecode that
// it kept (launch.ts) only under the flags that it was made with.

import { setFlagsFromString } from 'node:v8';

/**
 * By Node's major version: flags that make V8 optimise later. A module is translated in a second or a few, and these
 * versions spend as much again on optimising functions that have hardly run, and on optimising them anew when their
 * types turn out otherwise. Node 24 does better by itself, and flags differ between versions.
 */
const PATIENCE: Record<number, string[]> = {
  20: ['--interrupt-budget=600000'], // bytes of bytecode run; V8's own figure is 135,168
  22: ['--invocation-count-for-turbofan=20000', '--invocation-count-for-osr=2000'], // 3,000 and 800
};

/** V8's own figures, for a process that translates again and again. */
const HASTE: Record<number, string[]> = {
  20: ['--interrupt-budget=135168'],
  22: ['--invocation-count-for-turbofan=3000', '--invocation-count-for-osr=800'],
};

/** Of WebAssembly, what this version has behind a flag; later ones would complain about the flag. */
const FEATURES: Record<number, string[]> = {
  20: ['--experimental-wasm-extended-const'],
};

const major = Number.parseInt(process.versions.node, 10);

export function tuneEngine(): void {
  // Binaryen is WebAssembly itself: to optimise its code takes longer than the one run of a build gains.
  setFlags(['--liftoff-only', ...(PATIENCE[major] ?? [])]);
  enableFeatures();
}

/** Behind tuneEngine(), and before Binaryen is loaded: what takes longer now is made up for by the next times. */
export function tuneEngineForLong(): void {
  setFlags(['--no-liftoff-only', ...(HASTE[major] ?? [])]);
}

/** What validation relies on (wasm/validate.ts), wherever the translator runs. */
export function enableFeatures(): void {
  setFlags(FEATURES[major] ?? []);
}

function setFlags(flags: readonly string[]): void {
  for (const flag of flags) setFlagsFromString(flag);
}
