// The allocator of asc's runtime `stub` moves a pointer, which two CPUs must not do at once: it gets a lock, as a transform
// of asc (asconfig.json). Nobody holds it for more than some instructions, but for who panics in it; so whoever waits too
// long goes on.

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
      throw new Error(`asc's ${STUB} is not the one that the kernel gives a lock to (kernel/heap-lock.mjs)`);
  return stub
    .replace(HEAD, LOCK + HEAD)
    .replace(ALLOC, ALLOC + TAKE)
    .replace(RETURN, GIVE);
}

libraryFiles[STUB] = locked(libraryFiles[STUB]);

/** All is done when asc loads it. */
export default class HeapLock {}
