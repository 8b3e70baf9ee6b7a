// Has the functions of asc's runtime that take and give back memory be the kernel's own (mm/heap.ts, mm/objects.ts), as a
// transform of asc (asconfig.json). asc's runtime `stub` never frees, and knows one CPU only.

const FUNCTIONS = {
  __alloc: 'heap/allocate',
  __realloc: 'heap/resize',
  __free: 'heap/release',
  __new: 'objects/allocateObject',
  __renew: 'objects/resizeObject',
};

export default class Heap {
  afterInitialize(program) {
    const elements = program.elementsByName;
    for (const [name, own] of Object.entries(FUNCTIONS)) {
      const element = elements.get(`kernel/mm/${own}`);
      if (!element) throw new Error(`kernel/mm has no ${own}(), or is not in the program`);
      elements.set(name, element);
    }
  }
}
