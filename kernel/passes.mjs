// What Binaryen does to the kernel between asc and the translator, as a transform of asc (asconfig.json): what takes the
// whole module, such as removing what nobody calls. A function it leaves as it is: its passes would drop the names of locals, which
// debuggers show, and the translator has its own. Nor does it inline functions of more than one instruction, as they would be
// missing from back traces: a source map knows no calls, and the translator keeps account of them. It learns here which are worth it.

/** How the names of functions begin that run for each request and interrupt; the rest is made small (build/wasm/hot.ts). */
const HOT = [
  '~lib/array/',
  '~lib/staticarray/',
  'kernel/drivers/disk/Stream#',
  'kernel/drivers/virtio-blk',
  'kernel/irq/tasklets/',
  'kernel/irq/vectors/',
  'kernel/jobs/blkbench/',
  'kernel/lib/lock/Lock#release',
  'kernel/lib/lock/Lock#take',
  'kernel/lib/lock/SpinLock#',
  'kernel/lib/lock/ThreadLock#',
  'kernel/lib/random/',
  'kernel/lib/trace/record',
  'kernel/sched/',
  'kernel/time/clock/',
  'kernel/virtio/interrupts/',
  'kernel/virtio/packed/',
  'kernel/virtio/queue/',
  'kernel/virtio/split/',
];

const PASSES = [
  'remove-unused-module-elements',
  'memory-packing',
  'duplicate-function-elimination',
  'simplify-globals',
  'inlining',
  'directize',
  'remove-unused-module-elements',
];

export default class Passes {
  afterCompile(module) {
    const { binaryen } = this;
    binaryen.setDebugInfo(true);
    binaryen.setAlwaysInlineMaxSize(0);
    binaryen.setOneCallerInlineMaxSize(0);
    binaryen.setFlexibleInlineMaxSize(0);
    module.runPasses(PASSES);
    module.addCustomSection('yaos.hot', new TextEncoder().encode(HOT.join('\n')));
  }
}
