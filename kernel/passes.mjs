// What Binaryen does to the kernel between asc and the translator, as a transform of asc (asconfig.json): its own
// optimisation, but no inlining beyond functions of one instruction. A function that Binaryen inlines is missing from
// back traces, since a source map knows no calls; inlining is left to the translator, which keeps account of it. It learns
// here what is worth it.

/** How the names of functions begin that run for each request and interrupt; the rest is made small (build/wasm/hot.ts). */
const HOT = [
  ...['drivers/virtio-blk', 'irq/vectors', 'jobs/blkbench', 'lib/lock', 'sched', 'time/clock'],
  ...['virtio/interrupts', 'virtio/packed', 'virtio/queue', 'virtio/split'],
].map((file) => `kernel/${file}`);

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
