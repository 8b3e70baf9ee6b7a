// `node out/machine/kernel/prepare.js X.wasm` makes X.machine.wasm, so that the first run need not.

import { setFlagsFromString } from 'node:v8';
import { loadKernel } from './module.ts';

// Binaryen is WebAssembly itself: to optimise its code takes longer than this one run gains.
setFlagsFromString('--liftoff-only');
await loadKernel(process.argv[2]);
