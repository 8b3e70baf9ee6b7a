// The program that out/yaos starts: runs the toolchain, bundled in out/yaos.cjs, with the bytecode that V8 made of it
// in an earlier run. Half of a short command's time is otherwise spent on reading a hundred modules and compiling them.

import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { tuneEngine } from './engine.ts';

const directory = join(import.meta.dirname, '..');
const bundle = join(directory, 'yaos.cjs');
const kept = join(directory, 'yaos.cache');

/** Commands that run most of the toolchain, and so leave bytecode behind that is worth keeping. */
const THOROUGH = ['build', 'compile', 'exe'];

tuneEngine();
const source = readFileSync(bundle, 'utf8');
const key = createHash('sha256').update(source).digest();
const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
  filename: bundle,
  cachedData: readKept(),
});
if (script.cachedDataRejected !== false && THOROUGH.includes(process.argv[2])) process.on('exit', keep);
const module = { exports: {} as typeof import('./cli.ts') };
script.runInThisContext()(module.exports, createRequire(bundle), module, bundle, directory);
process.exitCode = await module.exports.main(process.argv.slice(2), (name) => import(name));

/** Of this very bundle: V8 itself compares only the length of the source, its own version and flags. */
function readKept(): Buffer | undefined {
  try {
    const file = readFileSync(kept);
    return file.subarray(0, key.length).equals(key) ? file.subarray(key.length) : undefined;
  } catch {
    return undefined; // none yet
  }
}

function keep(): void {
  const file = `${kept}.${process.pid}`;
  try {
    writeFileSync(file, Buffer.concat([key, script.createCachedData()]));
    renameSync(file, kept);
  } catch {
    // a package that belongs to somebody else goes without
  }
}
