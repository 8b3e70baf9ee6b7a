// What the kernel changes in asc, as a transform of it (asconfig.json).
//
// Binaryen's own optimisation runs between asc and the translator, but no inlining beyond functions of one instruction: a
// function that Binaryen inlines is missing from back traces, since a source map knows no calls; inlining is left to the
// translator, which keeps account of it.
//
// The allocator of the runtime `stub` moves a pointer, which two CPUs must not do at once: it gets a lock. Nobody holds it
// for more than some instructions, but for who panics in it; so whoever waits too long goes on.

import { libraryFiles } from 'assemblyscript/asc';

const STUB = 'rt/stub';
const SIZE_CHECK = 'if (size > BLOCK_MAXSIZE) throw new Error(E_ALLOCATION_TOO_LARGE);';
const ALLOC = `export function __alloc(size: usize): usize {
  ${SIZE_CHECK}
`;
const RETURN = '  block.mmInfo = payloadSize;\n  return ptr;\n';
const HEAD = 'function maybeGrowMemory(';
const LOCK = `const lock: usize = memory.data(4, 4);
const LOCK_POLLS_MAX: u32 = 1 << 24;

`;
const TAKE = '  for (let i: u32 = 0; atomic.xchg<u32>(lock, 1) !== 0 && i < LOCK_POLLS_MAX; i++) {}\n';
const GIVE = '  block.mmInfo = payloadSize;\n  atomic.store<u32>(lock, 0);\n  return ptr;\n';

function locked(stub) {
  if (stub.includes(LOCK)) return stub;
  for (const part of [HEAD, ALLOC, RETURN])
    if (stub.split(part).length !== 2)
      throw new Error(`asc's ${STUB} is not the one that the kernel gives a lock to (kernel/passes.mjs)`);
  return stub
    .replace(HEAD, LOCK + HEAD)
    .replace(ALLOC, ALLOC + TAKE)
    .replace(RETURN, GIVE);
}

libraryFiles[STUB] = locked(libraryFiles[STUB]);

export default class Passes {
  afterCompile(module) {
    const { binaryen } = this;
    binaryen.setOptimizeLevel(2);
    binaryen.setShrinkLevel(0);
    binaryen.setDebugInfo(true);
    binaryen.setAlwaysInlineMaxSize(0);
    binaryen.setOneCallerInlineMaxSize(0);
    binaryen.setFlexibleInlineMaxSize(0);
    module.optimize();
  }
}
