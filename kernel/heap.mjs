// Has the functions of asc's runtime that take and give back memory be the kernel's own (mm/heap.ts), as a transform of asc
// (asconfig.json). asc's runtime `stub` never frees, and knows one CPU only.

const FILE = 'kernel/mm/heap';
const FUNCTIONS = {
  __alloc: 'allocate',
  __realloc: 'resize',
  __free: 'release',
  __new: 'allocateObject',
  __renew: 'resizeObject',
};

export default class Heap {
  afterInitialize(program) {
    const elements = program.elementsByName;
    for (const [name, own] of Object.entries(FUNCTIONS)) {
      const element = elements.get(`${FILE}/${own}`);
      if (!element) throw new Error(`${FILE}.ts has no ${own}(), or is not in the program`);
      elements.set(name, element);
    }
  }
}
