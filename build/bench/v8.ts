// One of the benchmark's runners, a process of its own: `node FLAGS v8.js MODULE.wasm` answers lines `run COUNT` as
// hosted programs do, in V8.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { WASI } from 'node:wasi';

/** As far as it is used here: TypeScript declares it only for browsers. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: Record<string, unknown> };
};

const wasi = new WASI({ version: 'preview1' });
const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const instance = new WebAssembly.Instance(module, wasi.getImportObject());
if ('_initialize' in instance.exports) wasi.initialize(instance);
const run = instance.exports.run as (count: number) => bigint;

for await (const line of createInterface(process.stdin)) {
  const result = BigInt.asUintN(64, run(Number(line.split(' ')[1])));
  console.log(`i64:0x${result.toString(16)}`);
}
