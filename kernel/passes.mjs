// What Binaryen does to the kernel between asc and the translator, as a transform of asc (asconfig.json): its own
// optimisation, but no inlining beyond functions of one instruction. A function that Binaryen inlines is missing from
// back traces, since a source map knows no calls; inlining is left to the translator, which keeps account of it. It learns
// here what is worth it.

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
    module.addCustomSection('yaos.hot', new TextEncoder().encode(HOT.join('\n')));
  }
}
